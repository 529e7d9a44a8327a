"""When periods close and when they are paid: month ends, leap years, weekends, and clocks that jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reconciliation.settlement.calendar import Cycle, closing_days, cut_off_at, last_closing_day, pay_on


@pytest.mark.parametrize(
    ("zone", "day", "cut_off", "expected"),
    [
        ("Asia/Kuala_Lumpur", date(2026, 3, 2), time(0, 0), datetime(2026, 3, 2, 16, 0, tzinfo=UTC)),
        ("Asia/Kuala_Lumpur", date(2026, 3, 2), time(17, 30), datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 12, 31), time(0, 0), datetime(2026, 12, 31, 18, 15, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 7), time(17, 0), datetime(2026, 3, 7, 22, 0, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), time(2, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),  # is skipped
        ("America/New_York", date(2026, 3, 8), time(17, 0), datetime(2026, 3, 8, 21, 0, tzinfo=UTC)),
        (
            "America/New_York",
            date(2026, 11, 1),
            time(1, 30),
            datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        ),  # comes twice: the first
        ("Europe/London", date(2026, 3, 28), time(0, 0), datetime(2026, 3, 29, 0, 0, tzinfo=UTC)),
        ("Europe/London", date(2026, 3, 29), time(0, 0), datetime(2026, 3, 29, 23, 0, tzinfo=UTC)),
        (
            "America/Santiago",
            date(2026, 9, 5),
            time(0, 0),
            datetime(2026, 9, 6, 4, 0, tzinfo=UTC),
        ),  # midnight itself is skipped
        ("Pacific/Auckland", date(2026, 4, 5), time(2, 30), datetime(2026, 4, 4, 13, 30, tzinfo=UTC)),
    ],
)
def test_the_cut_off_is_in_the_merchants_zone(zone: str, day: date, cut_off: time, expected: datetime) -> None:
    assert cut_off_at(day, cut_off, ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/London", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"]
)
@pytest.mark.parametrize("cut_off", [time(0, 0), time(0, 30), time(1, 59), time(2, 30), time(23, 59, 59)])
def test_cut_offs_follow_one_another_all_year(zone: str, cut_off: time) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]

    moments = [cut_off_at(day, cut_off, ZoneInfo(zone)) for day in days]

    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert timedelta(hours=22) < min(gaps) <= max(gaps) < timedelta(hours=26)


@pytest.mark.parametrize(
    ("cycle", "weekday", "expected"),
    [
        (Cycle.DAILY, None, 60),
        (
            Cycle.WEEKLY,
            5,
            [date(2028, 2, 4), date(2028, 2, 11), date(2028, 2, 18), date(2028, 2, 25), date(2028, 3, 3)],
        ),
        (Cycle.MONTHLY, None, [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)]),
    ],
)
def test_closing_days(cycle: Cycle, weekday: int | None, expected: object) -> None:
    found = closing_days(after=date(2028, 1, 30), until=date(2028, 3, 30), cycle=cycle, weekday=weekday)
    if cycle is Cycle.DAILY:
        assert (len(found), found[0], found[-1]) == (60, date(2028, 1, 31), date(2028, 3, 30))
    elif cycle is Cycle.MONTHLY:
        assert [*found, *closing_days(after=date(2028, 3, 30), until=date(2028, 4, 29), cycle=cycle)] == expected
    else:
        assert [day for day in found if day > date(2028, 1, 31)][:5] == expected


def test_the_last_closing_day_is_never_far() -> None:
    assert last_closing_day(date(2026, 3, 30), Cycle.MONTHLY) == date(2026, 2, 28)
    assert last_closing_day(date(2026, 3, 31), Cycle.MONTHLY) == date(2026, 3, 31)
    assert last_closing_day(date(2026, 3, 2), Cycle.WEEKLY, 1) == date(2026, 3, 2)
    assert last_closing_day(date(2026, 3, 1), Cycle.WEEKLY, 1) == date(2026, 2, 23)


@pytest.mark.parametrize(
    ("day", "business_days", "expected"),
    [
        (date(2026, 3, 2), 0, date(2026, 3, 2)),  # Monday
        (date(2026, 3, 2), 1, date(2026, 3, 3)),
        (date(2026, 3, 6), 1, date(2026, 3, 9)),  # Friday: over the weekend
        (date(2026, 3, 7), 0, date(2026, 3, 9)),  # Saturday
        (date(2026, 3, 7), 1, date(2026, 3, 10)),
        (date(2026, 12, 31), 2, date(2027, 1, 4)),
    ],
)
def test_paid_some_business_days_later(day: date, business_days: int, expected: date) -> None:
    assert pay_on(day, business_days) == expected


RAYA = {date(2026, 3, 20), date(2026, 3, 21), date(2026, 3, 23)}  # Friday, Saturday, Monday


@pytest.mark.parametrize(
    ("day", "business_days", "expected"),
    [
        (date(2026, 3, 18), 1, date(2026, 3, 19)),
        (date(2026, 3, 19), 1, date(2026, 3, 24)),  # over the holidays and the weekend between them
        (date(2026, 3, 19), 2, date(2026, 3, 25)),
        (date(2026, 3, 20), 0, date(2026, 3, 24)),
        (date(2026, 3, 22), 1, date(2026, 3, 25)),  # from Sunday: Tuesday is the first business day
    ],
)
def test_bank_holidays_are_no_business_days(day: date, business_days: int, expected: date) -> None:
    assert pay_on(day, business_days, RAYA) == expected
