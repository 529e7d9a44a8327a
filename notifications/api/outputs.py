"""What merchants see of endpoints and deliveries. A secret is shown by the call that made it; that an address was blocked, never."""

from __future__ import annotations

from typing import Any

import orjson

from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


def endpoint_output(endpoint: WebhookEndpoint, *, secret: str | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": endpoint.pk,
        "url": endpoint.url,
        "description": endpoint.description,
        "eventTypes": endpoint.event_types,
        "active": endpoint.is_active,
        "disabledAt": endpoint.disabled_at,
        "disabledReason": endpoint.disabled_reason or None,
        "failingSince": endpoint.failing_since,
        "previousSecretUntil": endpoint.previous_secret_until,
        "createdAt": endpoint.created_at,
        "updatedAt": endpoint.updated_at,
    }
    return shown if secret is None else shown | {"secret": secret}


def delivery_output(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "endpointId": delivery.endpoint_id,
        "eventId": delivery.event_id,
        "eventType": delivery.event_type,
        "transactionId": delivery.transaction_id or None,
        "sequence": delivery.sequence,
        "state": delivery.state,
        "attemptCount": delivery.attempts,
        "nextAttemptAt": None if delivery.claim else delivery.due_at,  # while it is being sent: a lease, not a plan
        "deliveredAt": delivery.delivered_at,
        "createdAt": delivery.created_at,
    }


def delivery_detail(delivery: WebhookDelivery) -> dict[str, Any]:
    """With the event as it is sent, and every attempt."""
    return delivery_output(delivery) | {
        "event": orjson.Fragment(bytes(delivery.body)),
        "attempts": [attempt_output(attempt) for attempt in delivery.tries.all()],
    }


def attempt_output(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "status": attempt.status,
        "error": attempt.error or None,
        "durationMs": attempt.duration_ms,
        "response": bytes(attempt.response).decode("utf-8", "replace"),
    }
