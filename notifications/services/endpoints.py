"""Webhook endpoints: what a merchant may change, and switching one off.

Every change is versioned and leaves an audit record and a fact. Secrets are returned by the call that makes them and by nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from common.audit import record_action
from common.changes import Actor, Subject, record_change
from common.errors import InvalidRequest, InvalidState, LimitExceeded, RateLimitExceeded
from common.events import EVENT_TYPES, TEST_EVENT, render_body
from common.ids import new_id
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.api.rendering import instant
from notifications.channels.webhook.target import Resolver, TargetRefused, resolve_target, system_resolver
from notifications.models import DeliveryState, DisabledReason, WebhookDelivery, WebhookEndpoint
from notifications.signing import new_secret

log = structlog.get_logger(__name__)

SECRET_OVERLAP = timedelta(hours=24)
_TESTS_PER_MINUTE = 5
MAX_ENDPOINTS = 20  # active ones of a merchant in one mode; every event is stored once for each
_REFUSED_URL = "This address cannot be used: it has to be an https URL on port 443 of a public host."


def endpoint_create(
    *,
    merchant_id: str,
    live: bool,
    url: str,
    actor: Actor,
    now: datetime,
    description: str = "",
    event_types: Sequence[str] = (),
    resolve: Resolver = system_resolver,
) -> tuple[WebhookEndpoint, str]:
    """Register an endpoint; no event types means all. Returns it and its secret. Raises InvalidRequest, LimitExceeded."""
    check_url(url, resolve=resolve)
    check_event_types(event_types)
    _check_room(merchant_id, live=live)
    endpoint = WebhookEndpoint(
        id=new_id("whe"),
        merchant_id=merchant_id,
        live=live,
        url=url,
        description=description,
        event_types=sorted(set(event_types)),
        created_at=now,
        updated_at=now,
    )
    secret = new_secret()
    endpoint.seal_secret(secret)
    rows = Rows()
    rows.add(endpoint)
    _record(rows, endpoint, "created", actor, now, url=[None, url], event_types=[None, endpoint.event_types])
    rows.write()
    return endpoint, secret


def endpoint_update(
    *,
    endpoint_id: str,
    actor: Actor,
    now: datetime,
    url: str | None = None,
    description: str | None = None,
    event_types: Sequence[str] | None = None,
    is_active: bool | None = None,
    reason: str = "",
    resolve: Resolver = system_resolver,
) -> WebhookEndpoint:
    """Change what is not None; `reason` is an operator's. Activating clears why it was disabled.

    Raises InvalidRequest, LimitExceeded (too many are active), WebhookEndpoint.DoesNotExist.
    """
    if url is not None:
        check_url(url, resolve=resolve)
    if event_types is not None:
        check_event_types(event_types)
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        values: dict[str, Any] = {}
        for name, value in (
            ("url", url),
            ("description", description),
            ("event_types", None if event_types is None else sorted(set(event_types))),
        ):
            if value is not None and value != getattr(endpoint, name):
                values[name] = value
        if is_active is True and not endpoint.is_active:
            _check_room(endpoint.merchant_id, live=endpoint.live)
            values |= {"is_active": True, "disabled_at": None, "disabled_reason": "", "failing_since": None}
        elif is_active is False and endpoint.is_active:
            values |= _disabled(DisabledReason.MERCHANT, now)
        if values:
            _change(endpoint, "updated", actor, now, why=reason, **values)
    return endpoint


def endpoint_disable(*, endpoint_id: str, reason: DisabledReason, actor: Actor, now: datetime, why: str = "") -> None:
    """Send nothing more there, and tell the merchant's other endpoints (`webhook_endpoint.disabled`); `why` is an operator's.

    What is pending waits until it is due, and is dead then unless the endpoint is active again.
    """
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        if endpoint.is_active:
            _change(endpoint, "disabled", actor, now, why=why, **_disabled(reason, now))
            nudge_coalesced("notifications.relay_outbox")
            log.warning("webhook.endpoint_disabled", endpoint=endpoint_id, reason=str(reason))


def endpoint_rotate_secret(*, endpoint_id: str, actor: Actor, now: datetime) -> tuple[WebhookEndpoint, str]:
    """Make a new secret; the old one signs too for 24 hours. Returns the endpoint and the new secret. Raises DoesNotExist."""
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        secret = new_secret()
        endpoint.keep_previous_secret(until=now + SECRET_OVERLAP)
        endpoint.seal_secret(secret)
        _change(
            endpoint,
            "secret_rotated",
            actor,
            now,
            secret_sealed=endpoint.secret_sealed,
            previous_secret_sealed=endpoint.previous_secret_sealed,
            previous_secret_until=endpoint.previous_secret_until,
        )
    return endpoint, secret


def endpoint_test(*, endpoint_id: str, actor: Actor, now: datetime) -> WebhookDelivery:
    """Queue a test event for the endpoint, through the same sender as everything else; audited.

    Raises InvalidState (it is not active), RateLimitExceeded (five a minute), WebhookEndpoint.DoesNotExist.
    """
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        if not endpoint.is_active:
            raise InvalidState("This endpoint is not active. Activate it first.")
        lately = endpoint.deliveries.filter(event_type=TEST_EVENT, created_at__gt=now - timedelta(minutes=1))
        if lately.count() >= _TESTS_PER_MINUTE:
            raise RateLimitExceeded("Only five test events a minute can be sent to an endpoint.", retryAfterSeconds=60)
        event_id = new_id("evt")
        delivery = WebhookDelivery.objects.create(
            id=new_id("whd"),
            endpoint=endpoint,
            event_id=event_id,
            event_type=TEST_EVENT,
            sequence=1,
            body=render_body(
                event_id=event_id,
                event_type=TEST_EVENT,
                created_at=now,
                sequence=1,
                data={"message": "A test event. No money moved."},
            ),
            state=DeliveryState.PENDING,
            due_at=now,
            created_at=now,
        )
        record_action(
            actor=actor,
            action="webhook_endpoint.tested",
            subject_type="webhook_endpoint",
            subject_id=endpoint.pk,
            merchant_id=endpoint.merchant_id,
            now=now,
        )
        nudge_coalesced("notifications.deliver_due")
    return delivery


def _check_room(merchant_id: str, *, live: bool) -> None:
    if WebhookEndpoint.objects.filter(merchant_id=merchant_id, live=live, is_active=True).count() >= MAX_ENDPOINTS:
        raise LimitExceeded(f"At most {MAX_ENDPOINTS} endpoints can be active. Deactivate one first.")


def check_url(url: str, *, resolve: Resolver = system_resolver) -> None:
    """Refuse an address that the sender would refuse. A blocked address and a dead name read the same. Raises InvalidRequest."""
    try:
        resolve_target(url, resolve=resolve)
    except TargetRefused as exc:
        log.info("webhook.url_refused", blocked=exc.blocked)
        raise InvalidRequest("The webhook address cannot be used.", fields={"url": [_REFUSED_URL]}) from exc


def check_event_types(event_types: Sequence[str]) -> None:
    unknown = sorted(set(event_types) - set(EVENT_TYPES))
    if unknown:
        known = ", ".join(EVENT_TYPES)
        raise InvalidRequest(
            "An event type is not known.", fields={"eventTypes": [f"Unknown: {', '.join(unknown)}. Known: {known}."]}
        )


def _disabled(reason: DisabledReason, now: datetime) -> dict[str, Any]:
    return {"is_active": False, "disabled_at": now, "disabled_reason": reason}


def _change(endpoint: WebhookEndpoint, what: str, actor: Actor, now: datetime, *, why: str = "", **values: Any) -> None:
    """Write the values at the next version, with audit record and fact. The row is locked by the caller."""
    shown = {
        name: [_shown(getattr(endpoint, name)), _shown(value)]
        for name, value in values.items()
        if not name.endswith("_sealed")
    }
    for name, value in values.items():
        setattr(endpoint, name, value)
    endpoint.version += 1
    endpoint.updated_at = now
    rows = Rows()
    guard = {"version": endpoint.version - 1}
    rows.update(WebhookEndpoint, endpoint.pk, guard, version=endpoint.version, updated_at=now, **values)
    _record(rows, endpoint, what, actor, now, why=why, **shown)
    rows.write()


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _record(
    rows: Rows,
    endpoint: WebhookEndpoint,
    what: str,
    actor: Actor,
    now: datetime,
    *,
    why: str = "",
    **changes: list[Any],
) -> None:
    record_change(
        rows,
        subject=Subject("webhook_endpoint", endpoint.pk, endpoint.version, endpoint.merchant_id, endpoint.live),
        fact=f"webhook_endpoint.{what}",
        payload={
            "endpointId": endpoint.pk,
            "url": endpoint.url,
            "active": endpoint.is_active,
            "disabledReason": endpoint.disabled_reason or None,
            "failingSince": instant(endpoint.failing_since),
        },
        changes=changes,
        actor=actor,
        now=now,
        reason=why,
    )
