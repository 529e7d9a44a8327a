"""Scheduled work of the floor."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from common.audit import seal_audit
from common.health import heartbeat


@shared_task(name="common.seal_audit")
def seal_audit_task(**_later: Any) -> None:
    while seal_audit(limit=5000) == 5000:
        pass


@shared_task(name="common.heartbeat")
def heartbeat_task(**_later: Any) -> None:
    heartbeat()
