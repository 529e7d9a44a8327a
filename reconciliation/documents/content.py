"""What a settlement statement says, whatever the format: the parts of the net, what each payment type and day brought, and the lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from common.money import Money
from reconciliation.models import Settlement
from reconciliation.selectors import settlement_lines


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the calculation. `minor` is signed: what it adds to the net. `of`: it is part of the row before, not added again."""

    name: str
    minor: int
    of: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a payment type or a day brought."""

    name: str
    payments: int
    refunds: int
    gross_minor: int
    refund_minor: int
    dispute_minor: int
    fee_minor: int
    adjustment_minor: int

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refund_minor - self.dispute_minor - self.fee_minor + self.adjustment_minor


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, as the merchant knows it."""

    id: str
    at: datetime
    type: str
    transaction_id: str
    reference: str
    method: str
    gross_minor: int
    refund_minor: int
    dispute_minor: int
    fee_minor: int
    adjustment_minor: int

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refund_minor - self.dispute_minor - self.fee_minor + self.adjustment_minor


_TYPES = {"payment": "PAYMENT", "refund": "REFUND", "dispute": "DISPUTE"}


def line_type(fact_name: str) -> str:
    """PAYMENT, REFUND, DISPUTE or ADJUSTMENT: what the entry's fact is about."""
    return _TYPES.get(fact_name.partition(".")[0], "ADJUSTMENT")


@dataclass(frozen=True, slots=True)
class Content:
    """A statement. Times are shown in the merchant's zone."""

    settlement: Settlement
    zone: ZoneInfo

    @classmethod
    def of(cls, settlement: Settlement) -> Content:
        return cls(settlement, ZoneInfo(settlement.merchant.time_zone))

    @property
    def currency(self) -> str:
        return self.settlement.currency

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def parts(self) -> list[Part]:
        """The calculation, in the order of the constraint that holds it. Parts of the fee only where there are several."""
        s = self.settlement
        fees = [
            Part("by percentage", -s.fee_percentage_minor, of=True),
            Part("fixed", -s.fee_fixed_minor, of=True),
            Part("minimum and maximum", -s.fee_limit_minor, of=True),
            Part("other", -s.fee_other_minor, of=True),
        ]
        named = [part for part in fees if part.minor]
        return [
            Part("Payments", s.gross_minor),
            Part("Refunds", -s.refund_minor),
            Part("Disputes", -s.dispute_minor),
            Part("Fees", -s.fee_minor),
            *(named if len(named) > 1 else []),
            Part("Reserve held back", -s.reserve_held_minor),
            Part("Reserve released", s.reserve_released_minor),
            Part("Adjustments", s.adjustment_minor),
            Part("Carried over from the settlement before", s.carried_over_minor),
        ]

    def by_method(self) -> list[Summary]:
        return self._summaries("coalesce(nullif(t.method, ''), 'other')")

    def by_day(self) -> list[Summary]:
        """In the merchant's zone, first day first; the name is the date."""
        return self._summaries("to_char(l.booked_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD')")

    def lines(self) -> Iterator[Line]:
        """In the order of their booking, read as they are needed."""
        rows = settlement_lines(self.settlement.pk).order_by("booked_at", "entry_id")
        for row in rows.iterator(chunk_size=2000):
            yield line_of(row)

    def _summaries(self, name: str) -> list[Summary]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT {name}, count(*) FILTER (WHERE l.gross_minor > 0), count(*) FILTER (WHERE l.refund_minor > 0),
                           sum(l.gross_minor)::bigint, sum(l.refund_minor)::bigint, sum(l.dispute_minor)::bigint,
                           sum(l.fee_minor)::bigint, sum(l.adjustment_minor)::bigint
                    FROM settlement_line l JOIN journal_entry e ON e.id = l.entry_id
                    LEFT JOIN transaction t ON t.id = e.transaction_id
                    WHERE l.settlement_id = %(id)s GROUP BY 1 ORDER BY 1""",  # noqa: S608 -- constants of this class
                {"id": self.settlement.pk, "zone": self.zone.key},
            )
            return [Summary(*row) for row in cursor.fetchall()]


def line_of(row: Any) -> Line:
    """A row of `settlement_lines`."""
    return Line(
        row.id,
        row.created_at,
        line_type(row.fact_name),
        row.transaction_id or "",
        row.external_reference or "",
        row.method or "",
        row.gross_minor,
        row.refund_minor,
        row.dispute_minor,
        row.fee_minor,
        row.adjustment_minor,
    )


def day_text(day: date) -> str:
    """2 March 2026."""
    return f"{day:%-d %B %Y}"
