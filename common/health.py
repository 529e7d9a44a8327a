"""Is it up, is it ready, how is it doing. `/healthz` asks nothing; `/readyz` asks every part that a payment needs."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django_prometheus.exports import ExportToDjangoView

from common.models import Fact

HEARTBEAT_KEY = "counterfoil:worker-heartbeat"
HEARTBEAT_SECONDS = 60  # the key's life: no worker has beaten for this long when it is gone
OUTBOX_LAG = timedelta(minutes=2)


def redis_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def heartbeat() -> None:
    """Written by a worker on schedule: proof that scheduler, broker and worker work together."""
    redis_client().set(HEARTBEAT_KEY, timezone.now().isoformat(), ex=HEARTBEAT_SECONDS)


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "up"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when everything answers, else 503 naming what does not."""
    found = {name: _outcome(check) for name, check in CHECKS.items()}
    ready = all(word == "ok" for word in found.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": found}, status=200 if ready else 503)


def _outcome(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError) as exc:
        return type(exc).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _redis() -> str:
    redis_client().ping()
    return "ok"


def _worker() -> str:
    return "ok" if redis_client().exists(HEARTBEAT_KEY) else f"no heartbeat for {HEARTBEAT_SECONDS} s"


def _outbox() -> str:
    oldest = Fact.objects.filter(published_at=None).order_by("created_at").values_list("created_at", flat=True).first()
    late = oldest is not None and timezone.now() - oldest > OUTBOX_LAG
    return f"oldest unpublished fact is of {oldest:%Y-%m-%d %H:%M:%S}" if late and oldest else "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "worker": _worker,
    "outbox": _outbox,
}


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; needs the bearer METRICS_TOKEN wherever one is set."""
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    given = request.META.get("HTTP_AUTHORIZATION", "")
    if settings.METRICS_TOKEN and not hmac.compare_digest(given.encode(), wanted.encode()):
        return HttpResponse("Unauthorized\n", status=401, content_type="text/plain")
    answer: HttpResponse = ExportToDjangoView(request)  # gathers all processes when PROMETHEUS_MULTIPROC_DIR is set
    return answer
