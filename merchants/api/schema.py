"""How drf-spectacular describes a MerchantView: the headers and errors that every route has, once for all."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from merchants.api.rendering import OrjsonRenderer

ErrorEnvelope = inline_serializer(
    "ErrorEnvelope",
    {
        "error": inline_serializer(
            "Error",
            {
                "code": serializers.CharField(),
                "message": serializers.CharField(),
                "details": serializers.DictField(
                    help_text="`fields`: sentences by field name, and what else is known."
                ),
                "timestamp": serializers.DateTimeField(),
                "requestId": serializers.CharField(),
            },
        )
    },
)


def page_of(item: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """A page: {"data": [...], "nextCursor": ...}."""

    class Page(serializers.Serializer[Any]):
        nextCursor = serializers.CharField(allow_null=True)

        def get_fields(self) -> dict[str, Any]:
            return {"data": item(many=True), **super().get_fields()}

    Page.__name__ = f"{item.__name__.removesuffix('Out')}Page"
    return Page


PAGING = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`nextCursor` of the page before."),
]

_ERRORS = {
    "400": "The request cannot be understood.",
    "401": "Authentication is required.",
    "403": "The key lacks the scope.",
    "404": "It does not exist, or is another merchant's.",
    "409": "Not possible in the present state, or in progress.",
    "413": "The body is larger than 64 KiB.",
    "415": "The body is not JSON in UTF-8.",
    "422": "Understood, but cannot be done.",
    "429": "Too many requests; see Retry-After.",
    "503": "Not available at the moment; nothing was done.",
}
_WRITES_ONLY = {"409", "413", "415", "422"}


class MerchantSchema(AutoSchema):
    """Adds the Idempotency-Key header to idempotent POSTs and the error envelope to everything."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "POST" and getattr(self.view, "idempotent", False):
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    OpenApiParameter.HEADER,
                    description="Printable ASCII without commas. The same key and body get the same answer for 72 hours.",
                )
            )
        return parameters

    def _get_format_parameters(self) -> list[Any]:
        return []  # Accept alone decides what comes back

    def map_renderers(self, attribute: str) -> list[Any]:
        """JSON, unless a response names its media type."""
        return [OrjsonRenderer.media_type] if attribute == "media_type" else super().map_renderers(attribute)

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            envelope = {"application/json": {"schema": self.resolve_serializer(ErrorEnvelope, "response").ref}}
            for status, sentence in _ERRORS.items():
                if self.method != "GET" or status not in _WRITES_ONLY:
                    operation["responses"].setdefault(status, {"description": sentence, "content": envelope})
        return operation
