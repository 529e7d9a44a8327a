"""Money is an integer count of minor units and an ISO 4217 currency; it never meets a float.

The exponent table is ISO 4217's (contracts: KHR 2, VND 0); a rail that differs (KHQR: KHR without decimals) says so where
it formats. Wire literals are accepted by one regular expression only, because Decimal() would also take "1e2", " 1", "1_0" and
non-ASCII digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from iso4217 import Currency


class InvalidAmount(ValueError):
    """The text is not an amount in this currency."""


class UnknownCurrency(ValueError):
    """The text is not an ISO 4217 code of a currency that has minor units."""


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency` (upper-case ISO 4217 code). Raises UnknownCurrency."""
    try:
        digits = Currency(currency).exponent
    except ValueError as exc:
        raise UnknownCurrency(currency) from exc
    if digits is None:
        raise UnknownCurrency(currency)
    return int(digits)


@lru_cache(maxsize=8)
def _literal(digits: int) -> re.Pattern[str]:
    fraction = rf"(?:\.([0-9]{{1,{digits}}}))?" if digits else "()"
    return re.compile(rf"(0|[1-9][0-9]{{0,14}}){fraction}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (sen, cents, dong) of one currency."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read a wire literal such as "100.50". Raises InvalidAmount or UnknownCurrency; never rounds."""
        digits = exponent(currency)
        found = _literal(digits).fullmatch(text) if text.isascii() else None
        if found is None:
            raise InvalidAmount(text)
        fraction = (found.group(2) or "").ljust(digits, "0")
        return cls(int(found.group(1) + fraction), currency)

    def __str__(self) -> str:
        """The exact decimal string with all digits of the currency, "100.50"."""
        digits = exponent(self.currency)
        sign, whole = ("-", -self.minor) if self.minor < 0 else ("", self.minor)
        if not digits:
            return f"{sign}{whole}"
        text = str(whole).rjust(digits + 1, "0")
        return f"{sign}{text[:-digits]}.{text[-digits:]}"

    def text(self) -> str:
        """In a sentence for people, "12,617,085.72 MYR"; never on the wire."""
        return f"{self.decimal():,} {self.currency}"

    def decimal(self) -> Decimal:
        return Decimal(str(self))

    def _same(self, other: Money) -> None:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)
