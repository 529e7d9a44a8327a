"""What can go wrong, by kind. Every error has the server's `code`, a sentence, and the request's id to ask support about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PaymentEngineError(Exception):
    """`code` is stable, `status` the HTTP status (None if there was no answer).

    `idempotency_key` is the key that the request was sent under: repeat with it when you cannot know whether it was executed.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.details: Mapping[str, Any] = details or {}
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


class InvalidRequestError(PaymentEngineError):
    """400 and its kin: mend the request. `details["fields"]` names what is wrong."""


class AuthenticationError(PaymentEngineError):
    """401: the API key is unknown, expired or revoked."""


class PermissionDeniedError(PaymentEngineError):
    """403: the key lacks a scope, or the payment was refused as fraud."""


class NotFoundError(PaymentEngineError):
    """404."""


class ConflictError(PaymentEngineError):
    """409: the state does not allow it, a reference was used before, or the same request is being executed."""


class UnprocessableError(PaymentEngineError):
    """422: understood, and refused by a rule of the business."""


class InsufficientFundsError(UnprocessableError):
    """422 INSUFFICIENT_FUNDS; `details` has accountId, requestedAmount and availableBalance."""


class RateLimitError(PaymentEngineError):
    """429, after all retries; `retry_after` in seconds."""


class ServerError(PaymentEngineError):
    """5xx, after all retries."""


class ConnectionFailedError(PaymentEngineError):
    """No answer, after all retries. The request may have been executed: repeat it with `idempotency_key`, or look."""


class WebhookVerificationError(PaymentEngineError):
    """This delivery is not from us, was altered, or is too old."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="WEBHOOK_NOT_VERIFIED")


_BY_STATUS: dict[int, type[PaymentEngineError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitError,
}
_BY_CODE: dict[str, type[PaymentEngineError]] = {"INSUFFICIENT_FUNDS": InsufficientFundsError}


def error_class(status: int, code: str) -> type[PaymentEngineError]:
    """The class for an answer."""
    if status >= 500:
        return ServerError
    if status in _BY_STATUS or code in _BY_CODE:
        return _BY_CODE.get(code) or _BY_STATUS[status]
    return InvalidRequestError if status >= 400 else PaymentEngineError
