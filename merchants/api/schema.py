"""How drf-spectacular describes a MerchantView: the headers, errors and shapes that routes share, once for all.

The document is exact: what it lets through is read, what it forbids is refused (tests/fuzz tries both).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.drainage import set_override
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from merchants.api.pagination import CURSOR
from merchants.api.rendering import OrjsonRenderer
from merchants.api.schema_errors import ERRORS, HEADERS, RATE_HEADERS, ErrorEnvelope, error_responses

_CONTROL = r"\u0000-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
NO_NUL = r"^[^\u0000]*$"
NOT_BLANK = rf"^[^\u0000]*[^\s{_CONTROL}][^\u0000]*$"
TYPED = rf"^[^\u0000]*[^{_CONTROL}][^\u0000]*$"  # a password: space counts
ASCII = r"^[ -~]*[!-~][ -~]*$"  # what filters are made of

Serializer = serializers.Serializer[Any]


class Shape(serializers.Field[Any, Any, Any, Any]):
    """A field by its JSON Schema."""

    def __init__(self, schema: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        set_override(self, "field", schema)


def text(maximum: int, *, pattern: str = NOT_BLANK, **options: Any) -> Shape:
    """Text that has to be there, with something to see in it unless `pattern` says otherwise."""
    return Shape({"type": "string", "maxLength": maximum, "pattern": pattern}, **options)


def optional_text(maximum: int, *, pattern: str = NO_NUL, **options: Any) -> Shape:
    """Text that may be left out, null or empty."""
    return Shape(
        {"type": ["string", "null"], "maxLength": maximum, "pattern": pattern}, **{"required": False} | options
    )


def page_of(item: type[Serializer]) -> type[Serializer]:
    """A page: {"data": [...], "nextCursor": ...}."""

    class Page(serializers.Serializer[Any]):
        nextCursor = serializers.CharField(allow_null=True)

        def get_fields(self) -> dict[str, Any]:
            return {"data": item(many=True), **super().get_fields()}

    Page.__name__ = f"{item.__name__.removesuffix('Out')}Page"
    return Page


def query_text(name: str, description: str = "", **more: Any) -> OpenApiParameter:
    """A filter: printable ASCII, with something to see in it."""
    return OpenApiParameter(name, {"type": "string", "pattern": ASCII} | more, description=description)


PAGING = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    OpenApiParameter(
        "cursor",
        {"type": "string", "pattern": f"^{CURSOR}$"},
        description="`nextCursor` of the page before, as it was.",
    ),
]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[ -+\--~]+$"},
    OpenApiParameter.HEADER,
    description="Printable ASCII without commas. The same key and body get the same answer for 72 hours.",
)
REQUEST_ID = OpenApiParameter(
    "X-Request-Id",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Yours, to find this request again: up to 64 letters, digits and . _ -; anything else is replaced.",
)


class MerchantSchema(AutoSchema):
    """Adds the shared parameters, headers and errors, and closes request bodies: an unknown field is refused."""

    def get_summary(self) -> str | None:
        """The operation's name in words: createTransaction is "Create transaction"."""
        words = "".join(f" {char.lower()}" if char.isupper() else char for char in self.get_operation_id())
        return words[:1].upper() + words[1:]

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self._is_route:
            if self._is_idempotent:
                parameters.append(IDEMPOTENCY_KEY)
            parameters.append(REQUEST_ID)
        return parameters

    @property
    def _is_route(self) -> bool:
        """Whether it is a route of ours and not a webhook, which is described from the merchant's side."""
        return hasattr(self.view, "required_scopes")

    @property
    def _is_idempotent(self) -> bool:
        return self.method == "POST" and getattr(self.view, "idempotent", False)

    def _get_format_parameters(self) -> list[Any]:
        return []  # Accept alone decides what comes back

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        return [
            {"in": "path", "name": name, "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in variables
        ]

    def map_renderers(self, attribute: str) -> list[Any]:
        """JSON, unless a response names its media type."""
        return [OrjsonRenderer.media_type] if attribute == "media_type" else super().map_renderers(attribute)

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and self._is_route:
            schema["additionalProperties"] = False
        example = getattr(serializer, "example", None)
        if example is not None:
            schema["examples"] = [example]
        return schema

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None or not self._is_route:
            return operation
        self.resolve_serializer(ErrorEnvelope, "response")
        names = ["X-Request-Id", *RATE_HEADERS, *(["Idempotent-Replayed"] if self._is_idempotent else [])]
        names += ["Preference-Applied"] if any(one["name"] == "Prefer" for one in operation["parameters"]) else []
        for response in operation["responses"].values():
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names} | response.get(
                "headers", {}
            )
        for status in self._errors(operation):
            operation["responses"].setdefault(status, {"$ref": f"#/components/responses/{ERRORS[status].name}"})
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _errors(self, operation: dict[str, Any]) -> set[str]:
        """The statuses of refusals that this operation can have."""
        writes = self.method != "GET"
        statuses = {"400", "401", "406", "429", "500", "503"}
        statuses |= set(getattr(self.view, "more_errors", {}).get(self.method, ()))
        if getattr(self.view, "permission_classes", ()):
            statuses.add("403")
        if "{" in self.path:
            statuses.add("404")
        if writes:
            statuses.add("409")
        if "requestBody" in operation:
            statuses |= {"413", "415"}
        if self._is_idempotent:
            statuses.add("422")
        return statuses


def complete_document(result: dict[str, Any], **_other: Any) -> dict[str, Any]:
    """The last hand on the document: where it is served, and the headers and error responses that operations refer to."""
    components = result["components"]
    components["headers"] = HEADERS
    components["responses"] = error_responses()
    result["servers"] = [{"url": settings.PUBLIC_BASE_URL or "/"}]
    return result
