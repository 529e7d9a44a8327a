"""The schedule's message. Unknown arguments of later releases are ignored."""

from __future__ import annotations

from datetime import date
from typing import Any

from celery import shared_task
from django.utils import timezone

from common.changes import Actor
from reconciliation.services.compare import day_fetch
from reconciliation.services.nightly import close_recent_days, reconcile_recent_days
from reconciliation.services.payout_files import SENDER, payouts_send
from reconciliation.services.payouts import payouts_tidy
from reconciliation.services.reconcile import reconcile_day
from reconciliation.services.settle_all import settle_yesterday


@shared_task(name="reconciliation.nightly")
def nightly(**_later: Any) -> None:
    reconcile_recent_days(clock=timezone.now)


@shared_task(name="reconciliation.close_clean_days")
def close_clean(**_later: Any) -> None:
    close_recent_days(now=timezone.now())


@shared_task(name="reconciliation.compare")
def compare(*, provider: str, live: str, day: str, actor: str = "system:compare", **_later: Any) -> None:
    reconcile_day(
        provider=provider,
        live=live == "True",
        day=date.fromisoformat(day),
        actor=Actor(actor),
        now=timezone.now(),
    )


@shared_task(name="reconciliation.fetch")
def fetch(*, provider: str, live: str, day: str, actor: str, **_later: Any) -> None:
    day_fetch(
        provider=provider, live=live == "True", day=date.fromisoformat(day), actor=Actor(actor), clock=timezone.now
    )


@shared_task(name="reconciliation.settle")
def settle(**_later: Any) -> None:
    settle_yesterday(now=timezone.now())


@shared_task(name="reconciliation.send_payouts")
def send_payouts(**_later: Any) -> None:
    now = timezone.now()
    payouts_tidy(actor=SENDER, now=now)
    payouts_send(now=now)
