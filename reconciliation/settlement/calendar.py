"""When periods close and when they are paid, in the merchant's own time zone. Pure.

A closing day ends at the cut-off: 00:00 is the midnight that ends the day, any other time is on the day itself. A time that the clocks skip counts
with the offset before, one that they show twice is the first of the two; so cut-offs always follow one another.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MIDNIGHT = time(0, 0)
_SATURDAY = 5


class Cycle(StrEnum):
    """How often a merchant is settled."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"  # on one day of the week
    MONTHLY = "MONTHLY"  # on the last day of the month


def closes_on(day: date, cycle: Cycle, weekday: int | None = None) -> bool:
    """Whether a period closes on `day`. `weekday`: 1 is Monday, 7 Sunday; of weekly cycles only."""
    match cycle:
        case Cycle.WEEKLY:
            return day.isoweekday() == weekday
        case Cycle.MONTHLY:
            return (day + timedelta(days=1)).day == 1
    return True


def closing_days(*, after: date, until: date, cycle: Cycle, weekday: int | None = None) -> list[date]:
    """The closing days after `after`, up to and with `until`, in order."""
    days = (after + timedelta(days=n) for n in range(1, (until - after).days + 1))
    return [day for day in days if closes_on(day, cycle, weekday)]


def last_closing_day(until: date, cycle: Cycle, weekday: int | None = None) -> date:
    """The latest closing day that is not after `until`."""
    return closing_days(after=until - timedelta(days=31), until=until, cycle=cycle, weekday=weekday)[-1]


def cut_off_at(day: date, cut_off: time, zone: ZoneInfo) -> datetime:
    """The first moment that belongs to the next period, in UTC."""
    on = day + timedelta(days=1) if cut_off == MIDNIGHT else day
    return datetime.combine(on, cut_off, tzinfo=zone).astimezone(UTC)


def business_day(day: date, holidays: Set[date] = frozenset()) -> date:
    """`day`, or the first after it that is no Saturday, Sunday or holiday."""
    while day.weekday() >= _SATURDAY or day in holidays:
        day += timedelta(days=1)
    return day


def pay_on(day: date, business_days: int, holidays: Set[date] = frozenset()) -> date:
    """T + n: so many business days after `day`. T + 0 on a day that is none is the next one that is."""
    found = business_day(day, holidays)
    for _ in range(business_days):
        found = business_day(found + timedelta(days=1), holidays)
    return found
