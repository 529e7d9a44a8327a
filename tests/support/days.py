"""Today, for tests at the real clock."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
_NEEDED = timedelta(seconds=30)


def whole_today(zone: ZoneInfo = KUALA_LUMPUR) -> date:
    """The day there, which lasts for the rest of the test: so close to midnight the next one is waited for."""
    while ((now := datetime.now(zone)) + _NEEDED).date() != now.date():
        time.sleep(1)
    return now.date()
