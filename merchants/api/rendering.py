"""Values to JSON, exactly: amounts as the number that was meant, times in RFC 3339 UTC with milliseconds everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer

from common.money import Money


def render(value: Any) -> bytes:
    """Compact UTF-8 JSON. Money becomes an exact number (100.50), a datetime "2026-03-02T04:00:00.000Z"."""
    return orjson.dumps(
        value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
    )


def amount(minor: int, currency: str) -> orjson.Fragment:
    """An amount as an exact JSON number with all digits of its currency."""
    return orjson.Fragment(str(Money(minor, currency)))


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, milliseconds, Z."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _default(value: Any) -> Any:
    if isinstance(value, Money):
        return orjson.Fragment(str(value))
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(type(value).__name__)


class OrjsonRenderer(BaseRenderer):
    """For views that return a DRF Response; also what content negotiation offers."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else render(data)


CSV = "text/csv"


class CsvRenderer(BaseRenderer):
    """For content negotiation; the view streams by itself."""

    media_type = CSV
    format = "csv"
    charset = "utf-8"
