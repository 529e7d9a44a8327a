"""The shapes of the webhook routes for the OpenAPI document. Reading is done by inputs.py, writing by outputs.py."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from common.events import EVENT_TYPES
from merchants.api.schema import PAGING as PAGING
from merchants.api.schema import Shape, optional_text, query_text, text
from merchants.api.schema import page_of as page_of
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


_TIME = {"type": "string", "format": "date-time"}
DELIVERY_FILTERS = [
    query_text("endpoint"),
    query_text("eventType"),
    OpenApiParameter("state", {"type": "string", "enum": list(DeliveryState.values)}),
    query_text("transactionId"),
    OpenApiParameter("createdFrom", _TIME),
    OpenApiParameter("createdTo", _TIME, description="The moment after the last."),
]
