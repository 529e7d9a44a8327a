from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from merchants import credentials
from merchants.models import ApiKey
from tests.factories import ApiKeyFactory, api_key_secret
from tests.support.api import Api, api_for, refusal

OTHER = "cfk_test_" + "A" * 43


def call(**headers: str) -> Any:
    return Client(raise_request_exception=False).get("/api/v1/payment-types", headers=headers)


@pytest.mark.parametrize("form", ["{}", "  {}", "{} "])
def test_a_key_works_in_either_header(api: Api, form: str) -> None:
    secret = api_key_secret(api.key)

    for headers in (
        {"X-API-Key": secret},
        {"Authorization": "Bearer " + form.format(secret)},
        {"Authorization": f"bearer {secret}"},
        {"X-API-Key": secret, "Authorization": f"Bearer {secret}"},
    ):
        assert call(**headers).status_code == 200


def malformed(secret: str) -> list[dict[str, str]]:
    return [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": OTHER},
        {"X-API-Key": secret[:-1]},
        {"X-API-Key": secret + "A"},
        {"X-API-Key": secret.upper()},
        {"X-API-Key": f"{secret}, {secret}"},
        {"X-API-Key": secret + "\n"},
        {"X-API-Key": "ключ"},
        {"X-API-Key": "cfk_test_" + "é" * 43},
        {"X-API-Key": "x" * 7000},
        {"X-API-Key": "cfk_test_" + "\0" * 43},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": secret},
        {"Authorization": f"Basic {secret}"},
        {"Authorization": f"Bearer {secret} {secret}"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer " + "x" * 7000},
        {"X-API-Key": secret, "Authorization": f"Bearer {OTHER}"},
        {"X-API-Key": OTHER, "Authorization": f"Bearer {secret}"},
        {"X-API-Key": secret, "Authorization": "Basic dTpw"},
        {"X-API-Key": "", "Authorization": f"Bearer {secret}"},
    ]


@pytest.mark.parametrize("number", range(24))
def test_every_malformation_gets_the_same_401(api: Api, number: int) -> None:
    expected = refusal(call(), 401, "UNAUTHORIZED")

    response = call(**malformed(api_key_secret(api.key))[number])

    error = refusal(response, 401, "UNAUTHORIZED")
    assert response["WWW-Authenticate"] == 'Bearer realm="counterfoil"'
    assert (error["message"], error["details"]) == (expected["message"], expected["details"])


@pytest.mark.parametrize(
    "key",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
        {"merchant__is_active": False},
        {"allowed_networks": ["203.0.113.0/24"]},
        {"allowed_networks": ["2001:db8::/32"]},
    ],
    ids=lambda key: next(iter(key)),
)
@pytest.mark.django_db
def test_a_key_that_no_longer_works_gets_the_same_401(key: dict[str, Any]) -> None:
    secret = api_key_secret(ApiKeyFactory(**key))

    assert (
        refusal(call(**{"X-API-Key": secret}), 401, "UNAUTHORIZED")["message"]
        == refusal(call(), 401, "UNAUTHORIZED")["message"]
    )


@pytest.mark.parametrize(
    "networks, proxies, forwarded, status",
    [
        (["127.0.0.0/8"], 0, "", 200),
        (["203.0.113.7"], 0, "203.0.113.7", 401),  # nobody we know wrote that header
        (["203.0.113.0/24"], 1, "203.0.113.7", 200),
        (["203.0.113.0/24"], 1, "203.0.113.7, 198.51.100.1", 401),  # the client wrote the left one itself
        (["203.0.113.0/24"], 2, "198.51.100.1, 203.0.113.7, 10.0.0.1", 200),
        (["203.0.113.0/24"], 2, "203.0.113.7", 401),
        (["127.0.0.1/32"], 1, "nonsense", 200),
    ],
)
def test_an_allowlist_sees_the_address_our_proxies_saw(
    db: None, settings: Settings, networks: list[str], proxies: int, forwarded: str, status: int
) -> None:
    settings.TRUSTED_PROXIES = proxies
    secret = api_key_secret(ApiKeyFactory(allowed_networks=networks))

    response = call(**{"X-API-Key": secret} | ({"X-Forwarded-For": forwarded} if forwarded else {}))

    assert response.status_code == status


def test_a_header_without_a_hyphen_cannot_be_written_over_by_another_name(db: None, settings: Settings) -> None:
    """A server hands "X_Forwarded_For" and "X-Forwarded-For" over as one; where a proxy lets the first pass, the client writes the second."""
    settings.TRUSTED_PROXIES = 1
    settings.TRUSTED_ADDRESS_HEADER = "Clientaddress"
    secret = api_key_secret(ApiKeyFactory(allowed_networks=["203.0.113.0/24"]))

    forged = call(**{"X-API-Key": secret, "X-Forwarded-For": "203.0.113.7", "Clientaddress": "198.51.100.1"})
    true = call(**{"X-API-Key": secret, "X-Forwarded-For": "198.51.100.1", "Clientaddress": "203.0.113.7"})

    assert (forged.status_code, true.status_code) == (401, 200)


def test_a_known_key_costs_no_query_and_a_revoked_one_ends_within_seconds(
    api: Api, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.get("/payment-types").status_code == 200
    ApiKey.objects.update(revoked_at=timezone.now())  # by another process

    with django_assert_num_queries(2):  # the banks and the accounts that the route itself looks at
        assert api.get("/payment-types").status_code == 200
    started = credentials.time.monotonic()
    monkeypatch.setattr(credentials.time, "monotonic", lambda: started + credentials.KEPT_SECONDS + 0.001)

    assert api.get("/payment-types").status_code == 401
    assert credentials.KEPT_SECONDS <= 5


def test_the_cache_of_unknown_keys_is_bounded(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "KEPT_KEYS", 3)

    for number in range(10):
        assert credentials.known_key(f"unknown{number}", now=timezone.now()) is None

    assert len(credentials._keys._found) == 3


def test_last_used_is_written_once_a_minute(api: Api) -> None:
    now = timezone.now()

    for seconds, expected in ((0, 0), (30, 0), (61, 61), (62, 61)):
        credentials.forget_keys()
        credentials.known_key(api_key_secret(api.key), now=now + timedelta(seconds=seconds))
        api.key.refresh_from_db()
        assert api.key.last_used_at == now + timedelta(seconds=expected)


def test_mode_and_merchant_come_from_the_key_alone(db: None) -> None:
    live, test = api_for(live=True), api_for(live=False)

    response = test.get("/transactions?live=true")
    assert refusal(response, 400, "INVALID_REQUEST")["details"]["fields"] == {"live": ["There is no such filter."]}
    assert json.loads(live.get("/transactions").content) == {"data": [], "nextCursor": None}
