"""The providers' clock: every provider here lives in Asia/Kuala_Lumpur, so that is where its days begin and end."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")


def utc_now() -> datetime:
    return datetime.now(UTC)


def local(moment: datetime) -> datetime:
    return moment.astimezone(KUALA_LUMPUR)


def compact(moment: datetime) -> str:
    """`YYYYMMDDhhmmss` of the provider's clock, the form of FPX."""
    return local(moment).strftime("%Y%m%d%H%M%S")
