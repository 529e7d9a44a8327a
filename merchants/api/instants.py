"""Times as merchants send them: RFC 3339 with an offset, because a time without one could mean any hour."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
EXPECTED = "Send a time such as 2026-03-02T04:00:00Z (encode + as %2B)."


def read_instant(text: str) -> datetime:
    """In UTC, whatever its offset was. Raises ValueError: not a time, the 30th of February, a year that UTC does not have."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(text) from exc
