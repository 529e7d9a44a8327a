"""Faults on demand (`POST /_control/{provider}`): down, slow, error_rate, garbage. They end by themselves."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sandbox.json_body import BadBody, json_body

PROVIDERS = ("fpx", "migs")
FAULTS = ("down", "slow", "error_rate", "garbage", "none")
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    value: float
    until: float


_lock = threading.Lock()
_faults: dict[str, Fault] = {}


def _now_of(provider: str) -> Fault | None:
    with _lock:
        fault = _faults.get(provider)
    return fault if fault and time.monotonic() < fault.until else None


def faulty(provider: str) -> Callable[[View], View]:
    """A provider's route: misbehaves while a fault is set. `down` and `error_rate` before acting, `garbage` after."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def misbehaving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            fault = _now_of(provider)
            if fault is None:
                return view(request, *args, **kwargs)
            if fault.kind == "down":
                return HttpResponse("Service Unavailable", status=503, content_type="text/plain")
            if fault.kind == "error_rate" and random.random() < fault.value:  # noqa: S311  (no secret in it)
                return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
            if fault.kind == "slow":
                time.sleep(fault.value)
            response = view(request, *args, **kwargs)
            return HttpResponse(b"\xff\xfe<garbage>\x00=&&&") if fault.kind == "garbage" else response

        return misbehaving

    return decorate


@csrf_exempt
@require_POST
def control(request: HttpRequest, provider: str) -> HttpResponse:
    """`{"fault": ..., "value": ..., "seconds": ...}`; without seconds it lasts until it is set to none."""
    if provider not in PROVIDERS:
        return JsonResponse({"error": f"There is no provider {provider}."}, status=404)
    try:
        body = json_body(request)
        kind, value, seconds = body.get("fault"), float(body.get("value") or 0), float(body.get("seconds") or 86_400)
    except (BadBody, TypeError, ValueError) as exc:
        return JsonResponse({"error": str(exc)}, status=400)
    if kind not in FAULTS or not 0 <= value <= 120 or not 0 < seconds <= 86_400:
        return JsonResponse(
            {"error": f"fault is one of {', '.join(FAULTS)}; value 0 to 120; seconds up to 86400."}, status=400
        )
    with _lock:
        _faults[provider] = Fault(kind, value, 0.0 if kind == "none" else time.monotonic() + seconds)
    return JsonResponse({"provider": provider, "fault": kind, "value": value, "seconds": seconds})
