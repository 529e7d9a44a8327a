"""Amounts leave as exact decimal strings; nothing is ever rounded.

A float counts as what Python prints for it, up to the 15 digits that a float keeps: 99999999999999.99 is 99999999999999.98 before we see it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeAlias

Amount: TypeAlias = Decimal | int | str | float

_DIGITS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    0,
)
_DIGITS |= dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3) | {"CLF": 4, "UYW": 4}
_MOST_DIGITS = 4  # of any currency; without one the server, which knows the default, is stricter
_FLOAT_DIGITS = 15
_LITERAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def amount_text(amount: Amount, currency_code: str | None) -> str:
    """`amount` as it is sent: "1000.00" for 1000.0 in USD. Raises ValueError for what the currency cannot hold."""
    exact = _exact(amount)
    if not 0 < exact < 10**15:
        raise ValueError(f"{amount!r} is not above zero and below 10^15")
    digits = _MOST_DIGITS if currency_code is None else _DIGITS.get(currency_code, 2)
    whole, _, fraction = f"{exact:f}".partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        raise ValueError(f"{amount!r} has more than {digits} decimals")
    if currency_code is not None:
        fraction = fraction.ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _exact(amount: Amount) -> Decimal:
    if isinstance(amount, bool) or (isinstance(amount, str) and not _LITERAL.fullmatch(amount)):
        raise ValueError(f"{amount!r} is not an amount such as 100.50")
    exact = Decimal(repr(amount) if isinstance(amount, float) else amount)
    if not exact.is_finite():
        raise ValueError(f"{amount!r} is not an amount")
    if isinstance(amount, float) and len(exact.normalize().as_tuple().digits) > _FLOAT_DIGITS:
        raise ValueError(f"{amount!r} has more digits than a float keeps; send a str or a Decimal")
    return exact
