"""The shapes of the webhook routes for the OpenAPI document. Reading is done by inputs.py, writing by outputs.py."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from common.events import EVENT_TYPES, TEST_EVENT
from merchants.api.schema import PAGING as PAGING
from merchants.api.schema import Shape, optional_text, query_text, text
from merchants.api.schema import page_of as page_of
from merchants.api.schema_events import webhook
from notifications.models import DeliveryState, DisabledReason

_CHOICE = {"type": ["array", "null"], "items": {"type": "string", "enum": list(EVENT_TYPES)}}


class EndpointChanges(serializers.Serializer[Any]):
    url = text(2000, required=False, help_text="https, port 443, a public host.")
    description = optional_text(255)
    eventTypes = Shape(_CHOICE, required=False, help_text="Empty means all.")
    active = Shape({"type": ["boolean", "null"]}, required=False)

    example = {"eventTypes": ["transaction.completed"], "active": True}


class NewEndpoint(serializers.Serializer[Any]):
    url = text(2000, help_text="https, port 443, a public host.")
    description = optional_text(255)
    eventTypes = Shape(_CHOICE, required=False, help_text="Empty or absent means all.")

    example = {"url": "https://shop.example/hooks", "eventTypes": ["transaction.completed", "refund.completed"]}


class Endpoint(serializers.Serializer[Any]):
    id = serializers.CharField()
    url = serializers.CharField()
    description = serializers.CharField()
    eventTypes = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    disabledAt = serializers.DateTimeField(allow_null=True)
    disabledReason = serializers.ChoiceField(DisabledReason.values, allow_null=True)
    failingSince = serializers.DateTimeField(allow_null=True)
    previousSecretUntil = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class EndpointWithSecret(Endpoint):
    secret = serializers.CharField(help_text="whsec_...; shown this once.")


class Delivery(serializers.Serializer[Any]):
    id = serializers.CharField()
    endpointId = serializers.CharField()
    eventId = serializers.CharField()
    eventType = serializers.CharField()
    transactionId = serializers.CharField(allow_null=True)
    sequence = serializers.IntegerField()
    state = serializers.ChoiceField(DeliveryState.values)
    attemptCount = serializers.IntegerField()
    nextAttemptAt = serializers.DateTimeField(allow_null=True)
    deliveredAt = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()


class Attempt(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    durationMs = serializers.IntegerField()
    response = serializers.CharField(help_text="The first KiB of what came back.")


class DeliveryDetail(Delivery):
    event = serializers.DictField(help_text="The body as it is sent.")
    attempts = Attempt(many=True)


class ReplayIn(serializers.Serializer[Any]):
    to = serializers.DateTimeField(help_text="The moment after the last.")
    state = Shape(
        {"type": ["string", "null"], "enum": ["DEAD", "DELIVERED", None], "default": "DEAD"},
        required=False,
        help_text="Given up, or delivered: to get again what you lost.",
    )
    endpointId = optional_text(40, help_text="Only to this endpoint; else to all that are active.")
    eventTypes = Shape(
        {"type": ["array", "null"], "items": {"type": "string", "enum": [*EVENT_TYPES, TEST_EVENT]}},
        required=False,
        help_text="Empty means all.",
    )

    example = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "eventTypes": ["transaction.completed"]}

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        return {
            "from": serializers.DateTimeField(help_text="Events dispatched from this time on."),
            **super().get_fields(),
        }


class ReplayOut(serializers.Serializer[Any]):
    replayed = serializers.IntegerField()

    example = {"replayed": 42}


class EndpointDisabledData(serializers.Serializer[Any]):
    endpointId = serializers.CharField()
    url = serializers.CharField()
    active = serializers.BooleanField()
    disabledReason = serializers.ChoiceField(DisabledReason.values)
    failingSince = serializers.DateTimeField(allow_null=True)


WEBHOOK_EVENTS = [
    webhook(
        "webhook_endpoint.disabled",
        EndpointDisabledData,
        {
            "endpointId": "whe_01k0y8c2m4q6s8v0x2z4b6d8f0",
            "url": "https://shop.example/hooks",
            "active": False,
            "disabledReason": "failing",
            "failingSince": "2026-02-25T04:00:00.000Z",
        },
        "Another endpoint of yours gets nothing any more: mend it, activate it again, and replay what it missed.",
    ),
]

_TIME = {"type": "string", "format": "date-time"}
DELIVERY_FILTERS = [
    query_text("endpoint"),
    query_text("eventType"),
    OpenApiParameter("state", {"type": "string", "enum": list(DeliveryState.values)}),
    query_text("transactionId"),
    OpenApiParameter("createdFrom", _TIME),
    OpenApiParameter("createdTo", _TIME, description="The moment after the last."),
]
