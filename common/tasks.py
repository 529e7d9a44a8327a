"""Scheduled work of the floor."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from common.approvals import expire_proposals
from common.audit import seal_audit
from common.changes import Actor
from common.health import heartbeat


@shared_task(name="common.seal_audit")
def seal_audit_task(**_later: Any) -> None:
    while seal_audit(limit=5000) == 5000:
        pass


@shared_task(name="common.heartbeat")
def heartbeat_task(**_later: Any) -> None:
    heartbeat()


@shared_task(name="common.expire_proposals")
def expire_proposals_task(**_later: Any) -> None:
    expire_proposals(actor=Actor("system:expire_proposals"), now=timezone.now())
