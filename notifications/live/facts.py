"""Reading facts for streams: one statement for any number of transactions."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from django.db import close_old_connections

from common.events import EVENT_OF_FACT, render_body
from common.models import Fact
from notifications.live.stream import Event

log = structlog.get_logger(__name__)

PAGE = 100  # facts of a transaction at a time
_AFTER = """
SELECT f.*
FROM unnest(%s::text[], %s::int[]) AS watched (id, seen)
CROSS JOIN LATERAL (
    SELECT id, name, subject_id, sequence, payload, created_at
    FROM fact
    WHERE subject_id = watched.id AND sequence > watched.seen AND name = ANY(%s)
    ORDER BY sequence
    LIMIT %s
) AS f
ORDER BY f.subject_id, f.sequence
"""


def events_after(seen: Mapping[str, int]) -> Mapping[str, list[Event]]:
    """The next public events of each transaction after the sequence that was seen, in order, without gaps; at most a page each.

    Facts of one transaction commit in the order of their sequence (each is written under the version that the last one left), so
    nothing that is behind a cursor can still appear.
    """
    close_old_connections()  # a connection that broke is replaced
    found: dict[str, list[Event]] = {}
    for fact in Fact.objects.raw(_AFTER, [list(seen), list(seen.values()), list(EVENT_OF_FACT), PAGE]):
        found.setdefault(fact.subject_id, []).append((fact.sequence, _frame(fact)))
    return found


def is_known(transaction_id: str, *, merchant_id: str, live: bool) -> bool:
    """Whether the merchant has this transaction, in this mode. Its creation is its first fact."""
    owned = Fact.objects.filter(subject_type="transaction", merchant_id=merchant_id, live=live)
    return owned.filter(subject_id=transaction_id).exists()


def _frame(fact: Fact) -> bytes:
    """The event as Server-Sent Events write it; a body has no line breaks. Nothing for a fact that cannot be rendered."""
    event_type = EVENT_OF_FACT[fact.name]
    try:
        body = render_body(
            event_id=fact.pk,
            event_type=event_type,
            created_at=fact.created_at,
            sequence=fact.sequence,
            data=fact.payload,
        )
    except (TypeError, ValueError, AttributeError):
        log.exception("live.fact_unrenderable", fact=fact.pk)
        return b""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (fact.sequence, event_type.encode(), body)
