"""Signing in, refreshing and signing out; and every token that is not ours is a 401."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from common.changes import Actor
from common.models import AuditRecord
from merchants.credentials import forget_sessions
from merchants.models import MerchantSession, MerchantUser, RefreshToken
from merchants.services.sessions import LIFETIME, reap_sessions, sign_in
from merchants.services.users import merchant_user_create
from merchants.tokens import _ring, sign_access_token
from tests.factories import MerchantFactory
from tests.factories.merchants import rsa_pair
from tests.support.api import content, refusal
from tests.support.race import race

pytestmark = pytest.mark.django_db

PASSWORD = "a horse of another colour"
SCOPES = ["account:read", "transaction:create", "transaction:read"]


@dataclass
class Here:
    """Where and as whom a test signs in: its own, because what others did counts in the same minute."""

    address: str = "203.0.113.1"
    name: str = ""


HERE = Here()


@pytest.fixture
def user(db: None) -> MerchantUser:
    HERE.address = f"2001:db8::{secrets.randbits(16):x}:{secrets.randbits(16):x}"
    HERE.name = f"nurul-{secrets.token_hex(4)}"
    return merchant_user_create(
        merchant_id=MerchantFactory().pk,
        username=HERE.name,
        password=PASSWORD,
        live=False,
        scopes=SCOPES,
        actor=Actor("operator:aisha"),
        now=timezone.now(),
    )


def post(path: str, body: Any, **headers: str) -> Any:
    client = Client(raise_request_exception=False, REMOTE_ADDR=HERE.address)
    return client.post(f"/api/v1/auth/{path}", json.dumps(body), content_type="application/json", headers=headers)


def login(**changes: str) -> Any:
    return post("login", {"username": HERE.name, "password": PASSWORD} | changes)


def call(token: str, path: str = "/transactions") -> Any:
    client = Client(raise_request_exception=False)
    return client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


def refresh(token: str) -> Any:
    return post("refresh", {"refresh_token": token})


def test_signing_in_answers_as_documented_and_the_token_works(user: MerchantUser) -> None:
    answer = content(login())

    access, token = answer.pop("access_token"), answer.pop("refresh_token")
    assert answer == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "account:read transaction:create transaction:read",
    }
    assert call(access).status_code == 200
    assert refusal(call(access, "/webhook-endpoints"), 403, "FORBIDDEN")
    assert jwt.get_unverified_header(access) == {"alg": "HS256", "kid": "test1", "typ": "JWT"}
    kept = str(list(RefreshToken.objects.values_list())) + str(list(MerchantUser.objects.values_list()))
    assert token not in kept
    assert PASSWORD not in kept
    assert (
        AuditRecord.objects.filter(action="session.opened").get().actor
        == f"merchant:{user.merchant.code}/{user.username}"
    )


@pytest.mark.parametrize(
    "changes", [{"username": "nobody"}, {"password": "wrong"}, {"password": PASSWORD + " "}, {"username": "nurul"}]
)
def test_whatever_is_wrong_the_answer_is_one(user: MerchantUser, changes: dict[str, str]) -> None:
    error = refusal(login(**changes), 401, "UNAUTHORIZED")

    assert (error["message"], error["details"]) == ("The user name or the password is not right.", {})
    assert not MerchantSession.objects.exists()


def test_the_wrong_name_costs_as_much_hashing_as_the_wrong_password(
    user: MerchantUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda self, *a: hashed.append(1) or encode(self, *a))
    login(username="nobody")  # makes the hash that is nobody's
    per_try = []
    for changes in ({"username": "nobody"}, {"password": "wrong"}):
        hashed.clear()
        login(**changes)
        per_try.append(len(hashed))

    assert per_try[0] == per_try[1] > 0


@pytest.mark.parametrize("closed", ["user", "merchant"])
def test_who_may_no_longer_is_nobody(user: MerchantUser, closed: str) -> None:
    access = content(login())["access_token"]
    row = user if closed == "user" else user.merchant
    row.is_active = False
    row.save()
    forget_sessions()

    refusal(login(), 401, "UNAUTHORIZED")
    refusal(call(access), 401, "UNAUTHORIZED")


def test_ten_wrong_passwords_lock_for_half_an_hour(user: MerchantUser) -> None:
    for _ in range(10):
        refusal(login(password="wrong"), 401, "UNAUTHORIZED")

    refusal(login(), 401, "UNAUTHORIZED")
    user.refresh_from_db()
    assert timedelta(minutes=29) < user.locked_until - timezone.now() <= timedelta(minutes=30)
    assert AuditRecord.objects.filter(action="merchant_user.locked").count() == 1
    later = timezone.now() + timedelta(minutes=31)
    assert sign_in(username=user.username, password=PASSWORD, request_id="", now=later)


def test_nine_wrong_passwords_are_forgiven_by_a_right_one(user: MerchantUser) -> None:
    for _ in range(2):
        for _ in range(9):
            login(password="wrong")
        assert login().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_counted_one_by_one(user: MerchantUser) -> None:
    race(16, lambda number: login(password="wrong").status_code)

    user.refresh_from_db()
    assert user.locked_until is not None
    assert AuditRecord.objects.filter(action="merchant_user.locked").count() == 1
    refusal(login(), 401, "UNAUTHORIZED")


def test_sign_ins_are_limited_by_name_and_address(user: MerchantUser) -> None:
    statuses = [login(username=f"{HERE.name}x").status_code for _ in range(31)]

    assert statuses == [401] * 30 + [429]
    assert login().status_code == 200
    assert [post("refresh", {"refresh_token": "x"}).status_code for _ in range(89)][-1] == 429  # 120 in all


def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(user: MerchantUser) -> None:
    first = content(login())

    second = content(refresh(first["refresh_token"]))
    third = content(refresh(second["refresh_token"]))
    refusal(refresh(first["refresh_token"]), 401, "UNAUTHORIZED")

    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    refusal(refresh(third["refresh_token"]), 401, "UNAUTHORIZED")
    session = MerchantSession.objects.get()
    assert session.revoked_reason == "token_reused"
    forget_sessions()
    refusal(call(third["access_token"]), 401, "UNAUTHORIZED")
    assert AuditRecord.objects.filter(action="session.token_reused").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeat", range(3))
def test_sixteen_with_one_token_get_one_successor_at_most_and_the_session_ends(user: MerchantUser, repeat: int) -> None:
    token = content(login())["refresh_token"]

    answers = race(16, lambda number: refresh(token))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15
    won = next(content(answer) for answer in answers if answer.status_code == 200)
    refusal(refresh(won["refresh_token"]), 401, "UNAUTHORIZED")
    assert MerchantSession.objects.get().revoked_reason == "token_reused"
    assert RefreshToken.objects.count() == 2


def test_signing_out_ends_the_session_and_only_it(user: MerchantUser) -> None:
    ended, other = content(login()), content(login())
    assert call(ended["access_token"]).status_code == 200

    statuses = [post("logout", {"refresh_token": ended["refresh_token"]}).status_code for _ in range(2)]

    assert [*statuses, post("logout", {"refresh_token": "cfr_unknown"}).status_code] == [204, 204, 204]
    forget_sessions()
    refusal(call(ended["access_token"]), 401, "UNAUTHORIZED")
    refusal(refresh(ended["refresh_token"]), 401, "UNAUTHORIZED")
    assert call(other["access_token"]).status_code == 200


def test_a_session_ends_after_thirty_days_and_is_reaped(user: MerchantUser) -> None:
    old = sign_in(username=user.username, password=PASSWORD, request_id="", now=timezone.now() - LIFETIME)
    sign_in(username=user.username, password=PASSWORD, request_id="", now=timezone.now())

    refusal(refresh(old.refresh), 401, "UNAUTHORIZED")
    assert reap_sessions(now=timezone.now()) == 1
    assert (MerchantSession.objects.count(), RefreshToken.objects.count()) == (1, 1)


def test_a_token_costs_no_query_while_its_session_is_known(
    user: MerchantUser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    access = content(login())["access_token"]
    call(access, "/banks?paymentTypeId=fpx")

    with django_assert_num_queries(1):  # the banks themselves
        assert call(access, "/banks?paymentTypeId=fpx").status_code == 200


# -- tokens that are not ours --------------------------------------------------------------------------------------------


def claims(user: MerchantUser, **changes: Any) -> dict[str, Any]:
    """The claims of a real token of a real session; `changes` replace them, None takes one out."""
    tokens = sign_in(username=user.username, password=PASSWORD, request_id="", now=timezone.now())
    real: dict[str, Any] = jwt.decode(tokens.access, options={"verify_signature": False})
    return {name: value for name, value in (real | changes).items() if value is not None}


def key() -> bytes:
    return _ring(settings.JWT_SIGNING_KEYS)["test1"]


def test_the_real_claims_signed_again_are_good(user: MerchantUser) -> None:
    token = jwt.encode(claims(user), key(), algorithm="HS256", headers={"kid": "test1"})

    assert call(token).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-api"},
        {"aud": None},
        {"iss": "somebody"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": 33_000_000_000},
        {"iat": None},
        {"type": "refresh"},
        {"type": None},
        {"sid": "ses_unknown"},
        {"sid": None},
        {"sub": None},
        {"jti": None},
    ],
)
def test_a_claim_that_is_wrong_or_missing_is_refused(user: MerchantUser, changes: dict[str, Any]) -> None:
    token = jwt.encode(claims(user, **changes), key(), algorithm="HS256", headers={"kid": "test1"})

    refusal(call(token), 401, "UNAUTHORIZED")


def test_an_expired_token_is_refused(user: MerchantUser) -> None:
    session_id = claims(user)["sid"]

    def made(ago: timedelta) -> str:
        return sign_access_token(user_id=user.pk, session_id=session_id, scopes=SCOPES, now=timezone.now() - ago)

    assert call(made(timedelta(minutes=59))).status_code == 200
    refusal(call(made(timedelta(minutes=60, seconds=1))), 401, "UNAUTHORIZED")


def test_algorithms_that_are_not_ours_are_refused(user: MerchantUser) -> None:
    payload = claims(user)
    private, public = rsa_pair("ours")

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    none = [part({"alg": alg, "typ": "JWT", "kid": "test1"}) + "." + part(payload) for alg in ("none", "None", "HS256")]
    forged = [
        *(f"{token}." for token in none),
        *(f"{token}.{'A' * 43}" for token in none),
        jwt.encode(payload, private, algorithm="RS256", headers={"kid": "test1"}),
        jwt.encode(payload, key(), algorithm="HS512", headers={"kid": "test1"}),
        jwt.encode(payload, b"0" * 32, algorithm="HS256", headers={"kid": "test1"}),
        jwt.encode(payload, key(), algorithm="HS256", headers={"kid": "other"}),
        jwt.encode(payload, key(), algorithm="HS256", headers={"kid": "../../dev/null"}),
        jwt.encode(payload, key(), algorithm="HS256"),
        jwt.encode(payload, public.replace("-", "").encode(), algorithm="HS256", headers={"kid": "test1"}),
    ]

    for token in forged:
        refusal(call(token), 401, "UNAUTHORIZED")


def test_no_character_of_a_token_can_be_changed(user: MerchantUser) -> None:
    access = content(login())["access_token"]
    header, payload, signature = access.split(".")
    places = [0, 5, len(header) - 1, len(header) + 1, len(header) + len(payload), len(access) - 20, len(access) - 1]
    mutated = [
        access[:place] + other + access[place + 1 :]
        for place in places
        for other in ("A", "B", "_", "=", " ")
        if access[place] != other
    ]
    swapped = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"HS256","kid":"test1"}').decode().rstrip("=")

    for token in [*mutated, f"{swapped}.{payload}.{signature}", access + "A", access[:-1], f"{access}.x"]:
        refusal(call(token), 401, "UNAUTHORIZED")
