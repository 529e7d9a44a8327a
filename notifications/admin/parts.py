"""What webhooks add to other pages: a section of the payment page, a card of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from common.console.panels import CARDS, TRANSACTION_PAGE, Card, Part
from notifications.models import DeliveryState, WebhookDelivery

SHOWN = 30  # of a transaction's deliveries, the newest


def deliveries_of(*, transaction: Any) -> Mapping[str, Any]:
    """The transaction's deliveries, newest first."""
    found = (
        WebhookDelivery.objects.filter(transaction_id=transaction.pk)
        .select_related("endpoint")
        .defer("body")
        .order_by("-created_at", "-id")[:SHOWN]
    )
    return {"deliveries": list(found), "ended": (DeliveryState.DEAD, DeliveryState.DELIVERED)}


def webhook_failures() -> Card:
    """Deliveries of the last day that were given up, and those that failed and are tried again."""
    since = timezone.now() - timedelta(days=1)
    found = WebhookDelivery.objects.filter(created_at__gte=since).aggregate(
        dead=Count("pk", filter=Q(state=DeliveryState.DEAD)),
        retrying=Count("pk", filter=Q(state=DeliveryState.PENDING, attempts__gt=0)),
    )
    return Card(
        title="Webhooks given up",
        value=str(found["dead"]),
        note=f"In 24 hours; {found['retrying']} more failed and are tried again.",
        url=reverse("admin:notifications_webhookdelivery_changelist") + f"?state__exact={DeliveryState.DEAD}",
        tone="danger" if found["dead"] else "warning" if found["retrying"] else "success",
    )


CARDS.append((50, "notifications.view_webhookdelivery", webhook_failures))
TRANSACTION_PAGE.append(
    Part(
        permission="notifications.view_webhookdelivery",
        order=10,
        template="admin/notifications/deliveries.html",
        load=deliveries_of,
    )
)
