"""The sources that come with the product, as data, and when their statements are due.

A provider's contract is a setting: what is here is only how a source begins. `sync_sources` runs after every migrate and adds what is not there;
what an operator has changed stays.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from common.database import is_as_here
from reconciliation.models import FileFormat, Side, Source
from reconciliation.settlement.calendar import business_day

DEFAULTS: tuple[dict[str, Any], ...] = (
    {
        "code": "fpx",
        "name": "FPX",
        "format": FileFormat.FPX,
        "approved": "00",
        "fee_fixed_minor": 50,
        "fee_fixed_business_minor": 100,
    },
    {"code": "migs", "name": "MIGS", "format": FileFormat.MIGS, "approved": "0", "fee_basis_points": 150},
    {
        "code": "vnpay",
        "name": "VNPay",
        "format": FileFormat.VNPAY,
        "approved": "00",
        "zone": "Asia/Ho_Chi_Minh",
        "fee_basis_points": 110,
    },
    {
        "code": "amk",
        "name": "AMK",
        "format": FileFormat.AMK,
        "approved": "SUCCESS",
        "zone": "Asia/Phnom_Penh",
        "fee_basis_points": 100,
    },
)


def sync_sources(**_signal: Any) -> None:
    """Add the sources of DEFAULTS that are not there."""
    if not is_as_here(Source):
        return
    Source.objects.bulk_create(
        [Source(**{"side": Side.PROVIDER} | values) for values in DEFAULTS], ignore_conflicts=True
    )


def providers() -> QuerySet[Source]:
    """The active sources whose lines are compared with our operations."""
    return Source.objects.filter(side=Side.PROVIDER, is_active=True)


def zone_of(source: Source) -> ZoneInfo:
    return ZoneInfo(source.zone)


def due_at(source: Source, day: date) -> datetime:
    """From when on a missing statement of the source's `day` is late."""
    return datetime.combine(day + timedelta(days=source.due_days), source.due_time, zone_of(source))


def remit_on(source: Source, day: date) -> date:
    """When the bank should have the money of the source's `day`; of a source with a calendar, on a business day."""
    due = day + timedelta(days=source.remit_days)
    return business_day(due, source.calendar.days) if source.calendar else due


def day_ends_at(source: Source, day: date) -> datetime:
    """When the source's day is over."""
    return datetime.combine(day + timedelta(days=1), time(), zone_of(source))


def yesterday(source: Source, now: datetime) -> date:
    """The last day of the source that is over at `now`."""
    return now.astimezone(zone_of(source)).date() - timedelta(days=1)
