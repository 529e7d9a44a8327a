"""The schedule's message. Unknown arguments of later releases are ignored."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from reconciliation.services.nightly import close_recent_days, reconcile_yesterday


@shared_task(name="reconciliation.nightly")
def nightly(**_later: Any) -> None:
    reconcile_yesterday(now=timezone.now())


@shared_task(name="reconciliation.close_clean_days")
def close_clean(**_later: Any) -> None:
    close_recent_days(now=timezone.now())
