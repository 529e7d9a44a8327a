"""Every failure in one shape: {"error": {"code", "message", "details", "timestamp", "requestId"}} (contracts section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework import status as http

from common.errors import (
    CounterfoilError,
    Forbidden,
    InvalidRequest,
    InvalidState,
    NotFound,
    RequestInProgress,
    ServiceUnavailable,
    Unauthorized,
)
from common.rows import StaleRow
from merchants.api.authentication import CHALLENGE
from merchants.api.parsing import UnsupportedMediaType
from merchants.api.rendering import render
from merchants.services.idempotency import Reply

log = structlog.get_logger(__name__)

_RETRY_AFTER_SECONDS = {"REQUEST_IN_PROGRESS": 1, "SERVICE_UNAVAILABLE": 5, "PROVIDER_UNAVAILABLE": 30}
_LOCK_NOT_AVAILABLE, _DEADLOCK, _SERIALIZATION, _READ_ONLY = "55P03", "40P01", "40001", "25006"
_REFUSED_BY_RULE = {"23000", "23505", "23514", "23P01"}  # our triggers, unique keys, checks, exclusions


class MethodNotAllowed(CounterfoilError):
    code = "METHOD_NOT_ALLOWED"
    status = 405


class NotAcceptable(CounterfoilError):
    code = "NOT_ACCEPTABLE"
    status = 406


def error_reply(error: CounterfoilError, *, request_id: str, now: datetime) -> Reply:
    """The answer's bytes, as they may be kept under an idempotency key."""
    body = {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "timestamp": now,
        "requestId": request_id,
    }
    return Reply(error.status, render({"error": body}))


def error_response(exc: Exception, *, request_id: str) -> HttpResponse:
    """The answer to any exception. What was not anticipated is logged once and tells nothing."""
    error = translate(exc)
    reply = error_reply(error, request_id=request_id, now=timezone.now())
    response = HttpResponse(reply.body, status=reply.status, content_type="application/json")
    if error.status == http.HTTP_401_UNAUTHORIZED:
        response["WWW-Authenticate"] = CHALLENGE
    wait = error.details.get("retryAfterSeconds") or _RETRY_AFTER_SECONDS.get(error.code)
    if wait:
        response["Retry-After"] = str(wait)
    return response


def translate(exc: Exception) -> CounterfoilError:
    """The anticipated error that an exception amounts to."""
    if isinstance(exc, CounterfoilError):
        return exc
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    if isinstance(exc, Http404):
        return NotFound("There is no such thing.")
    if isinstance(exc, PermissionDenied):
        return Forbidden("This is not allowed.")
    if isinstance(exc, StaleRow):
        return RequestInProgress("Something else changed this at the same moment. Try again.")
    if isinstance(exc, DatabaseError | InterfaceError):
        return _of_database(exc)
    return _unexpected(exc)


def _of_framework(exc: exceptions.APIException) -> CounterfoilError:
    match exc:
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed("This method is not supported here.")
        case exceptions.NotAcceptable():
            return NotAcceptable(
                f"Answers are {' or '.join(each.media_type for each in exc.available_renderers or ())}."
            )
        case exceptions.UnsupportedMediaType():
            return UnsupportedMediaType("Send the body as application/json in UTF-8.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthorized("Authentication is required.")
        case exceptions.PermissionDenied():
            return Forbidden("This is not allowed.")
        case exceptions.NotFound():
            return NotFound("There is no such thing.")
        case exceptions.ValidationError():
            return InvalidRequest("Some fields are not right.", fields=_sentences(exc.detail))
        case exceptions.ParseError():
            return InvalidRequest("The request cannot be read.")
    return _unexpected(exc)


def _sentences(detail: Any) -> dict[str, list[str]]:
    if not isinstance(detail, Mapping):
        return {"request": [str(item) for item in detail]}
    return {str(name): [str(item) for item in items] for name, items in detail.items()}


def _of_database(exc: Exception) -> CounterfoilError:
    state = getattr(exc.__cause__, "sqlstate", None)
    if isinstance(exc, IntegrityError) and state in _REFUSED_BY_RULE:
        constraint = getattr(getattr(exc.__cause__, "diag", None), "constraint_name", None)
        log.warning("database.rule_refused", constraint=constraint)
        return InvalidState("This is not possible in the present state.")
    if isinstance(exc, OperationalError) and state in (_LOCK_NOT_AVAILABLE, _DEADLOCK, _SERIALIZATION):
        return RequestInProgress("Another request is changing this. Try again in a moment.")
    if isinstance(exc, OperationalError | InterfaceError) or state == _READ_ONLY:
        log.warning("database.away", error=type(exc.__cause__ or exc).__name__, sqlstate=state)
        return ServiceUnavailable("The service is not available at the moment. Nothing was done; try again.")
    if isinstance(exc, DataError):
        log.warning("database.value_refused", sqlstate=state)
        return InvalidRequest("A value is out of range.")
    return _unexpected(exc)


def _unexpected(exc: Exception) -> CounterfoilError:
    log.error("api.unexpected_error", exc_info=exc)
    return CounterfoilError("Something went wrong on our side. It has been noted.")


def request_id_of(request: HttpRequest) -> str:
    """The id that RequestIdMiddleware gave."""
    return getattr(request, "request_id", "")


@csrf_exempt  # there is nothing to forge
def unknown_route(request: HttpRequest, **_path: str) -> HttpResponse:
    """The 404 of everything below /api/ that is no route."""
    return error_response(NotFound("There is no such route."), request_id=request_id_of(request))
