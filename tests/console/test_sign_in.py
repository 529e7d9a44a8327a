"""Signing in: locked after ten wrong passwords, gone after fifteen idle minutes, and never sent elsewhere."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from common.models import AuditRecord
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


@pytest.mark.django_db
def test_a_name_longer_than_any_user_has_is_refused_like_a_wrong_one() -> None:
    response = Client().post(LOGIN, {"username": "é" * 300, "password": "x"})

    assert response.status_code == 200
    assert "at most 150 characters" in response.content.decode()
