"""The relay: facts become deliveries, each fact once for each endpoint that wants it.

A fact is unpublished until `published_at` says otherwise. There is no cursor, because a lower id can commit after a higher one. A batch is
locked with SKIP LOCKED, so any number of relays share the work, and its deliveries and its marks are one transaction: a relay that
dies leaves both or neither. A fact that cannot be rendered is set aside loudly, so that it never stands in the way of others.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from django.db import connection, transaction

from common.audit import record_action
from common.changes import Actor
from common.crashpoints import crashpoint
from common.events import EVENT_OF_FACT, render_body
from common.ids import new_id
from common.queue import nudge_coalesced
from notifications.live.nudges import nudge_streams
from notifications.models import WebhookEndpoint

log = structlog.get_logger(__name__)

BATCH = 500
_RELAY = Actor("system:relay")

# Tenant and mode of an endpoint, and the endpoints there with the event types each wants (none: all).
Listeners = Mapping[tuple[str, bool], list[tuple[str, frozenset[str]]]]


def relay_outbox(*, now: datetime, limit: int = BATCH) -> int:
    """Dispatch facts, `limit` in a transaction, until none is left. Returns how many."""
    total = 0
    while taken := _relay_batch(now=now, limit=limit):
        total += taken
    return total


def _relay_batch(*, now: datetime, limit: int) -> int:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_TAKE, [limit])
        facts = [_Unpublished(*row) for row in cursor.fetchall()]
        if not facts:
            return 0
        deliveries = _deliveries(facts, _listeners(facts), now)
        if deliveries:
            cursor.execute(_DELIVER, [now, now, orjson.dumps(deliveries).decode()])
            nudge_coalesced("notifications.deliver_due")
        cursor.execute("UPDATE fact SET published_at = %s WHERE id = ANY(%s)", [now, [fact.id for fact in facts]])
        crashpoint("relay.dispatched")
    crashpoint("relay.committed")
    nudge_streams({fact.subject_id for fact in facts if fact.name in EVENT_OF_FACT})
    return len(facts)


class _Unpublished(NamedTuple):
    """A fact as the relay reads it: by its own SQL, because a model's row and its payload as objects cost more than all the rest."""

    id: str
    name: str
    subject_type: str
    subject_id: str
    sequence: int
    merchant_id: str
    live: bool
    payload: str  # JSON
    created_at: datetime


_TAKE = """
SELECT id, name, subject_type, subject_id, sequence, merchant_id, live, payload::text, created_at
FROM fact WHERE published_at IS NULL ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""

# One statement and one parameter for the whole batch.
_DELIVER = """
INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, transaction_id, sequence, body, state, attempts, due_at, claim, created_at)
SELECT d.id, d.endpoint_id, d.event_id, d.event_type, d.transaction_id, d.sequence, convert_to(d.body, 'UTF8'), 'PENDING', 0, %s, '', %s
FROM json_to_recordset(%s) d (id text, endpoint_id text, event_id text, event_type text, transaction_id text, sequence integer, body text)
ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""


def _listeners(facts: Iterable[_Unpublished]) -> Listeners:
    found: dict[tuple[str, bool], list[tuple[str, frozenset[str]]]] = defaultdict(list)
    merchants = {fact.merchant_id for fact in facts if fact.name in EVENT_OF_FACT}
    if merchants:
        rows = WebhookEndpoint.objects.filter(merchant_id__in=merchants, is_active=True).order_by("id")
        for pk, merchant_id, live, event_types in rows.values_list("id", "merchant_id", "live", "event_types"):
            found[merchant_id, live].append((pk, frozenset(event_types)))
    return found


def _deliveries(facts: Iterable[_Unpublished], listeners: Listeners, now: datetime) -> list[dict[str, Any]]:
    """A row, as _DELIVER takes it, for every fact and every endpoint that wants it."""
    rows: list[dict[str, Any]] = []
    for fact in facts:
        event_type = EVENT_OF_FACT.get(fact.name)
        wanting = [
            endpoint_id
            for endpoint_id, event_types in listeners.get((fact.merchant_id, fact.live), ())
            if event_type and (not event_types or event_type in event_types)
        ]
        if not event_type or not wanting:
            continue
        try:
            body = render_body(
                event_id=fact.id,
                event_type=event_type,
                created_at=fact.created_at,
                sequence=fact.sequence,
                data=json.loads(fact.payload),  # not by orjson, which reads a number that is too large as another one
            )
        except (TypeError, ValueError, AttributeError):
            _set_aside(fact, now)
            continue
        row = {
            "event_id": fact.id,
            "event_type": event_type,
            "transaction_id": fact.subject_id if fact.subject_type == "transaction" else "",
            "sequence": fact.sequence,
            "body": body.decode(),
        }
        rows += [{"id": new_id("whd"), "endpoint_id": endpoint_id, **row} for endpoint_id in wanting]
    return rows


def _set_aside(fact: _Unpublished, now: datetime) -> None:
    log.exception("relay.fact_unrenderable", fact=fact.id)
    record_action(
        actor=_RELAY,
        action="webhook.unrenderable",
        subject_type="fact",
        subject_id=fact.id,
        merchant_id=fact.merchant_id,
        reason="The payload could not be rendered; no merchant was told.",
        now=now,
    )
