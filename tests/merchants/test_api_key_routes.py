"""API keys through the door: made, listed, rotated and revoked by the merchant itself, never beyond the caller's own rights."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.changes import Actor
from common.events import EVENT_OF_FACT, render_body
from common.models import AuditRecord, Fact
from merchants.models import ApiKey
from merchants.services.key_expiry import announce_expiring_keys
from merchants.services.users import merchant_user_create
from tests.factories import ApiKeyFactory
from tests.support.api import Api, api_for, content, refusal
from tests.support.race import race

pytestmark = pytest.mark.django_db


def make(api: Api, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = content(api.post("/api-keys", {"name": "shop", "scopes": ["transaction:read"]} | changes))
    return made


def works(api: Api, secret: str) -> bool:
    caller = Api(api.key)
    caller.headers = {"X-API-Key": secret}
    return caller.get("/transactions").status_code == 200


def test_a_new_key_works_and_its_secret_is_shown_once(api: Api) -> None:
    made = make(api, allowedNetworks=["127.0.0.0/8"], expiresInDays=30)

    secret = made.pop("secret")
    kept = ApiKey.objects.get(pk=made["id"])
    assert works(api, secret)
    assert (kept.live, kept.merchant, kept.expires_at - kept.created_at) == (False, api.merchant, timedelta(days=30))
    read = content(api.get(f"/api-keys/{kept.pk}"))
    assert read == made | {"lastUsedAt": read["lastUsedAt"]}
    assert made | {"id": "", "prefix": "", "createdAt": "", "expiresAt": ""} == {
        "id": "",
        "name": "shop",
        "prefix": "",
        "scopes": ["transaction:read"],
        "allowedNetworks": ["127.0.0.0/8"],
        "live": False,
        "status": "ACTIVE",
        "createdAt": "",
        "expiresAt": "",
        "revokedAt": None,
        "lastUsedAt": None,
    }
    assert secret not in api.get("/api-keys").content.decode()


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "transaction:read"}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": [1]}, "scopes"),
        ({"allowedNetworks": ["anywhere"]}, "allowedNetworks"),
        ({"expiresInDays": 367}, "expiresInDays"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 1.5}, "expiresInDays"),
        ({"live": True}, "live"),
    ],
)
def test_a_key_that_cannot_be_is_refused(api: Api, changes: dict[str, Any], field: str) -> None:
    body = {"name": "shop", "scopes": ["transaction:read"]} | changes

    error = refusal(api.post("/api-keys", body), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == [field]
    assert (ApiKey.objects.count(), AuditRecord.objects.count()) == (1, 0)


def test_nobody_gives_rights_they_do_not_have(api: Api) -> None:
    manager = api_for(api.merchant, scopes=["api_key:manage", "transaction:read"])

    create = refusal(manager.post("/api-keys", {"name": "x", "scopes": ["refund:create"]}), 403, "FORBIDDEN")
    rotate = refusal(manager.post(f"/api-keys/{api.key.pk}/rotate", {}), 403, "FORBIDDEN")

    assert create["details"] == {"missingScopes": ["refund:create"]}
    assert "refund:create" in rotate["details"]["missingScopes"]
    api.key.refresh_from_db()
    assert api.key.expires_at > timezone.now() + timedelta(days=80)
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("networks", [None, [], ["126.0.0.0/7"], ["127.0.0.0/8", "203.0.113.0/24"], ["::1"]])
def test_nobody_gives_networks_they_do_not_have(api: Api, networks: list[str] | None) -> None:
    manager = api_for(api.merchant, scopes=["api_key:manage", "transaction:read"], allowed_networks=["127.0.0.0/8"])
    body = {"name": "x", "scopes": ["transaction:read"], "allowedNetworks": networks}
    wide = make(api)

    create = refusal(manager.post("/api-keys", body), 403, "FORBIDDEN")
    rotate = refusal(manager.post(f"/api-keys/{wide['id']}/rotate", {}), 403, "FORBIDDEN")

    assert create["details"] == rotate["details"] == {"allowedNetworks": ["127.0.0.0/8"]}
    assert ApiKey.objects.count() == 3
    assert works(api, make(manager, allowedNetworks=["127.0.0.0/16"])["secret"])
    assert json.loads(manager.call("POST", f"/api-keys/{manager.key.pk}/rotate").content)["allowedNetworks"] == [
        "127.0.0.0/8"
    ]


def test_a_key_is_renewed_by_itself(api: Api) -> None:
    """Within its networks: who has it elsewhere can use neither it nor its successor."""
    week = api_for(api.merchant, expires_at=timezone.now() + timedelta(days=7), allowed_networks=["127.0.0.0/8"])

    made = json.loads(week.call("POST", f"/api-keys/{week.key.pk}/rotate").content)

    key = ApiKey.objects.get(pk=made["id"])
    assert key.expires_at - key.created_at == timedelta(days=90)
    assert key.allowed_networks == ["127.0.0.0/8"]


def test_a_revoked_key_makes_none_in_the_seconds_in_which_a_process_still_knows_it(api: Api) -> None:
    assert api.get("/api-keys").status_code == 200  # from now on it is known here
    ApiKey.objects.filter(pk=api.key.pk).update(revoked_at=timezone.now())  # as another process does

    refusal(api.post("/api-keys", {"name": "x", "scopes": ["transaction:read"]}), 401, "UNAUTHORIZED")

    assert ApiKey.objects.count() == 1


def test_who_signed_in_gives_another_ninety_days(api: Api) -> None:
    merchant_user_create(
        merchant_id=api.merchant.pk,
        username="mei",
        password="a-long-enough-password",
        live=False,
        scopes=api.key.scopes,
        actor=Actor("operator:aisha", "req_1"),
        now=timezone.now(),
    )
    ApiKey.objects.filter(pk=api.key.pk).update(expires_at=timezone.now() + timedelta(days=7))
    token = content(api.post("/auth/login", {"username": "mei", "password": "a-long-enough-password"}))["access_token"]
    mei = Api(api.key)
    mei.headers = {"Authorization": f"Bearer {token}"}

    new = json.loads(mei.call("POST", f"/api-keys/{api.key.pk}/rotate").content)

    kept = ApiKey.objects.get(pk=new["id"])
    assert kept.expires_at - kept.created_at == timedelta(days=90)


def test_rotation_overlaps_and_revocation_ends(api: Api) -> None:
    old = make(api)

    new = json.loads(api.call("POST", f"/api-keys/{old['id']}/rotate").content)

    assert (works(api, old["secret"]), works(api, new["secret"])) == (True, True)
    assert new["scopes"] == old["scopes"]
    kept = ApiKey.objects.get(pk=old["id"])
    assert timedelta(days=6, hours=23) < kept.expires_at - timezone.now() <= timedelta(days=7)
    for _ in range(2):
        assert content(api.post(f"/api-keys/{old['id']}/revoke", b""))["status"] == "REVOKED"
    assert (works(api, old["secret"]), works(api, new["secret"])) == (False, True)
    refusal(api.post(f"/api-keys/{old['id']}/rotate", {}), 409, "INVALID_STATE")


def test_an_overlap_of_none_ends_the_old_key_at_once(api: Api) -> None:
    old = make(api)

    api.post(f"/api-keys/{old['id']}/rotate", {"overlapDays": 0})

    assert not works(api, old["secret"])


def test_the_list_is_of_ones_own_mode(api: Api) -> None:
    live = api_for(api.merchant, live=True)
    stranger = api_for()

    listed = {row["id"] for row in content(api.get("/api-keys"))["data"]}

    assert listed == {api.key.pk}
    assert live.key.pk not in listed | {stranger.key.pk}


@pytest.mark.django_db(transaction=True)
def test_sixteen_rotations_at_once_make_sixteen_successors_and_the_old_key_ends_once(api: Api) -> None:
    old = make(api)

    answers = race(16, lambda number: api.post(f"/api-keys/{old['id']}/rotate", {"overlapDays": 1}).status_code)

    assert answers == [201] * 16
    assert ApiKey.objects.filter(name="shop").count() == 17
    assert ApiKey.objects.get(pk=old["id"]).expires_at <= timezone.now() + timedelta(days=1)


def test_a_key_about_to_expire_is_announced_once_by_name() -> None:
    now = timezone.now()
    soon = ApiKeyFactory(name="soon", expires_at=now + timedelta(days=13))
    ApiKeyFactory(name="later", expires_at=now + timedelta(days=15))
    ApiKeyFactory(name="gone", expires_at=now - timedelta(days=1))
    ApiKeyFactory(name="revoked", expires_at=now + timedelta(days=1), revoked_at=now)
    ApiKeyFactory(merchant=soon.merchant, name="replaced", expires_at=now + timedelta(days=1), created_at=now)
    ApiKeyFactory(merchant=soon.merchant, name="replaced", created_at=now + timedelta(seconds=1))

    told = [announce_expiring_keys(now=now) for _ in range(2)]

    assert told == [1, 0]
    fact = Fact.objects.get()
    assert (fact.name, fact.subject_id, fact.merchant_id, fact.live) == (
        "api_key.expiring",
        soon.pk,
        soon.merchant_id,
        False,
    )
    assert (fact.payload["name"], fact.payload["prefix"]) == ("soon", soon.prefix)
    assert EVENT_OF_FACT[fact.name] == "api_key.expiring"
    assert render_body(
        event_id=fact.pk, event_type=fact.name, created_at=now, sequence=1, data=fact.payload
    )  # merchants can be told
