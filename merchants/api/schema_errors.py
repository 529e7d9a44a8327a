"""Every refusal in the document: its status, codes, headers and an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

ErrorEnvelope = inline_serializer(
    "ErrorEnvelope",
    {
        "error": inline_serializer(
            "Error",
            {
                "code": serializers.CharField(),
                "message": serializers.CharField(help_text="A sentence for people."),
                "details": serializers.DictField(
                    help_text="`fields`: sentences by field name, and what else is known."
                ),
                "timestamp": serializers.DateTimeField(),
                "requestId": serializers.CharField(),
            },
        )
    },
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`codes` beside their sentences; the first makes the example."""

    name: str
    sentence: str
    codes: tuple[str, ...]
    message: str
    headers: tuple[str, ...] = ()
    details: tuple[tuple[str, Any], ...] = ()


RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

ERRORS = {
    "400": Refusal(
        "BadRequest",
        "The request cannot be understood; `details.fields` names what is wrong.",
        ("INVALID_REQUEST", "CARD_DATA_NOT_ALLOWED", "IDEMPOTENCY_KEY_REQUIRED"),
        "Not right: amount.",
        RATE_HEADERS,
        (("fields", {"amount": ["Send an amount above zero in MYR, such as 100.50."]}),),
    ),
    "401": Refusal(
        "Unauthorized",
        "Authentication is required.",
        ("UNAUTHORIZED",),
        "Give one API key or access token that is valid, not expired or revoked, and allowed from your address.",
        (*RATE_HEADERS, "WWW-Authenticate"),
    ),
    "403": Refusal(
        "Forbidden",
        "The key lacks the scope, or a rule against fraud says no.",
        ("FORBIDDEN", "FRAUD_DETECTED"),
        "This needs the scope transaction:create.",
        RATE_HEADERS,
        (("requiredScope", "transaction:create"),),
    ),
    "404": Refusal(
        "NotFound",
        "It does not exist, or is another merchant's.",
        ("NOT_FOUND",),
        "There is no such transaction.",
        RATE_HEADERS,
    ),
    "406": Refusal(
        "NotAcceptable",
        "Accept leaves out what this route answers with.",
        ("NOT_ACCEPTABLE",),
        "Answers are application/json.",
        RATE_HEADERS,
    ),
    "409": Refusal(
        "Conflict",
        "Not possible in the present state, or in progress.",
        ("INVALID_STATE", "DUPLICATE_PAYMENT", "REQUEST_IN_PROGRESS"),
        "A transaction that is FAILED cannot be refunded.",
        (*RATE_HEADERS, "Retry-After"),
        (("status", "FAILED"),),
    ),
    "413": Refusal(
        "PayloadTooLarge",
        "The body is larger than 64 KiB.",
        ("PAYLOAD_TOO_LARGE",),
        "The body is larger than 64 KiB.",
        RATE_HEADERS,
    ),
    "415": Refusal(
        "UnsupportedMediaType",
        "The body is not JSON in UTF-8.",
        ("UNSUPPORTED_MEDIA_TYPE",),
        "Send the body as application/json in UTF-8.",
        RATE_HEADERS,
    ),
    "422": Refusal(
        "Unprocessable",
        "Understood, but a rule of the business says no.",
        (
            "INSUFFICIENT_FUNDS",
            "INVALID_ACCOUNT_STATUS",
            "LIMIT_EXCEEDED",
            "UNSUPPORTED_CURRENCY",
            "IDEMPOTENCY_KEY_REUSED",
        ),
        "The account does not have that much available.",
        RATE_HEADERS,
        (("accountId", "acc_123"), ("requestedAmount", 250.00), ("availableBalance", 100.50)),
    ),
    "429": Refusal(
        "TooManyRequests",
        "Too many requests; wait as long as Retry-After says.",
        ("RATE_LIMIT_EXCEEDED",),
        "Too many requests. Try again in 7 seconds.",
        RATE_HEADERS,
        (("limit", 100), ("retryAfterSeconds", 7)),
    ),
    "500": Refusal(
        "InternalError",
        "Something went wrong on our side; repeat it with the same Idempotency-Key.",
        ("INTERNAL_ERROR",),
        "Something went wrong on our side. It has been noted.",
    ),
    "503": Refusal(
        "Unavailable",
        "Not available at the moment; nothing was done.",
        ("SERVICE_UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
        "The service is not available at the moment. Nothing was done; try again.",
        ("Retry-After",),
    ),
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Yours if it was sane, else ours; quote it to support.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "X-RateLimit-Limit": {
        "description": "Requests a minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-RateLimit-Remaining": {
        "description": "Left of them.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "When all of them are there again: seconds since 1970.",
        "required": True,
        "schema": {"type": "integer"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "Idempotent-Replayed": {
        "description": "This was answered before; nothing was done now.",
        "schema": {"type": "string", "const": "true"},
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string"}},
    "Preference-Applied": {
        "description": "The answer was held back as Prefer asked.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
}


def error_responses() -> dict[str, dict[str, Any]]:
    """`components.responses` of the document."""
    return {error.name: _response(error) for error in ERRORS.values()}


def _response(error: Refusal) -> dict[str, Any]:
    envelope = {"$ref": "#/components/schemas/ErrorEnvelope"}
    codes = {"properties": {"error": {"properties": {"code": {"enum": list(error.codes)}}}}}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *error.headers)}
    if error.codes == ("RATE_LIMIT_EXCEEDED",):
        headers["Retry-After"] = HEADERS["Retry-After"] | {"required": True}
    example = {
        "error": {
            "code": error.codes[0],
            "message": error.message,
            "details": dict(error.details),
            "timestamp": "2026-03-02T04:00:00.000Z",
            "requestId": "req_01k0y8c2m4q6s8v0x2z4b6d8f0",
        }
    }
    return {
        "description": error.sentence,
        "headers": headers,
        "content": {"application/json": {"schema": {"allOf": [envelope, codes]}, "example": example}},
    }
