"""Scheduled and nudged work of the notifications app. Unknown arguments of later releases are ignored."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from notifications.services import deliver, dispatch


@shared_task(name="notifications.relay_outbox")
def relay_outbox(**_later: Any) -> None:
    dispatch.relay_outbox(now=timezone.now())


@shared_task(name="notifications.deliver_due")
def deliver_due(**_later: Any) -> None:
    deliver.deliver_due()
