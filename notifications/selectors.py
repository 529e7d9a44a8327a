"""Reading endpoints and deliveries, always within one merchant and mode. What is another's does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from common.errors import NotFound
from notifications.models import WebhookDelivery, WebhookEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are asked for; None does not filter. Times are of dispatch, [from, to)."""

    endpoint_id: str | None = None
    event_type: str | None = None
    state: str | None = None
    transaction_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def endpoints_of(*, merchant_id: str, live: bool) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(merchant_id=merchant_id, live=live)


def find_endpoint(*, merchant_id: str, live: bool, endpoint_id: str) -> WebhookEndpoint:
    """Raises NotFound."""
    endpoint = endpoints_of(merchant_id=merchant_id, live=live).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound("There is no such webhook endpoint.")
    return endpoint


def deliveries_of(*, merchant_id: str, live: bool, wanted: DeliveryFilter | None = None) -> QuerySet[WebhookDelivery]:
    """Without the bodies, which lists do not show."""
    wanted = wanted or DeliveryFilter()
    filters = {
        "endpoint_id": wanted.endpoint_id,
        "event_type": wanted.event_type,
        "state": wanted.state,
        "transaction_id": wanted.transaction_id,
        "created_at__gte": wanted.created_from,
        "created_at__lt": wanted.created_to,
    }
    return WebhookDelivery.objects.filter(
        endpoint__merchant_id=merchant_id,
        endpoint__live=live,
        **{name: value for name, value in filters.items() if value is not None},
    ).defer("body")


def find_delivery(*, merchant_id: str, live: bool, delivery_id: str) -> WebhookDelivery:
    """Raises NotFound."""
    delivery = deliveries_of(merchant_id=merchant_id, live=live).defer(None).filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound("There is no such webhook delivery.")
    return delivery
