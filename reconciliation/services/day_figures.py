"""How a source's day stands: what is in, what is matched, what is open, and the difference that nobody has explained.

The difference is theirs less ours, each item counted once: of the lines in open breaks, less the operations in them that we booked; for the
bank its lines less the remittances and the payouts; a fee that is higher than agreed counts against us.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection

from common.money import Money
from reconciliation.matching.booked import BOOKED, BOOKED_CURRENCY
from reconciliation.models import (
    Break,
    Controls,
    QuarantinedLine,
    QuarantineState,
    ReconciliationRun,
    Source,
    Statement,
    StatementState,
)
from reconciliation.services.expected import missing_keys
from reconciliation.sources import day_ends_at


@dataclass(frozen=True, slots=True)
class DayFigures:
    """`missing`: account keys without a complete statement. `unexplained`: per currency in minor units. `not_compared`: lines that no run has seen."""

    files: int
    missing: list[str]
    lines: int
    quarantined: int
    controls_off: int  # statements whose control totals differ, because lines were discarded
    not_compared: int
    compared: bool
    open_breaks: int
    kinds: dict[str, int]
    unexplained: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return self.compared and not (
            self.missing or self.quarantined or self.controls_off or self.not_compared or self.open_breaks
        )

    @property
    def ready(self) -> bool:
        """Whether everything that is in has been compared, so that people may sign what is left."""
        return self.compared and not self.not_compared

    def open_points(self) -> list[str]:
        """What keeps the day from being closed without a second person, a sentence each."""
        found = []
        if not self.compared or self.not_compared:
            found.append("It has not been compared since the last statement came: compare it now.")
        if self.missing:
            found.append(
                f"No complete statement of {', '.join(self.missing[:5])}{' and more' if len(self.missing) > 5 else ''}."
            )
        if self.quarantined:
            found.append(f"{self.quarantined} lines are in quarantine.")
        if self.controls_off:
            found.append(f"The control totals of {self.controls_off} statements differ: lines were discarded.")
        if self.open_breaks:
            found.append(f"{self.open_breaks} breaks are open, unexplained: {amounts_text(self.unexplained)}.")
        return found

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def amounts_text(minor: dict[str, int]) -> str:
    """ "MYR -12.50, USD 3.00"; "0.00" when there is none."""
    return (
        ", ".join(f"{currency} {Money(value, currency).decimal():,}" for currency, value in sorted(minor.items()))
        or "0.00"
    )


def day_figures(*, provider: str, live: bool, day: date) -> DayFigures:
    """Count the day as it stands now. Reads only."""
    of_day: dict[str, Any] = {"provider": provider, "live": live, "day": day}
    imported = Statement.objects.filter(**of_day, state=StatementState.IMPORTED)
    source = Source.objects.get(pk=provider)
    last_run = (
        ReconciliationRun.objects.filter(**of_day, ended_at__isnull=False)
        .order_by("-started_at")
        .values_list("started_at")
        .first()
    )
    open_breaks = Break.objects.filter(**of_day, resolved_at=None)
    kinds: dict[str, int] = {}
    for kind in open_breaks.order_by("kind", "id").values_list("kind", flat=True):
        kinds[kind] = kinds.get(kind, 0) + 1
    with connection.cursor() as cursor:
        cursor.execute(_LINES, of_day)
        lines, not_compared = cursor.fetchone()
    unseen = last_run is None or imported.filter(imported_at__gt=last_run[0]).exists()
    return DayFigures(
        files=imported.count(),
        missing=missing_keys(source, live, [day])[day],
        lines=lines,
        controls_off=imported.filter(controls=Controls.DIFFERS).count(),
        quarantined=QuarantinedLine.objects.filter(statement__in=imported, state=QuarantineState.OPEN).count(),
        not_compared=not_compared,
        compared=not unseen,
        open_breaks=sum(kinds.values()),
        kinds=kinds,
        unexplained=unexplained(provider=provider, live=live, day=day),
    )


def unexplained(*, provider: str, live: bool, day: date | None = None) -> dict[str, int]:
    """The open difference of a day (None: of all days), per currency in minor units; a currency without one is left out."""
    with connection.cursor() as cursor:
        cursor.execute(_UNEXPLAINED, {"provider": provider, "live": live, "day": day})
        return {currency: int(minor) for currency, minor in cursor.fetchall()}


def is_over(provider: str, day: date, now: datetime) -> bool:
    return now >= day_ends_at(Source.objects.get(pk=provider), day)


_LINES = """
WITH of_day AS (SELECT id FROM statement WHERE provider = %(provider)s AND live = %(live)s AND day = %(day)s)
SELECT (SELECT count(*) FROM statement_line l JOIN of_day s ON s.id = l.statement_id)
           + (SELECT count(*) FROM bank_line l JOIN of_day s ON s.id = l.statement_id),
       (SELECT count(*) FROM statement_line l JOIN of_day s ON s.id = l.statement_id
        WHERE NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
            AND NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.line_id = l.id AND b.resolved_at IS NULL))
           + (SELECT count(*) FROM bank_line l JOIN of_day s ON s.id = l.statement_id
              WHERE NOT EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.bank_line_id = l.id)
                  AND NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.bank_line_id = l.id AND b.resolved_at IS NULL))
