"""A session ends ten hours after signing in, however busy it was, and signing in again begins another."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from common.console.session_end import SIGNED_IN_AT
from tests.console.conftest import PASSWORD

LOGIN = "/admin/login/"


@pytest.fixture
def client(db: None) -> Client:
    User.objects.create_user("aisha", password=PASSWORD, is_staff=True, is_superuser=True)
    signed_in = Client()
    _sign_in(signed_in)
    return signed_in


def _sign_in(client: Client) -> None:
    assert client.post(LOGIN, {"username": "aisha", "password": PASSWORD})["Location"] == "/admin/"


def _age(client: Client, seconds: float) -> None:
    session = client.session
    session[SIGNED_IN_AT] -= seconds
    session.save()


def test_ten_hours_after_signing_in_one_signs_in_again(client: Client) -> None:
    limit = settings.CONSOLE_SESSION_SECONDS
    _age(client, limit - 60)
    assert client.get("/admin/").status_code == 200

    _age(client, 61)
    answers = [client.get("/admin/"), client.post("/admin/"), client.get("/admin/search/?s=x")]

    assert limit == 10 * 3600
    assert [answer["Location"].split("?")[0] for answer in answers] == [LOGIN] * 3
    assert "_auth_user_id" not in client.session
    _sign_in(client)
    assert client.get("/admin/").status_code == 200


def test_a_session_that_does_not_say_when_it_began_is_over(client: Client) -> None:
    session = client.session
    del session[SIGNED_IN_AT]
    session.save()

    assert client.get("/admin/")["Location"].startswith(LOGIN)


def test_who_signs_in_within_a_session_begins_anew(client: Client) -> None:
    _age(client, 9.5 * 3600)
    _sign_in(client)
    _age(client, 9.5 * 3600)

    assert client.get("/admin/").status_code == 200
