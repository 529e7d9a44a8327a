"""Test amounts: 1.00 to 9.00 ask for a behaviour, any other amount follows the payer. Pure."""

from __future__ import annotations

from enum import IntEnum

from common.money import Money, exponent


class Trigger(IntEnum):
    """What an amount of this many units (1.00; 1000 where the currency has no decimals) makes the provider do."""

    NONE = 0
    SUCCEEDS = 1
    DECLINED = 2
    INSUFFICIENT_FUNDS = 3
    SILENT = 4  # acts, then never answers
    ERROR_BEFORE = 5  # answers HTTP 500 and has not acted
    THRICE = 6  # the callback comes three times
    CONTRADICTED = 7  # a `failed` callback follows the `success` one; the books say success
    EARLY = 8  # the callback comes before the request is answered
    OTHER_AMOUNT = 9  # acts with one unit more than asked


def unit(currency: str) -> int:
    """Minor units of the "1.00" of the test amounts."""
    digits = exponent(currency)
    return int(10**digits) if digits else 1000


def trigger_of(amount: Money) -> Trigger:
    units, rest = divmod(amount.minor, unit(amount.currency))
    return Trigger(units) if rest == 0 and 1 <= units <= 9 else Trigger.NONE


def one_more(amount: Money) -> Money:
    return Money(amount.minor + unit(amount.currency), amount.currency)
