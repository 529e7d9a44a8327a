"""Sending again what was delivered or given up: the same event id and the same bytes, by a person, audited."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState
from common.queue import nudge_coalesced
from notifications.models import DeliveryState, WebhookDelivery, WebhookEndpoint


def delivery_replay(*, delivery_id: str, actor: Actor, now: datetime, reason: str = "") -> WebhookDelivery:
    """Make a finished delivery due now, with all its attempts before it again.

    Raises InvalidState (it is pending, or its endpoint is not active), WebhookDelivery.DoesNotExist.
    """
    with transaction.atomic():
        delivery = (
            WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint").get(pk=delivery_id)
        )
        if delivery.state == DeliveryState.PENDING:
            raise InvalidState("This delivery has not ended yet; it is sent by itself.")
        if not delivery.endpoint.is_active:
            raise InvalidState("The endpoint of this delivery is not active. Activate it first.")
        before = delivery.state
        delivery.state, delivery.attempts, delivery.due_at = DeliveryState.PENDING, 0, now
        delivery.save(update_fields=["state", "attempts", "due_at"])
        record_action(
            actor=actor,
            action="webhook_delivery.replayed",
            subject_type="webhook_delivery",
            subject_id=delivery.pk,
            merchant_id=delivery.endpoint.merchant_id,
            reason=reason,
            changes={"state": [before, delivery.state]},
            now=now,
        )
        nudge_coalesced("notifications.deliver_due")
    return delivery


def deliveries_replay(
    *, endpoint: WebhookEndpoint, since: datetime, until: datetime, actor: Actor, now: datetime, reason: str = ""
) -> int:
    """Replay the dead deliveries of an endpoint whose events were dispatched in [since, until). Returns how many.

    Raises InvalidState if the endpoint is not active.
    """
    if not endpoint.is_active:
        raise InvalidState("The endpoint is not active. Activate it first.")
    with transaction.atomic():
        dead = endpoint.deliveries.filter(state=DeliveryState.DEAD, created_at__gte=since, created_at__lt=until)
        count = dead.update(state=DeliveryState.PENDING, attempts=0, due_at=now)
        record_action(
            actor=actor,
            action="webhook_endpoint.replayed",
            subject_type="webhook_endpoint",
            subject_id=endpoint.pk,
            merchant_id=endpoint.merchant_id,
            reason=reason,
            changes={"from": since.isoformat(), "to": until.isoformat(), "deliveries": count},
            now=now,
        )
        nudge_coalesced("notifications.deliver_due")
    return count
