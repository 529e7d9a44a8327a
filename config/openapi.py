"""The parts of the OpenAPI document that several apps give: the events that merchants' endpoints get."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import process_webhooks


def add_webhooks(result: dict[str, Any], generator: SchemaGenerator, **_other: Any) -> dict[str, Any]:
    """`webhooks` of the document, and their components."""
    from merchants.api.schema_events import MERCHANT_EVENTS, WEBHOOK_HEADERS
    from notifications.api.schemas import WEBHOOK_EVENTS
    from payments.api.v1.schema_events import PAYMENT_EVENTS
    from reconciliation.schema_events import SETTLEMENT_EVENTS

    events = [*PAYMENT_EVENTS, *SETTLEMENT_EVENTS, *WEBHOOK_EVENTS, *MERCHANT_EVENTS]
    result["webhooks"] = process_webhooks(events, generator.registry)
    for methods in result["webhooks"].values():
        methods["post"]["parameters"] = WEBHOOK_HEADERS
    result["components"] = generator.registry.build({})
    return result
