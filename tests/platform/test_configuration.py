"""What is configured agrees with what is there: the environment's documentation, the schedule, the broker's manners."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import app
from config.schedule import BEAT_SCHEDULE

READ_BY_LIBRARIES = {"DJANGO_SETTINGS_MODULE", "PROMETHEUS_MULTIPROC_DIR"}


def test_every_variable_is_documented_and_every_documented_one_is_read():
    root = settings.BASE_DIR
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (root / "config/env.py").read_text()))
    read |= set(re.findall(r"\$\{([A-Z_]+)", (root / "Procfile").read_text()))
    documented = set(re.findall(r"^#? ?([A-Z_]+)=", (root / ".env.example").read_text(), re.MULTILINE))

    assert documented - READ_BY_LIBRARIES == read


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a person has who copied .env.example to .env and filled it in; nothing is in the environment."""
    for path in settings.BASE_DIR.iterdir():
        if path.name in ("config", "manage.py"):  # they ask where they lie
            (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
        elif not path.name.startswith(".") and path.name != "var":
            (tmp_path / path.name).symlink_to(path)
    filled_in = (settings.BASE_DIR / ".env.example").read_text()
    ring = base64.b64encode(secrets.token_bytes(32)).decode()
    for name, value in {
        "DATA_DIR": str(tmp_path / "var"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "SECRET_KEY": secrets.token_hex(40),
        "SEALING_KEYS": f"k1:{ring}",
    }.items():
        filled_in = re.sub(f"(?m)^{name}=[^# ]*", f"{name}={value}", filled_in)
    (tmp_path / ".env").write_text(filled_in)
    return tmp_path


def asked(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *command], env=environment, cwd=checkout, capture_output=True, text=True
    )


@pytest.mark.parametrize("module", ["config.wsgi", "config.asgi", "config.celery"])
def test_a_dot_env_alone_chooses_the_settings(module, checkout):
    """The servers refuse what is left empty, by its id: so they are production. What stands before a comment is the value."""
    worker = "import config; from celery.signals import worker_init; from django import setup; setup(); worker_init.send(None)"

    answer = asked(checkout, "-c", worker if module == "config.celery" else f"import {module}")

    assert answer.returncode == 1
    assert set(re.findall(r"counterfoil\.(E\d+)", answer.stderr)) == {"E008", "E019"}, answer.stderr


def test_commands_take_the_settings_and_the_database_s_options_of_a_dot_env(checkout):
    code = (
        "from django.conf import settings; options = settings.DATABASES['default']['OPTIONS'];"
        "print(settings.SETTINGS_MODULE, settings.PRODUCTION, settings.SESSION_COOKIE_SECURE, settings.TRUSTED_PROXIES,"
        " options['sslmode'], options['sslrootcert'], options['connect_timeout'], settings.REDIS_URL[-2:])"
    )

    answer = asked(checkout, "manage.py", "shell", "--no-imports", "-c", code)

    wanted = "config.settings.production True True 1 verify-full /etc/counterfoil/database-ca.pem 5 /0"
    assert answer.stdout.strip() == wanted, answer.stderr


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_what_is_asked_for_is_in_the_lock(name):
    """What an installation gets is the lock alone."""

    def pinned(path: str) -> set[str]:
        text = (settings.BASE_DIR / path).read_text()
        found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,-]+\])?==([^\s;]+)", text, re.MULTILINE)
        return {f"{re.sub('[-_.]+', '-', package).lower()}=={version}" for package, version in found}

    asked = pinned(f"{name}.in")

    assert len(asked) > 10
    assert asked - pinned(f"{name}.txt") == set()


def test_the_transfer_batch_s_page_knows_when_it_runs_next_on_a_developer_s_machine_too(tmp_path):
    asked = (
        "import django; django.setup(); from django.utils import timezone; "
        "from payments.admin.transfer_runs import _next_run; now = timezone.now(); print((_next_run(now) - now).total_seconds())"
    )
    environment = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "config.settings.local", "DATA_DIR": str(tmp_path)}

    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked], capture_output=True, text=True, env=environment
    )

    assert answer.returncode == 0, answer.stderr
    assert 0 < float(answer.stdout) <= 90


def test_every_scheduled_task_exists_and_its_messages_expire():
    app.loader.import_default_modules()

    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} <= set(app.tasks)
    assert all(entry["options"]["expires"] > 0 for entry in BEAT_SCHEDULE.values())


@pytest.fixture(params=["refuses", "is silent"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Redis that is not one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_publishing_without_a_broker_fails_soon(broker):
    lost = Celery("lost", broker=broker, set_as_current=False)
    lost.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    lost.conf.task_publish_retry = settings.CELERY_TASK_PUBLISH_RETRY
    began = time.monotonic()

    with pytest.raises(OperationalError):
        lost.send_task("payments.sweep")

    assert time.monotonic() - began < 8