"""

# Each item once a day: a line or an operation may be in several breaks.
_ITEMS = f"""
item AS (
    SELECT DISTINCT b.provider, b.live, b.day, 'line' AS what, l.id::text AS id, l.currency, l.amount_minor AS minor
    FROM open_break b JOIN statement_line l ON l.id = b.line_id
    WHERE NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
    UNION ALL
    SELECT DISTINCT b.provider, b.live, b.day, 'operation', o.id, {BOOKED_CURRENCY}, CASE WHEN o.kind = 'REFUND' THEN 1 ELSE -1 END * {BOOKED}
    FROM open_break b JOIN operation o ON o.id = b.operation_id
    WHERE {BOOKED} IS NOT NULL AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = o.id)
    UNION ALL
    SELECT b.provider, b.live, b.day, 'fee', b.id::text, b.their_currency, b.our_minor - b.their_minor
    FROM open_break b WHERE b.kind = 'FEE_MISMATCH'
    UNION ALL
    SELECT DISTINCT b.provider, b.live, b.day, 'bank line', l.id::text, l.currency, l.amount_minor
    FROM open_break b JOIN bank_line l ON l.id = b.bank_line_id
    WHERE NOT EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.bank_line_id = l.id)
    UNION ALL
    SELECT DISTINCT b.provider, b.live, b.day, 'remittance', r.id, r.currency, -r.net_minor
    FROM open_break b JOIN remittance r ON r.id = b.remittance_id
    WHERE NOT EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.remittance_id = r.id)
    UNION ALL
    SELECT DISTINCT b.provider, b.live, b.day, 'payout', p.id, p.currency, p.amount_minor
    FROM open_break b JOIN payout p ON p.id = b.payout_id WHERE p.state = 'SENT'
)"""  # noqa: S608 -- constants

_UNEXPLAINED = f"""
WITH open_break AS (
    SELECT * FROM reconciliation_break
    WHERE provider = %(provider)s AND live = %(live)s AND (%(day)s::date IS NULL OR day = %(day)s) AND resolved_at IS NULL
), {_ITEMS}
SELECT currency, sum(minor) FROM item GROUP BY currency HAVING sum(minor) <> 0 ORDER BY currency
"""  # noqa: S608 -- constants of this module

UNEXPLAINED_BY_DAY = f"""
WITH open_break AS (
    SELECT * FROM reconciliation_break WHERE day BETWEEN %(first)s AND %(last)s AND resolved_at IS NULL
), {_ITEMS}
SELECT provider, live, day, currency, sum(minor) FROM item GROUP BY 1, 2, 3, 4 HAVING sum(minor) <> 0
"""  # noqa: S608 -- constants of this module
