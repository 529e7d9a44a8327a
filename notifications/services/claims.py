"""Taking due deliveries and writing down what became of them, in few statements however many there are.

A claim is a name in the row and a lease in `due_at`; it is committed before anything is sent. What was sent is recorded only by the claim that is
still in the row, so a sender that was too slow cannot overwrite its successor. A claim whose sender died lapses and the delivery
is sent again, under the same event id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db import connection

from notifications.channels.webhook.send import Outcome

_LOCK = 0x77686F6F6B  # any constant: names the sender's advisory lock


def lease_end(now: datetime) -> datetime:
    """When a claim that is made now lapses: its sender is dead then."""
    return now + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send."""

    id: str
    endpoint_id: str
    event_id: str
    attempts: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An attempt that was made, and what the delivery becomes: delivered, due again, or (`due_at` None) dead."""

    delivery: Claimed
    at: datetime
    duration_ms: int
    outcome: Outcome
    due_at: datetime | None


@contextmanager
def only_sender() -> Iterator[bool]:
    """Hold the sender's lock for as long as this session lives; False if another has it. It makes the cap per endpoint exact."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def anything_due(*, now: datetime) -> bool:
    """Whether a sender would find something."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (
                SELECT FROM webhook_endpoint e
                WHERE EXISTS (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.due_at <= %s)
            )
            """,
            [now],
        )
        return bool(cursor.fetchone()[0])


def bury_undeliverable(*, now: datetime) -> None:
    """Give up what is due at endpoints that are deactivated. Before it is due, an endpoint may come back and get it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE webhook_delivery d SET state = 'DEAD', due_at = NULL, claim = ''
            FROM webhook_endpoint e WHERE e.id = d.endpoint_id AND NOT e.is_active AND d.due_at <= %s
            """,
            [now],
        )


def claim(
    *, name: str, now: datetime, endpoints: int, failing: bool, rows: Mapping[str, int], rows_else: int
) -> list[Claimed]:
    """Take due deliveries, oldest first, of at most `endpoints` endpoints that are (not) failing.

    `rows` says how many to take of an endpoint, `rows_else` of one that is not named there. Several claims may run at once. It costs
    one probe of the index (endpoint, due_at) per endpoint, however long another's queue is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH chosen AS (
                SELECT e.id, coalesce(r.count, %(rows_else)s) AS count
                FROM webhook_endpoint e LEFT JOIN unnest(%(ids)s::text[], %(counts)s::int[]) r (id, count) ON r.id = e.id
                WHERE e.is_active AND (e.failing_since IS NOT NULL) = %(failing)s AND coalesce(r.count, 1) > 0
                    AND EXISTS (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.due_at <= %(now)s)
                ORDER BY (SELECT min(due_at) FROM webhook_delivery d WHERE d.endpoint_id = e.id AND due_at IS NOT NULL)
                LIMIT %(endpoints)s
            ), taken AS (
                SELECT d.id FROM chosen CROSS JOIN LATERAL (
                    SELECT id FROM webhook_delivery
                    WHERE endpoint_id = chosen.id AND due_at <= %(now)s
                    ORDER BY due_at LIMIT chosen.count FOR UPDATE SKIP LOCKED
                ) d
            )
            UPDATE webhook_delivery d SET claim = %(name)s, due_at = %(lease)s
            FROM taken WHERE d.id = taken.id
            RETURNING d.id, d.endpoint_id, d.event_id, d.attempts, d.body
            """,
            {
                "name": name,
                "now": now,
                "lease": lease_end(now),
                "endpoints": endpoints,
                "failing": failing,
                "ids": list(rows),
                "counts": list(rows.values()),
                "rows_else": rows_else,
            },
        )
        return [
            Claimed(pk, endpoint_id, event_id, attempts, bytes(body))
            for pk, endpoint_id, event_id, attempts, body in cursor.fetchall()
        ]


def release(*, name: str, deliveries: Sequence[Claimed], now: datetime) -> None:
    """Give back what was claimed and not sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhook_delivery SET claim = '', due_at = %s WHERE id = ANY(%s) AND claim = %s AND state = 'PENDING'",
            [now, [delivery.id for delivery in deliveries], name],
        )


def record(*, name: str, finished: Sequence[Finished]) -> None:
    """Write the attempts, and move the deliveries that this claim still holds. One statement, and one parameter for all of them."""
    rows = [
        {
            "id": item.delivery.id,
            "at": item.at,
            "status": item.outcome.status,
            "error": item.outcome.error,
            "duration_ms": item.duration_ms,
            "response": item.outcome.excerpt.hex(),
            "blocked": item.outcome.blocked,
            "state": "DELIVERED" if item.outcome.delivered else "PENDING" if item.due_at else "DEAD",
            "due_at": item.due_at,
        }
        for item in finished
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH finished AS (
                SELECT * FROM json_to_recordset(%s) f (
                    id text, at timestamptz, status integer, error text, duration_ms integer, response text, blocked boolean,
                    state text, due_at timestamptz
                )
            ), tried AS (
                INSERT INTO webhook_attempt (delivery_id, at, status, error, duration_ms, response, blocked)
                SELECT id, at, status, error, duration_ms, decode(response, 'hex'), blocked FROM finished
            )
            UPDATE webhook_delivery d
            SET state = f.state, attempts = d.attempts + 1, claim = '', due_at = f.due_at,
                delivered_at = CASE f.state WHEN 'DELIVERED' THEN f.at ELSE d.delivered_at END
            FROM finished f WHERE d.id = f.id AND d.claim = %s
            """,
            [orjson.dumps(rows).decode(), name],
        )
