"""A message only says "look at row X now". Losing it, or the whole broker, delays the work until the next sweep.

So publishing happens after commit, never raises, and never waits: a committed payment must not answer 500 because Redis is away.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

_COALESCE_SECONDS = 0.2
_BROKER_DOWN_SECONDS = 2.0
_last_sent: dict[str, float] = {}
_broker_retry_at = 0.0


def nudge(task: str, **ids: str) -> None:
    """After commit, ask a worker to look at a row (or, without ids, at whatever is due)."""

    def publish() -> None:
        _publish(task, ids)

    transaction.on_commit(publish)


def nudge_coalesced(task: str) -> None:
    """Like nudge() without ids, at most every 0.2 s per process: for sweeps that take all that is due."""
    if time.monotonic() - _last_sent.get(task, 0.0) >= _COALESCE_SECONDS:
        _last_sent[task] = time.monotonic()
        nudge(task)


def _publish(task: str, ids: dict[str, Any]) -> None:
    global _broker_retry_at
    if time.monotonic() < _broker_retry_at:
        return  # the broker was away a moment ago: do not make every request wait for its timeout
    try:
        current_app.signature(task, kwargs=ids).apply_async(retry=False)
    except (OperationalError, OSError) as exc:
        _broker_retry_at = time.monotonic() + _BROKER_DOWN_SECONDS
        log.warning("queue.nudge_lost", task=task, error=type(exc).__name__, **ids)
