"""Anticipated refusals: each has a stable `code`, a sentence that a person can act on, and details for machines.

`status` is the HTTP status of the native API (contracts section 3); facades translate the code into their own dialect.
`executed` tells an idempotent endpoint that the refusal is the answer to this key for good: a later retry must not succeed.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CounterfoilError(Exception):
    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    executed: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(CounterfoilError):
    """The request cannot be understood. `fields` maps a field name to sentences about it."""

    code = "INVALID_REQUEST"
    status = 400

    def __init__(self, message: str, *, fields: dict[str, list[str]] | None = None, **details: Any) -> None:
        super().__init__(message, **({"fields": fields} if fields else {}), **details)


class CardDataNotAllowed(InvalidRequest):
    code = "CARD_DATA_NOT_ALLOWED"


class IdempotencyKeyRequired(InvalidRequest):
    code = "IDEMPOTENCY_KEY_REQUIRED"


class Unauthorized(CounterfoilError):
    code = "UNAUTHORIZED"
    status = 401


class Forbidden(CounterfoilError):
    code = "FORBIDDEN"
    status = 403


class FraudDetected(CounterfoilError):
    code = "FRAUD_DETECTED"
    status = 403
    executed = True


class NotFound(CounterfoilError):
    """It does not exist, or is another merchant's: the answer is the same."""

    code = "NOT_FOUND"
    status = 404


class DuplicatePayment(CounterfoilError):
    """The reference was used before with other content."""

    code = "DUPLICATE_PAYMENT"
    status = 409
    executed = True


class InvalidState(CounterfoilError):
    code = "INVALID_STATE"
    status = 409
    executed = True


class RequestInProgress(CounterfoilError):
    code = "REQUEST_IN_PROGRESS"
    status = 409


class IdempotencyKeyReused(CounterfoilError):
    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422


class InsufficientFunds(CounterfoilError):
    code = "INSUFFICIENT_FUNDS"
    status = 422
    executed = True


class InvalidAccountStatus(CounterfoilError):
    code = "INVALID_ACCOUNT_STATUS"
    status = 422
    executed = True


class LimitExceeded(CounterfoilError):
    code = "LIMIT_EXCEEDED"
    status = 422
    executed = True


class UnsupportedCurrency(CounterfoilError):
    code = "UNSUPPORTED_CURRENCY"
    status = 422


class RateLimitExceeded(CounterfoilError):
    code = "RATE_LIMIT_EXCEEDED"
    status = 429


class ProviderUnavailable(CounterfoilError):
    code = "PROVIDER_UNAVAILABLE"
    status = 503


class ServiceUnavailable(CounterfoilError):
    """The database or another part we cannot do without is away; nothing was done."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
