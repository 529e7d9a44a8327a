"""The nightly job: yesterday's statements of every bank and active provider account, then the comparison. One at a time; resumable.

It may run as often as the schedule likes: what is complete is left alone, an account that could not be reached is tried again, and the
comparison runs only when there is something it has not seen.
"""

from __future__ import annotations

from datetime import date, datetime

import structlog

from common.changes import Actor
from reconciliation.models import DayClose, ReconciliationRun, Side, Source, Statement, StatementState
from reconciliation.services.closing import close_clean_days, last_days
from reconciliation.services.expected import modes_of, sources
from reconciliation.services.fetch import accounts_of, bank_accounts_of, bank_statement_fetch, statement_fetch
from reconciliation.services.locks import only_one
from reconciliation.services.reconcile import reconcile_day
from reconciliation.sources import due_at, providers, yesterday

log = structlog.get_logger(__name__)

ACTOR = Actor("system:nightly")
CLOSED_WITHIN = 14  # days; an older one that is still open waits for people


def reconcile_yesterday(*, now: datetime) -> list[ReconciliationRun]:
    """Fetch, import and compare. Returns the runs it made; none if another nightly job is at it."""
    with only_one("nightly") as mine:
        if not mine:
            log.info("nightly.already_running")
            return []
        runs = []
        for source in providers():
            provider, day = source.code, yesterday(source, now)
            accounts = accounts_of(provider)
            for account in accounts:
                statement_fetch(account=account, day=day, actor=ACTOR, now=now)
            for live in sorted({account.live for account in accounts}):
                if _unseen(source, live, day, now):
                    runs.append(reconcile_day(provider=provider, live=live, day=day, actor=ACTOR, now=now))
        for bank in Source.objects.filter(
            side=Side.BANK, is_active=True
        ):  # after the providers: their remittances are known
            day = yesterday(bank, now)
            for bank_account in bank_accounts_of(bank):
                bank_statement_fetch(account=bank_account, day=day, actor=ACTOR, now=now)
            for live in modes_of(bank):
                if _unseen(bank, live, day, now):
                    runs.append(reconcile_day(provider=bank.code, live=live, day=day, actor=ACTOR, now=now))
        return runs


def _unseen(source: Source, live: bool, day: date, now: datetime) -> bool:
    """Whether a statement of the day came after the last comparison, it became late since, or there has been no comparison."""
    provider = source.code
    of_day = {"provider": provider, "live": live, "day": day}
    last = ReconciliationRun.objects.filter(**of_day, ended_at__isnull=False).order_by("-started_at").first()
    statements = Statement.objects.filter(**of_day, state=StatementState.IMPORTED)
    if last is None or statements.filter(received_at__gt=last.started_at).exists():
        return True
    return last.started_at < due_at(source, day) <= now


def close_recent_days(*, now: datetime) -> list[DayClose]:
    """Close what is clean of the last two weeks, the oldest day first; a day that people opened again is theirs to close."""
    closed = []
    for source in sources():
        provider, days = source.code, last_days(yesterday(source, now), CLOSED_WITHIN)[::-1]
        for live in modes_of(source):
            touched = set(
                DayClose.objects.filter(provider=provider, live=live, day__in=days).values_list("day", flat=True)
            )
            compared = set(
                ReconciliationRun.objects.filter(
                    provider=provider, live=live, day__in=days, ended_at__isnull=False
                ).values_list("day", flat=True)
            )
            wanted = [(provider, live, day) for day in days if day in compared and day not in touched]
            closed += close_clean_days(days=wanted, actor=ACTOR, now=now)
    return closed
