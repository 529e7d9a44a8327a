"""Production refuses each unsafe value by its own id, and starts with none."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from config.checks import RULES, refuse_unsafe_settings, unsafe_database, unsafe_settings
from reconciliation.models import Source
from tests.factories import ProviderAccountFactory
from tests.factories.agreed import new_bank_account, new_payout_bank

SAFE = {
    "PRODUCTION": True,
    "DEBUG": False,
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ALLOWED_HOSTS": ["pay.example"],
    "SEALING_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    "JWT_SIGNING_KEYS": f"j1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "METRICS_TOKEN": secrets.token_urlsafe(32),
    "DATABASE_URL": "postgresql://app@db.example/counterfoil",
    "REDIS_URL": "redis://redis.example",
    "PUBLIC_BASE_URL": "https://pay.example",
    "WEBHOOK_ALLOWED_TARGETS": [],
    "INSTALLED_APPS": [app for app in settings.INSTALLED_APPS if app != "demo"],
    "AUDIT_ANCHOR_FILE": "/var/log/anchor",
}
SHORT_KEY = base64.b64encode(b"short").decode()
FLAT_KEY = base64.b64encode(bytes(32)).decode()
UNSAFE = [
    ("E001", {"DEBUG": True}),
    ("E002", {"SECRET_KEY": ""}),
    ("E002", {"SECRET_KEY": "django-insecure-" + secrets.token_urlsafe(50)}),
    ("E002", {"SECRET_KEY": secrets.token_urlsafe(20)}),
    ("E003", {"ALLOWED_HOSTS": []}),
    ("E003", {"ALLOWED_HOSTS": ["pay.example", "*"]}),
    ("E003", {"ALLOWED_HOSTS": [".example"]}),
    ("E005", {"SEALING_KEYS": ""}),
    ("E005", {"SEALING_KEYS": "no-colon"}),
    ("E005", {"SEALING_KEYS": f"k1:{SHORT_KEY}"}),
    ("E005", {"SEALING_KEYS": f"k1:{FLAT_KEY}"}),
    ("E019", {"JWT_SIGNING_KEYS": ""}),
    ("E019", {"JWT_SIGNING_KEYS": f"j1:{FLAT_KEY}"}),
    ("E006", {"SESSION_COOKIE_SECURE": False}),
    ("E006", {"CSRF_COOKIE_SECURE": False}),
    ("E007", {"SECURE_SSL_REDIRECT": False}),
    ("E007", {"SECURE_HSTS_SECONDS": 60}),
    ("E008", {"METRICS_TOKEN": ""}),
    ("E009", {"DATABASE_URL": ""}),
    ("E011", {"REDIS_URL": ""}),
    ("E012", {"PUBLIC_BASE_URL": "http://pay.example"}),
    ("E013", {"WEBHOOK_ALLOWED_TARGETS": ["127.0.0.1:8200-8299"]}),
    ("E014", {"CELERY_TASK_ALWAYS_EAGER": True}),
    ("E015", {"INSTALLED_APPS": settings.INSTALLED_APPS}),
    ("E016", {"DATABASES": {"default": {"ATOMIC_REQUESTS": True}}}),
    ("E017", {"AUDIT_ANCHOR_FILE": ""}),
    ("E020", {"DATABASES": {"default": {"HOST": "db.example"}}}),
    ("E020", {"DATABASES": {"default": {"HOST": "10.0.0.5", "OPTIONS": {"sslmode": "verify-ca"}}}}),
    ("E020", {"DATABASES": {"default": {"HOST": "127.0.0.1,db.example"}}}),
    ("E020", {"DATABASES": {"default": {"HOST": "", "OPTIONS": {"host": "db.example"}}}}),
    ("E018", {"PAGE_MIDDLEWARE": []}),
]


def found() -> list[str]:
    messages = unsafe_settings()
    assert all(message.hint for message in messages)
    return [str(message.id) for message in messages]


def test_safe_settings_have_no_finding():
    with override_settings(**SAFE):
        assert found() == []


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(("check_id", "unsafe"), UNSAFE)
def test_each_unsafe_value_is_named(check_id, unsafe):
    with override_settings(**SAFE | unsafe):
        assert found() == [f"counterfoil.{check_id}"]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(
    "database",
    [
        {"HOST": ""},
        {"HOST": "/run/postgresql"},
        {"HOST": "127.0.0.1"},
        {"HOST": "[::1]"},
        {"HOST": "localhost"},
        {"HOST": "db.example", "OPTIONS": {"sslmode": "verify-full"}},
    ],
)
def test_a_database_on_this_machine_or_with_proven_tls_is_safe(database):
    with override_settings(**SAFE, DATABASES={"default": database}):
        assert found() == []


def test_every_rule_has_a_case_above():
    assert {f"counterfoil.{check_id}" for check_id, _ in UNSAFE} == set(RULES)


def test_outside_production_nothing_is_asked():
    with override_settings(DEBUG=True, SECRET_KEY="short"):
        assert found() == []


@pytest.mark.django_db
def test_live_accounts_without_https_and_a_role_that_owns_the_ledger_are_named():
    plain = ProviderAccountFactory(live=True, config={"base_url": "http://provider.example"})
    ProviderAccountFactory(live=True, config={"base_url": "https://provider.example"})
    ProviderAccountFactory(live=False, config={"base_url": "http://sandbox.example"})
    new_payout_bank(live=True, url="http://bank.example")
    new_payout_bank(url="http://sandbox.example")
    for code, live in (("plainbank", True), ("sandboxbank", False)):
        source = Source.objects.create(
            code=code, name=code, side="BANK", format="mt940", fetch_url="http://bank.example"
        )
        new_bank_account(source, "5140", live=live)

    with override_settings(**SAFE), pytest.raises(ImproperlyConfigured) as refused:
        refuse_unsafe_settings()

    assert f"(counterfoil.E004) Live provider account {plain.pk}" in str(refused.value)
    assert "(counterfoil.E004) The address for payment files of mybank" in str(refused.value)
    assert "(counterfoil.E004) The address for statements of plainbank" in str(refused.value)
    assert str(refused.value).count("E004") == 3
    assert "counterfoil.E010" in str(refused.value)  # tests act as the owner
    with override_settings(**SAFE, ACTS_AS_OWNER=True):
        assert "counterfoil.E010" not in [message.id for message in unsafe_database(databases=["default"])]


@pytest.mark.parametrize("module", ["config.wsgi", "config.asgi"])
def test_a_production_server_with_an_empty_environment_does_not_start(module, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "short",
    }

    run = subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, capture_output=True, text=True)

    assert run.returncode == 1
    for check_id in ("E002", "E003", "E005", "E008", "E009", "E011", "E012", "E017"):
        assert f"counterfoil.{check_id}" in run.stderr
