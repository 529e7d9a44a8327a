"""The limits of write-offs that the product begins with, added after every migrate where there is none; what two people agreed on stays."""

from __future__ import annotations

from typing import Any

from common.database import is_as_here
from reconciliation.models import WriteOffLimit

# In minor units; a currency that is not here begins with nothing. Others than these are let in by two people only (migration 0046).
DEFAULTS = {"MYR": 50_000, "USD": 10_000, "EUR": 10_000, "SGD": 15_000, "VND": 3_000_000, "KHR": 50_000_000}


def sync_limits(**_signal: Any) -> None:
    """Add the limits of DEFAULTS that are not there."""
    if is_as_here(WriteOffLimit):
        rows = [WriteOffLimit(currency=currency, limit_minor=minor) for currency, minor in DEFAULTS.items()]
        WriteOffLimit.objects.bulk_create(rows, ignore_conflicts=True)
