"""The nightly job: the last days' statements of every bank and active provider account, then the comparison. One at a time; resumable.

It may run as often as the schedule likes: what is complete is left alone, an account that could not be reached is tried again, and the
comparison runs only when there is something it has not seen. A week back, until a day is closed: a statement may come late, and a day whose
statement is due only after the night's last run is judged by the next night's. What is wrong with one account or comparison is logged by name
and does not keep the others waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import structlog

from common.apart import apart
from common.changes import Actor
from reconciliation.models import (
    CloseState,
    DayClose,
    ReconciliationRun,
    Side,
    Source,
    Statement,
    StatementState,
)
from reconciliation.models.day import LAST
from reconciliation.services.closing import close_clean_days, last_days
from reconciliation.services.expected import expected_keys, missing_keys, modes_of, sources
from reconciliation.services.fetch import Clock, fetch, fetched_accounts
from reconciliation.services.locks import only_one
from reconciliation.services.reconcile import reconcile_day
from reconciliation.sources import due_at, providers, yesterday

log = structlog.get_logger(__name__)

ACTOR = Actor("system:nightly")
RECONCILED_WITHIN = 7  # days; an older one that lacks something waits for people
_ASKED_IN_VAIN = 2  # days of an account in one run; the last one may just not be there yet, beyond that nobody answers
CLOSED_WITHIN = 14  # days; an older one that is still open waits for people


def reconcile_recent_days(*, clock: Clock) -> list[ReconciliationRun]:
    """Fetch, import and compare. Returns the runs it made; none if another nightly job is at it.

    The clock is read for each statement and each comparison: a provider that hangs makes the night long.
    """
    with only_one("nightly") as mine:
        if not mine:
            log.info("nightly.already_running")
            return []
        banks = Source.objects.filter(side=Side.BANK, is_active=True)
        everybody = [*providers(), *banks]  # in this order: then the providers' remittances are known
        return [run for source in everybody for live in modes_of(source) for run in _reconciled(source, live, clock)]


def _reconciled(source: Source, live: bool, clock: Clock) -> Iterator[ReconciliationRun]:
    """The runs of the source's days in one mode that lacked something and are not closed, the oldest first."""
    last = yesterday(source, clock())
    days = last_days(last, RECONCILED_WITHIN)
    closed = DayClose.objects.filter(LAST, provider=source.code, live=live, day__in=days, state=CloseState.CLOSED)
    days = sorted(set(days) - set(closed.values_list("day", flat=True)), reverse=True)
    missing = missing_keys(source, live, days)
    for account in fetched_accounts(source, live):
        lacking = [day for day in days if day == last or account.account_key in missing[day]]
        failed = 0
        while lacking and failed < _ASKED_IN_VAIN:
            day, fetched = lacking.pop(0), None
            with apart("nightly.not_fetched", account=str(account), day=day.isoformat()):
                fetched = fetch(account=account, day=day, actor=ACTOR, clock=clock)
            failed += fetched is None or fetched.statement is None
    wanted = expected_keys(source, live, days)
    for day in reversed(days):
        if _unseen(source, live, day, clock(), wanted=day == last or bool(wanted[day])):
            with apart("nightly.not_compared", provider=source.code, live=live, day=day.isoformat()):
                yield reconcile_day(provider=source.code, live=live, day=day, actor=ACTOR, now=clock())


def _unseen(source: Source, live: bool, day: date, now: datetime, *, wanted: bool) -> bool:
    """Whether a statement of the day came after the last comparison, it became late since, or it is `wanted` and was never compared."""
    provider = source.code
    of_day = {"provider": provider, "live": live, "day": day}
    last = ReconciliationRun.objects.filter(**of_day, ended_at__isnull=False).order_by("-started_at").first()
    statements = Statement.objects.filter(**of_day, state=StatementState.IMPORTED)
    if last is None:
        return wanted or statements.exists()
    return statements.filter(received_at__gt=last.started_at).exists() or last.started_at < due_at(source, day) <= now


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
