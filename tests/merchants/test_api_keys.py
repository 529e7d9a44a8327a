from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound
from common.models import AuditRecord
from merchants.credentials import known_key
from merchants.models import ApiKey
from merchants.services.api_keys import api_key_create, api_key_revoke, api_key_rotate
from tests.factories import MerchantFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor("operator:aisha", "req_1")
NOW = timezone.now()


def make(**changes: Any) -> tuple[ApiKey, str]:
    values: dict[str, Any] = {
        "merchant_id": MerchantFactory().pk,
        "live": True,
        "name": "server",
        "scopes": ["transaction:read", "refund:create"],
        "actor": ACTOR,
        "now": NOW,
    }
    return api_key_create(**values | changes)


def test_a_new_key_is_shown_once_and_kept_as_a_hash() -> None:
    key, secret = make(allowed_networks=["203.0.113.0/24", "2001:db8::1"])

    assert re.fullmatch(r"cfk_live_[A-Za-z0-9_-]{43}", secret)
    kept = ApiKey.objects.get()
    assert bytes(kept.secret_hash) == hashlib.sha256(secret.encode()).digest()
    assert (kept.prefix, kept.live, kept.expires_at) == (secret[:16], True, NOW + timedelta(days=90))
    assert kept.allowed_networks == ["203.0.113.0/24", "2001:db8::1/128"]
    row = str(list(ApiKey.objects.values_list())) + str(list(AuditRecord.objects.values_list()))
    assert secret not in row
    assert secret[16:] not in row
    assert list(AuditRecord.objects.values_list("action", "subject_id", "actor")) == [
        ("api_key.created", key.pk, "operator:aisha")
    ]


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["transaction:read", "everything"]}, "scopes"),
        ({"allowed_networks": ["203.0.113.9/24"]}, "allowedNetworks"),
        ({"allowed_networks": ["anywhere"]}, "allowedNetworks"),
        ({"lifetime": timedelta(days=400)}, "expiresAt"),
        ({"lifetime": timedelta()}, "expiresAt"),
    ],
)
def test_a_key_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make(**changes)

    assert list(refused.value.details["fields"]) == [field]
    assert (ApiKey.objects.count(), AuditRecord.objects.count()) == (0, 0)


def test_rotation_overlaps() -> None:
    old, old_secret = make()

    new, new_secret = api_key_rotate(key_id=old.pk, actor=ACTOR, now=NOW, overlap=timedelta(days=2))

    assert new_secret != old_secret
    assert (new.scopes, new.live, new.name, new.merchant_id) == (old.scopes, True, "server", old.merchant_id)
    for secret in (old_secret, new_secret):
        known = known_key(secret, now=NOW)
        assert known is not None
        assert known.admits("203.0.113.1", now=NOW + timedelta(days=2, seconds=-1))
    overlapping = known_key(old_secret, now=NOW)
    assert overlapping is not None
    assert not overlapping.admits("203.0.113.1", now=NOW + timedelta(days=2))


def test_rotation_never_makes_the_old_key_live_longer() -> None:
    old, _ = make(lifetime=timedelta(hours=1))

    api_key_rotate(key_id=old.pk, actor=ACTOR, now=NOW)

    old.refresh_from_db()
    assert old.expires_at == NOW + timedelta(hours=1)


def test_a_revoked_key_stops_at_once_and_stays_so() -> None:
    key, secret = make()
    assert known_key(secret, now=NOW) is not None

    for _ in range(2):
        api_key_revoke(key_id=key.pk, actor=ACTOR, now=NOW)

    assert known_key(secret, now=NOW) is None
    assert AuditRecord.objects.filter(action="api_key.revoked").count() == 1
    with pytest.raises(InvalidState):
        api_key_rotate(key_id=key.pk, actor=ACTOR, now=NOW)


def test_another_merchants_key_does_not_exist() -> None:
    key, _ = make()

    for act in (api_key_revoke, api_key_rotate):
        with pytest.raises(NotFound):
            act(key_id=key.pk, actor=ACTOR, now=NOW, merchant_id=MerchantFactory().pk)

    key.refresh_from_db()
    assert key.revoked_at is None
    assert ApiKey.objects.count() == 1
