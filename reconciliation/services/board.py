"""How the last days stand, source by source: a handful of statements for the whole board, however many lines there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from reconciliation.models import (
    CloseState,
    Controls,
    DayClose,
    QuarantineState,
    ReconciliationRun,
    Statement,
    StatementState,
)
from reconciliation.models.day import LAST
from reconciliation.services.day_figures import UNEXPLAINED_BY_DAY
from reconciliation.services.expected import expected_keys, missing_keys, modes_of, sources
from reconciliation.sources import day_ends_at, due_at, zone_of

AGES = (("< 1 day", 1), ("1-3 days", 4), ("4-7 days", 8), ("> 7 days", None))

Key = tuple[str, bool, date]


@dataclass(slots=True)
class DayCell:
    """One source's day in one mode. `expected`: how many accounts owe a statement; `files`: of how many it is complete."""

    provider: str
    live: bool
    day: date
    expected: int = 0
    files: int = 0
    refused: int = 0
    lines: int = 0
    matched: int = 0
    compared: bool = False
    quarantined: int = 0
    controls_off: int = 0
    over: bool = True
    late: bool = False
    due_at: datetime | None = None
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
        if not self.over or not (self.expected or self.lines) or (self.waits and not self.late):
            return "neutral"
        if self.refused or self.waits:
            return "danger"
        return "warning" if self.breaks or self.quarantined or not self.compared or self.closing else "neutral"

    @property
    def waits(self) -> bool:
        """Whether a statement is still to come."""
        return self.files < self.expected


def board(*, days: Sequence[date], now: datetime) -> dict[tuple[str, bool], list[DayCell]]:
    """For each source and mode that has accounts, its cells in the order of `days`."""
    shown: dict[tuple[str, bool], list[DayCell]] = {}
    cells: dict[Key, DayCell] = {}
    for source in sources():
        for live in modes_of(source):
            wanted, missing = expected_keys(source, live, days), missing_keys(source, live, days)
            row = shown[source.code, live] = []
            for day in days:
                cell = DayCell(
                    source.code,
                    live,
                    day,
                    expected=len(wanted[day]),
                    files=len(wanted[day]) - len(missing[day]),
                    over=now >= day_ends_at(source, day),
                    due_at=due_at(source, day),
                    late=now >= due_at(source, day),
                )
                row.append(cell)
                cells[source.code, live, day] = cell
    if not cells:
        return shown
    since = {"day__gte": min(days), "day__lte": max(days)}
    _files(cells, since)
    _runs(cells, since)
    _breaks(cells, since, now)
    for closing in DayClose.objects.filter(LAST, **since):
        if (closing.provider, closing.live, closing.day) in cells:
            cells[closing.provider, closing.live, closing.day].closing = closing
    return shown


def _files(cells: dict[Key, DayCell], since: dict[str, Any]) -> None:
    rows = Statement.objects.filter(**since).annotate(
        open_lines=Count("quarantined_lines", filter=Q(quarantined_lines__state=QuarantineState.OPEN))
    )
    for statement in rows.only("provider", "live", "day", "state", "controls", "new_line_count"):
        cell = cells.get((statement.provider, statement.live, statement.day))
        if cell is None:
            continue
        if statement.state != StatementState.IMPORTED:
            cell.refused += statement.state == StatementState.REFUSED
            continue
        cell.lines += statement.new_line_count
        cell.quarantined += statement.open_lines
        cell.controls_off += statement.controls == Controls.DIFFERS


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
    """Today, where it is latest, and the days before it, the newest first."""
    newest = max((now.astimezone(zone_of(source)).date() for source in sources()), default=now.date())
    return [newest - timedelta(days=back) for back in range(count)]


_OPEN_BY_AGE = """
SELECT provider, live, day, floor(extract(epoch FROM %s - first_seen_at) / 86400)::int, count(*)
FROM reconciliation_break WHERE resolved_at IS NULL AND day BETWEEN %s AND %s GROUP BY 1, 2, 3, 4
"""
