"""Public identifiers: a type prefix and 26 Crockford base-32 characters, 48 bits of time then 80 random bits.

Time first keeps new rows together at the right edge of every index; 80 random bits keep ids unguessable. The same text is the
primary key, the API's id, what logs show and what an operator searches for.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]  # ten bits at a time


def _base32(number: int, pairs: int) -> str:
    return "".join([_PAIRS[(number >> (10 * i)) & 1023] for i in range(pairs - 1, -1, -1)])


def new_id(prefix: str) -> str:
    """A new id such as "txn_01k0y8c2m4q6s8v0x2z4b6d8f0"."""
    return f"{prefix}_{_base32((time.time_ns() // 1_000_000 << 80) | secrets.randbits(80), 13)}"


def new_reference(prefix: str, at: datetime) -> str:
    """A reference that providers print and people read aloud: prefix, date of `at`, 12 characters (60 random bits)."""
    return f"{prefix}{at:%Y%m%d}{_base32(secrets.randbits(60), 6).upper()}"
