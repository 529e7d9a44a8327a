"""Signing in: locked after ten wrong passwords, gone after fifteen idle minutes, and never sent elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.conf import LazySettings, settings
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from common.models import AuditRecord
from merchants import rates
from merchants.api.throttling import limit
from merchants.services.sign_ins import reap_sign_ins
from tests.console.conftest import PASSWORD, SignIn

LOGIN = "/admin/login/"


@pytest.fixture
def aisha(db: None) -> User:
    return User.objects.create_user("aisha", password=PASSWORD, is_staff=True, is_superuser=True)


def _sign_in(client: Client, password: str, query: str = "") -> object:
    return client.post(LOGIN + query, {"username": "aisha", "password": password})


def test_ten_wrong_passwords_lock_even_the_right_one_out(aisha: User) -> None:
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        _sign_in(client, "wrong")

    response = _sign_in(client, PASSWORD)

    assert settings.AXES_FAILURE_LIMIT == 10
    assert response.status_code == 429  # type: ignore[attr-defined]
    assert "_auth_user_id" not in client.session


def test_a_session_ends_after_fifteen_idle_minutes(aisha: User) -> None:
    client = Client()
    _sign_in(client, PASSWORD)

    client.get("/admin/")
    session = Session.objects.get()

    assert 14 * 60 < (session.expire_date - timezone.now()).total_seconds() <= 15 * 60


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_never_leads_elsewhere(target: str, aisha: User) -> None:
    client = Client()

    response = _sign_in(client, PASSWORD, f"?next={target}")

    assert response["Location"] == "/admin/"  # type: ignore[index]


def test_the_session_is_a_new_one_after_signing_in(aisha: User) -> None:
    client = Client()
    client.get(LOGIN)
    client.session.save()
    before = client.session.session_key

    _sign_in(client, PASSWORD)

    assert client.session.session_key != before


@pytest.mark.parametrize("path", ["/admin/", "/admin/payments/transaction/", "/admin/common/auditrecord/"])
def test_a_stranger_is_sent_to_sign_in(path: str, db: None) -> None:
    assert Client().get(path)["Location"] == f"{LOGIN}?next={path}"


def test_pages_are_not_kept_by_browsers_and_not_framed(sign_in: SignIn) -> None:
    response = sign_in("support").get("/admin/")

    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_a_changed_password_is_audited_without_it(aisha: User, sign_in: SignIn) -> None:
    new = "another-long-password"

    response = sign_in("superuser").post(
        f"/admin/auth/user/{aisha.pk}/password/", {"password1": new, "password2": new, "usable_password": "true"}
    )

    assert response.status_code == 302
    record = AuditRecord.objects.get(action="operator.changed")
    assert (record.actor, record.subject_id) == ("operator:demo_superuser", str(aisha.pk))
    assert new not in str(record.changes)
    aisha.refresh_from_db()
    assert aisha.check_password(new)


def test_an_operator_is_never_deleted(aisha: User, sign_in: SignIn) -> None:
    client = sign_in("superuser")

    assert client.post(f"/admin/auth/user/{aisha.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=aisha.pk).exists()


def _wrong(times: int, address: str, *, name: str = "aisha", **headers: str) -> list[int]:
    client = Client(REMOTE_ADDR=address, headers=headers)
    return [client.post(LOGIN, {"username": name, "password": "wrong"}).status_code for _ in range(times)]


def test_wrong_passwords_lock_out_their_own_address_only_also_behind_a_proxy(
    aisha: User, settings: LazySettings
) -> None:
    settings.TRUSTED_PROXIES = 1
    _wrong(10, "10.0.0.1", **{"X-Forwarded-For": "198.51.100.7"})

    attacker = _wrong(1, "10.0.0.1", **{"X-Forwarded-For": "198.51.100.7"})
    other = Client(REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "203.0.113.9"})
    response = _sign_in(other, PASSWORD)

    assert attacker == [429]
    assert response.status_code == 302  # type: ignore[attr-defined]
    assert set(AccessAttempt.objects.values_list("ip_address", "failures_since_start")) == {("198.51.100.7", 10)}


def test_fifty_wrong_passwords_for_one_name_lock_it_wherever_they_came_from(aisha: User) -> None:
    for number in range(10):
        _wrong(5, f"198.51.100.{number}")
    client = Client(REMOTE_ADDR="203.0.113.9")

    response = _sign_in(client, PASSWORD)

    assert settings.SIGN_IN_FAILURES_OF_A_NAME == 50
    assert response.status_code == 429  # type: ignore[attr-defined]
    assert "_auth_user_id" not in client.session
    assert _wrong(1, "203.0.113.9", name="somebody else") == [200]


def test_an_address_tries_no_more_than_120_times_a_minute_whatever_the_names(db: None) -> None:
    for _ in range(120):
        address = "198.51.100.7"
        limit(scope=rates.SIGN_IN_ADDRESS, plan=rates.NO_PLAN, credential=f"console:{address}", address=address)

    refused = Client(REMOTE_ADDR=address).post(LOGIN, {"username": "a", "password": "b"})

    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 10
    assert refused["X-RateLimit-Limit"] == "120"
    assert AccessAttempt.objects.count() == 0  # no password was looked at
    assert Client(REMOTE_ADDR=address).get(LOGIN).status_code == 200
    assert _wrong(1, "203.0.113.9") == [200]


@pytest.mark.django_db
def test_a_name_longer_than_any_user_has_is_refused_like_a_wrong_one() -> None:
    response = Client().post(LOGIN, {"username": "é" * 300, "password": "x"})

    assert response.status_code == 200
    assert "at most 150 characters" in response.content.decode()


def test_each_sign_in_and_each_wrong_password_is_audited_as_far_as_the_locks_let_it(aisha: User) -> None:
    client = Client(REMOTE_ADDR="198.51.100.7")
    _sign_in(client, PASSWORD)
    _wrong(15, "198.51.100.7")
    _wrong(1, "198.51.100.7", name="my secret, in the wrong field")

    signed_in = AuditRecord.objects.get(action="operator.signed_in")
    failed = AuditRecord.objects.filter(action="operator.sign_in_failed").order_by("id")

    where = {"username": "aisha", "address": "198.51.100.7"}
    assert (signed_in.actor, signed_in.subject_type, signed_in.subject_id) == (
        "operator:aisha",
        "operator",
        str(aisha.pk),
    )
    assert signed_in.changes == where
    assert signed_in.request_id
    assert [record.changes for record in failed] == [where | {"locked": False}] * 9 + [where | {"locked": True}]
    assert {record.actor for record in failed} == {"stranger"}
    assert AuditRecord.objects.count() == 11
    assert "secret" not in str(list(AuditRecord.objects.values()))


def test_every_page_of_the_console_is_one_of_ours() -> None:
    """A library's own would let rows be edited or deleted without a record."""
    ours = {"common", "merchants", "payments", "reconciliation", "notifications"}
    strangers = [page for page in site._registry.values() if type(page).__module__.partition(".")[0] not in ours]

    assert strangers == []


def test_what_is_over_of_sign_ins_is_deleted_and_a_lock_is_not(aisha: User) -> None:
    now = timezone.now()
    _sign_in(Client(), PASSWORD)
    _wrong(10, "198.51.100.7")

    reap_sign_ins(now=now)
    assert (Session.objects.count(), AccessLog.objects.count(), AccessAttempt.objects.count()) == (1, 1, 1)

    reap_sign_ins(now=now + timedelta(minutes=16))
    assert (Session.objects.count(), AccessLog.objects.count(), AccessAttempt.objects.count()) == (0, 1, 1)

    reap_sign_ins(now=now + timedelta(days=91))
    assert (AccessLog.objects.count(), AccessAttempt.objects.count()) == (0, 0)
    assert AuditRecord.objects.filter(action__startswith="operator.sign").count() == 11
