"""How the last days stand, source by source: a handful of statements for the whole board, however many lines there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from reconciliation.models import CloseState, DayClose, ReconciliationRun, Statement, StatementState
from reconciliation.models.day import LAST
from reconciliation.services.day_figures import UNEXPLAINED_BY_DAY
from reconciliation.services.fetch import accounts_of
from reconciliation.sources import day_ends_at, providers, zone_of

AGES = (("< 1 day", 1), ("1-3 days", 4), ("4-7 days", 8), ("> 7 days", None))

Key = tuple[str, bool, date]


@dataclass(slots=True)
class DayCell:
    """One source's day in one mode. `expected`: how many accounts owe a statement; `files`: how many are complete."""

    provider: str
    live: bool
    day: date
    expected: int = 0
    files: int = 0
    refused: int = 0
    lines: int = 0
    matched: int = 0
    compared: bool = False
    over: bool = True
    breaks: int = 0
    by_age: dict[str, int] = field(default_factory=dict)
    unexplained: dict[str, int] = field(default_factory=dict)
    closing: DayClose | None = None

    @property
    def closed(self) -> bool:
        return self.closing is not None and self.closing.state == CloseState.CLOSED

    @property
    def tone(self) -> str:
        """How urgent: green is done, orange is work, red is late or in the way."""
        if self.closed:
            return "success"
        if not self.over or (not self.expected and not self.files):
            return "neutral"
        if self.refused or self.files < self.expected:
            return "danger"
        return "warning" if self.breaks or not self.compared or self.closing else "neutral"


def board(*, days: Sequence[date], now: datetime) -> dict[tuple[str, bool], list[DayCell]]:
    """For each source and mode that has accounts, its cells in the order of `days`."""
    shown: dict[tuple[str, bool], list[DayCell]] = {}
    cells: dict[Key, DayCell] = {}
    ends: dict[tuple[str, date], datetime] = {}
    for source in providers():
        provider, accounts = source.code, accounts_of(source.code)
        for live in sorted({account.live for account in accounts}, reverse=True):
            row = shown[provider, live] = []
            for day in days:
                end = ends[provider, day] = day_ends_at(source, day)
                expected = sum(account.live == live and account.created_at < end for account in accounts)
                cell = DayCell(provider, live, day, expected=expected, over=now >= end)
                row.append(cell)
                cells[provider, live, day] = cell
    if not cells:
        return shown
    since = {"day__gte": min(days), "day__lte": max(days)}
    _files(cells, ends, since)
    _runs(cells, since)
    _breaks(cells, since, now)
    for closing in DayClose.objects.filter(LAST, **since):
        if (closing.provider, closing.live, closing.day) in cells:
            cells[closing.provider, closing.live, closing.day].closing = closing
    return shown


def _files(cells: dict[Key, DayCell], ends: dict[tuple[str, date], datetime], since: dict[str, Any]) -> None:
    complete: dict[Key, set[Any]] = defaultdict(set)
    rows = Statement.objects.filter(**since).values_list(
        "provider", "live", "day", "state", "provider_account", "received_at", "new_line_count"
    )
    for provider, live, day, state, account, received_at, lines in rows:
        if (provider, live, day) not in cells:
            continue
        cell = cells[provider, live, day]
        if state == StatementState.REFUSED:
            cell.refused += 1
            continue
        cell.lines += lines
        if received_at >= ends[provider, day]:
            complete[provider, live, day].add(account)
    for key, accounts in complete.items():
        cells[key].files = max(cells[key].expected, 1) if None in accounts else len(accounts)


def _runs(cells: dict[Key, DayCell], since: dict[str, Any]) -> None:
    rows = ReconciliationRun.objects.filter(**since, ended_at__isnull=False).order_by("started_at")
    for run in rows.only("provider", "live", "day", "lines_matched", "started_at"):
        if (cell := cells.get((run.provider, run.live, run.day))) is not None:
            cell.matched, cell.compared = run.lines_matched, True


def _breaks(cells: dict[Key, DayCell], since: dict[str, Any], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_BY_AGE, [now, since["day__gte"], since["day__lte"]])
        for provider, live, day, days_old, count in cursor.fetchall():
            if (cell := cells.get((provider, live, day))) is not None:
                age = next(name for name, end in AGES if end is None or days_old < end)
                cell.by_age[age] = cell.by_age.get(age, 0) + count
                cell.breaks += count
        cursor.execute(UNEXPLAINED_BY_DAY, {"first": since["day__gte"], "last": since["day__lte"]})
        for provider, live, day, currency, minor in cursor.fetchall():
            if (cell := cells.get((provider, live, day))) is not None:
                cell.unexplained[currency] = int(minor)


def last_days_of_board(now: datetime, count: int = 14) -> list[date]:
    """Yesterday of the first source and the days before it, the newest first."""
    newest = max((now.astimezone(zone_of(source)).date() for source in providers()), default=now.date())
    return [newest - timedelta(days=back) for back in range(count)]


_OPEN_BY_AGE = """
SELECT provider, live, day, floor(extract(epoch FROM %s - first_seen_at) / 86400)::int, count(*)
FROM reconciliation_break WHERE resolved_at IS NULL AND day BETWEEN %s AND %s GROUP BY 1, 2, 3, 4
"""
