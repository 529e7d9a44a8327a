"""An endpoint that has answered nothing but failures for 120 hours, or 410 Gone once, is switched off by itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from common.changes import Actor
from notifications.models import DisabledReason, WebhookEndpoint
from notifications.services.endpoints import endpoint_disable
from notifications.services.schedule import DISABLE_AFTER

_SENDER = Actor("system:webhooks")


def note_health(*, delivered: Collection[str], failed: Collection[str], gone: Collection[str], now: datetime) -> None:
    """Keep `failing_since` of endpoints that were just sent to, and disable those that are gone or failed for 120 hours."""
    endpoints = WebhookEndpoint.objects
    if delivered:
        endpoints.filter(pk__in=delivered, failing_since__isnull=False).update(failing_since=None)
    if failed:
        endpoints.filter(pk__in=failed, failing_since=None).update(failing_since=now)
        overdue = endpoints.filter(pk__in=failed, is_active=True, failing_since__lte=now - DISABLE_AFTER)
        for endpoint_id in overdue.values_list("pk", flat=True):
            endpoint_disable(endpoint_id=endpoint_id, reason=DisabledReason.FAILING, actor=_SENDER, now=now)
    for endpoint_id in gone:
        endpoint_disable(endpoint_id=endpoint_id, reason=DisabledReason.GONE, actor=_SENDER, now=now)
