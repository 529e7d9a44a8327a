"""The shapes of the webhook routes for the OpenAPI document. Reading is done by inputs.py, writing by outputs.py."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from common.events import EVENT_TYPES
from notifications.models import DeliveryState, DisabledReason

_TYPES = ", ".join(EVENT_TYPES)


class EndpointChanges(serializers.Serializer[Any]):
    url = serializers.CharField(required=False, max_length=2000, help_text="https, port 443, a public host.")
    description = serializers.CharField(required=False, max_length=255)
    eventTypes = serializers.ListField(
        required=False, child=serializers.CharField(), help_text=f"Empty means all. Known: {_TYPES}."
    )
    active = serializers.BooleanField(required=False)


class NewEndpoint(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, help_text="https, port 443, a public host.")
    description = serializers.CharField(required=False, max_length=255)
    eventTypes = serializers.ListField(
        required=False, child=serializers.CharField(), help_text=f"Empty or absent means all. Known: {_TYPES}."
    )


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


class EndpointPage(serializers.Serializer[Any]):
    data = Endpoint(many=True)  # type: ignore[assignment]  # a field named like the attribute
    nextCursor = serializers.CharField(allow_null=True)


class DeliveryPage(serializers.Serializer[Any]):
    data = Delivery(many=True)  # type: ignore[assignment]  # as above
    nextCursor = serializers.CharField(allow_null=True)


PAGING = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    OpenApiParameter("cursor", {"type": "string"}, description="nextCursor of the page before."),
]
_TIME = {"type": "string", "format": "date-time"}
DELIVERY_FILTERS = [
    OpenApiParameter("endpoint", {"type": "string"}),
    OpenApiParameter("eventType", {"type": "string"}),
    OpenApiParameter("state", {"type": "string", "enum": list(DeliveryState.values)}),
    OpenApiParameter("transactionId", {"type": "string"}),
    OpenApiParameter("createdFrom", _TIME),
    OpenApiParameter("createdTo", _TIME, description="The moment after the last."),
]
