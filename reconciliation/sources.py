"""The providers whose statements we read: the format of the file, and what a line has to say to agree.

A new one is its parser and one entry here.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciliation.parsers import fpx, migs
from reconciliation.parsers.base import Format


@dataclass(frozen=True, slots=True)
class ProviderPrice:
    """What the provider keeps of a payment: a share, rounded half up, plus a fixed part. Refunds are free."""

    basis_points: int = 0
    fixed_minor: int = 0
    fixed_business_minor: int = 0  # instead, for business banking


@dataclass(frozen=True, slots=True)
class Source:
    """One provider's statements. `approved` is the status code of money that moved."""

    format: Format
    approved: str
    price: ProviderPrice


SOURCES: dict[str, Source] = {
    "fpx": Source(fpx.FORMAT, approved="00", price=ProviderPrice(fixed_minor=50, fixed_business_minor=100)),
    "migs": Source(migs.FORMAT, approved="0", price=ProviderPrice(basis_points=150)),
}
