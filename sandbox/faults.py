"""Faults on demand (`POST /_control/{provider}`): down, slow, error_rate, garbage. They end by themselves, or with the process."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_POST

from sandbox.json_body import BadBody, json_body

logger = logging.getLogger("sandbox.requests")

PROVIDERS = ("fpx", "migs", "bank")
_LARGEST = {"down": 0.0, "slow": 60.0, "error_rate": 1.0, "garbage": 0.0, "none": 0.0}  # value; more is cut to this
_LONGEST_SECONDS = 86_400.0
_GARBAGE = b"\xff\xfe<garbage>\x00=&&&"
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    value: float
    until: float  # time.monotonic()


_faults: dict[str, Fault] = {}  # replaced whole, one item at a time: safe without a lock


def _now_of(provider: str) -> Fault | None:
    fault = _faults.get(provider)
    return fault if fault and time.monotonic() < fault.until else None


def faulty(provider: str) -> Callable[[View], View]:
    """A provider's route: one log line a request, and it misbehaves while a fault is set.

    `down` (503) and `error_rate` (500) strike before it acts, `slow` delays it, `garbage` spoils the answer after it has acted.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def misbehaving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = _with_fault(_now_of(provider), view, request, *args, **kwargs)
            logger.info("%s %s %s", request.method, request.path, response.status_code)
            return response

        return misbehaving

    return decorate


def _with_fault(fault: Fault | None, view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    if fault is None:
        return view(request, *args, **kwargs)
    if fault.kind == "down":
        return HttpResponse("Service Unavailable", status=503, content_type="text/plain")
    if fault.kind == "error_rate" and random.random() < fault.value:  # noqa: S311  (no secret in it)
        return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
    if fault.kind == "slow":
        time.sleep(fault.value)
    response = view(request, *args, **kwargs)
    return HttpResponse(_GARBAGE, content_type="application/octet-stream") if fault.kind == "garbage" else response


@require_POST
def control(request: HttpRequest, provider: str) -> HttpResponse:
    """`{"fault", "value", "seconds"}`: value is the delay in seconds or the share of errors; without seconds: until "none"."""
    if provider not in PROVIDERS:
        return JsonResponse({"error": f"There is no provider {provider}."}, status=404)
    try:
        body = json_body(request)
        kind = body.get("fault")
        if not isinstance(kind, str) or kind not in _LARGEST:
            raise BadBody(f"fault is one of {', '.join(_LARGEST)}.")
        value = _number(body, "value", default=0.0, largest=_LARGEST[kind])
        seconds = _number(body, "seconds", default=_LONGEST_SECONDS, largest=_LONGEST_SECONDS)
    except BadBody as exc:
        return JsonResponse({"error": str(exc)}, status=400)
    if kind == "none":
        _faults.pop(provider, None)
    else:
        _faults[provider] = Fault(kind, value, time.monotonic() + seconds)
    return JsonResponse({"provider": provider, "fault": kind, "value": value, "seconds": seconds})


def _number(body: dict[str, Any], name: str, *, default: float, largest: float) -> float:
    given = body.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 0:
        raise BadBody(f"{name} has to be a number that is not negative.")
    return min(float(given), largest)
