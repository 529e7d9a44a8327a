"""Webhooks in the document: one entry per event type, with its headers and body. What each carries is said by the app that publishes it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema
from rest_framework import serializers

from common.events import TEST_EVENT
from merchants.api.schema import Serializer, Shape

_SIGNATURE = r"^v1,[A-Za-z0-9+/]+=*( v1,[A-Za-z0-9+/]+=*)?$"
WEBHOOK_HEADERS: list[dict[str, Any]] = [
    {
        "in": "header",
        "name": name,
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": pattern},
    }
    for name, pattern, description in (
        ("webhook-id", "^evt_[a-z0-9]+$", "The event's id, the same on every try: handle it once."),
        ("webhook-timestamp", "^[0-9]+$", "Seconds since 1970, of this try."),
        ("webhook-signature", _SIGNATURE, "Standard Webhooks; two of them while a secret is being changed."),
        ("X-Webhook-Signature", "^sha256=[0-9a-f]{64}$", "HMAC-SHA256 of the body, keyed with the whole secret."),
    )
]
_ANSWERS = {
    "2XX": OpenApiResponse(description="You have it. Answer within 15 seconds, work afterwards."),
    "410": OpenApiResponse(description="You want no more: the endpoint is deactivated."),
    "default": OpenApiResponse(description="It is sent again later, for three days."),
}


def webhook(event_type: str, data: type[Serializer], example: dict[str, Any], sentence: str) -> OpenApiWebhook:
    """The description of one event type; `data` is the shape of what is inside, `example` one of it."""

    class Event(serializers.Serializer[Any]):
        eventId = serializers.CharField(help_text="The same on every try.")
        eventType = Shape({"type": "string", "const": event_type})
        createdAt = serializers.DateTimeField()
        sequence = serializers.IntegerField(help_text="Grows per transaction or account.")

        def get_fields(self) -> dict[str, Any]:
            return {**super().get_fields(), "data": data()}

    Event.example = {  # type: ignore[attr-defined]
        "eventId": "evt_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "eventType": event_type,
        "createdAt": "2026-03-02T04:03:10.000Z",
        "sequence": 2,
        "data": example,
    }
    Event.__name__ = "".join(word.capitalize() for word in event_type.replace("_", ".").split(".")) + "Event"
    return OpenApiWebhook(
        event_type,
        extend_schema(
            operation_id=f"on{Event.__name__.removesuffix('Event')}",
            summary=event_type,
            description=sentence,
            request=Event,
            responses=_ANSWERS,
            tags=["events"],
            auth=[],
        ),
    )


class ApiKeyExpiringData(serializers.Serializer[Any]):
    apiKeyId = serializers.CharField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    expiresAt = serializers.DateTimeField()


class TestData(serializers.Serializer[Any]):
    message = serializers.CharField()


MERCHANT_EVENTS = [
    webhook(
        "api_key.expiring",
        ApiKeyExpiringData,
        {
            "apiKeyId": "key_01k0y8c2m4q6s8v0x2z4b6d8f0",  # an id, not a secret
            "name": "server",
            "prefix": "cfk_live_",
            "expiresAt": "2026-03-16T04:00:00Z",
        },
        "A key expires within two weeks: rotate it.",
    ),
    webhook(TEST_EVENT, TestData, {"message": "A test event. No money moved."}, "You asked for it."),
]
