"""Amounts and times as they are written in each language (separators and order of CLDR); times in the merchant's zone, and saying so."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from common.money import Money
from payments.pay.texts import MONTHS

_SEPARATORS = {"en": (",", "."), "ms": (",", "."), "vi": (".", ","), "km": (".", ",")}  # of thousands, of decimals


def amount(money: Money, language: str) -> str:
    """All digits of the currency, grouped: "1,234.50"."""
    group, point = _SEPARATORS[language]
    whole, _, cents = str(money).partition(".")
    return f"{int(whole):,}".replace(",", group) + (point + cents if cents else "")


def day(at: datetime, language: str, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    month = MONTHS[language][local.month - 1]
    return f"{local.day} {month}, {local.year}" if language == "vi" else f"{local.day} {month} {local.year}"


def clock(at: datetime, zone: str) -> str:
    """Hours and minutes with their distance from UTC: "14:05 (GMT+8)"."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M} ({_offset(local.utcoffset() or timedelta())})"


def moment(at: datetime, language: str, zone: str) -> str:
    return f"{day(at, language, zone)}, {clock(at, zone)}"


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return "GMT" + (f"{sign}{minutes // 60}" if minutes else "") + (f":{minutes % 60:02}" if minutes % 60 else "")
