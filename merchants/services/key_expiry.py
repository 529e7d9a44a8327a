"""Telling merchants that a key of theirs is about to stop working: once for each key, two weeks ahead, by name.

A key that was replaced in time (a younger one of the same name works) is nobody's worry.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from common.changes import Actor, Subject, record_change
from common.models import Fact
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.models import ApiKey

log = structlog.get_logger(__name__)

AHEAD = timedelta(days=14)
FACT = "api_key.expiring"
_ACTOR = Actor("system:key_expiry")


def announce_expiring_keys(*, now: datetime) -> int:
    """Write the fact for every key that expires within two weeks and was not announced yet. Returns how many."""
    younger = ApiKey.objects.filter(
        merchant=OuterRef("merchant"),
        live=OuterRef("live"),
        name=OuterRef("name"),
        created_at__gt=OuterRef("created_at"),
        revoked_at=None,
    )
    told = Fact.objects.filter(subject_id=OuterRef("pk"), name=FACT)
    keys = ApiKey.objects.filter(
        ~Exists(younger),
        ~Exists(told),
        revoked_at=None,
        merchant__is_active=True,
        expires_at__gt=now,
        expires_at__lte=now + AHEAD,
    )
    with transaction.atomic():
        # The locked row makes two schedulers take turns; the second one no longer finds the key.
        found = list(keys.select_for_update(of=("self",), skip_locked=True).order_by("expires_at"))
        for key in found:
            _announce(key, now)
        nudge_coalesced("notifications.relay_outbox")
    return len(found)


def _announce(key: ApiKey, now: datetime) -> None:
    rows = Rows()
    record_change(
        rows,
        subject=Subject("api_key", key.pk, 1, key.merchant_id, key.live),
        fact=FACT,
        payload={
            "apiKeyId": key.pk,
            "name": key.name,
            "prefix": key.prefix,
            "expiresAt": key.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        changes={},
        actor=_ACTOR,
        now=now,
    )
    rows.write()
    log.warning(FACT, api_key=key.pk, name=key.name, prefix=key.prefix, merchant=key.merchant_id)
