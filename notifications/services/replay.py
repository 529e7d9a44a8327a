"""Sending again what was delivered or given up: the same event id and the same bytes, by a person, audited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, LimitExceeded, NotFound
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from notifications.models import DeliveryState, WebhookDelivery, WebhookEndpoint

MOST_AT_ONCE = 10_000  # of one request; it holds their rows while it changes them


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Which ended deliveries of a merchant are sent again: of events dispatched in [since, until). None and empty do not filter."""

    merchant_id: str
    live: bool
    since: datetime
    until: datetime
    state: DeliveryState = DeliveryState.DEAD
    endpoint_id: str | None = None
    event_types: tuple[str, ...] = ()


def deliveries_replay(
    *,
    wanted: Replay,
    actor: Actor,
    now: datetime,
    reason: str = "",
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[int], Reply] | None = None,
) -> int:
    """Make them all due now, except those of endpoints that are not active. Returns how many.

    Raises NotFound (the endpoint), InvalidState (it is not active), LimitExceeded (more than MOST_AT_ONCE: nothing was done).
    """
    with transaction.atomic():
        endpoints = WebhookEndpoint.objects.filter(merchant_id=wanted.merchant_id, live=wanted.live)
        if wanted.endpoint_id is not None:
            endpoint = endpoints.filter(pk=wanted.endpoint_id).first()
            if endpoint is None:
                raise NotFound("There is no such webhook endpoint.")
            if not endpoint.is_active:
                raise InvalidState("The endpoint is not active. Activate it first.")
            endpoints = endpoints.filter(pk=wanted.endpoint_id)
        found = WebhookDelivery.objects.filter(
            endpoint__in=endpoints.filter(is_active=True),
            state=wanted.state,
            created_at__gte=wanted.since,
            created_at__lt=wanted.until,
        )
        if wanted.event_types:
            found = found.filter(event_type__in=wanted.event_types)
        held = list(
            found.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True)[: MOST_AT_ONCE + 1]
        )
        if len(held) > MOST_AT_ONCE:
            raise LimitExceeded(
                f"More than {MOST_AT_ONCE} deliveries match. Choose a shorter span, an endpoint or event types.",
                most=MOST_AT_ONCE,
            )
        WebhookDelivery.objects.filter(pk__in=held).update(state=DeliveryState.PENDING, attempts=0, due_at=now)
        _record_replay(wanted, len(held), actor, now, reason)
        if idempotency is not None and reply is not None:
            rows = Rows()
            idempotency.store(rows, reply(len(held)), now=now)
            rows.write()
        nudge_coalesced("notifications.deliver_due")
    return len(held)


def _record_replay(wanted: Replay, count: int, actor: Actor, now: datetime, reason: str) -> None:
    of_endpoint = wanted.endpoint_id is not None
    record_action(
        actor=actor,
        action="webhook_endpoint.replayed" if of_endpoint else "webhooks.replayed",
        subject_type="webhook_endpoint" if of_endpoint else "merchant",
        subject_id=wanted.endpoint_id or wanted.merchant_id,
        merchant_id=wanted.merchant_id,
        reason=reason,
        changes={
            "from": wanted.since.isoformat(),
            "to": wanted.until.isoformat(),
            "state": wanted.state,
            "eventTypes": list(wanted.event_types),
            "live": wanted.live,
            "deliveries": count,
        },
        now=now,
    )
