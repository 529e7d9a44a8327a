"""What merchants should have heard of has a delivery (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from common.events import EVENT_OF_FACT


@check
def published_facts_have_their_deliveries(asked: Asked) -> Found:
    """A published fact has a delivery for every endpoint that listened to its event then and has not changed since."""
    return query(
        examined="webhook_delivery",
        violations="""
            SELECT concat(f.name, ' ', f.id, ' was published without a delivery for ', e.id)
            FROM unnest(%(facts)s::text[], %(events)s::text[]) AS public (fact, event)
            JOIN fact f ON f.name = public.fact AND f.published_at IS NOT NULL
            JOIN webhook_endpoint e ON e.merchant_id = f.merchant_id AND e.live = f.live AND e.is_active
                AND e.updated_at < f.created_at
                AND (cardinality(e.event_types) = 0 OR public.event = ANY (e.event_types))
            WHERE NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.event_id = f.id)""",
        facts=list(EVENT_OF_FACT),
        events=list(EVENT_OF_FACT.values()),
    )
