"""The bank's accounts and entries. Plain values, read from rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

CURRENCY = "MYR"
HOLDER = "Counterfoil Back Office"
NAME = "Sandbox Bank Berhad"
BIC = "SBOXMYKLXXX"
TEST_ACCOUNT, LIVE_ACCOUNT = "514000000001", "514000000002"  # one for each mode
ACCOUNTS = (TEST_ACCOUNT, LIVE_ACCOUNT)


@dataclass(frozen=True, slots=True)
class BankEntry:
    id: int
    day: str
    kind: str  # remittance | payment | return
    end_to_end_id: str
    amount_minor: int  # positive is money that came in
    instructed_minor: int | None
    instructed_currency: str
    counterparty: str
    narrative: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> BankEntry:
        return cls(
            id=row["id"],
            day=row["day"],
            kind=row["kind"],
            end_to_end_id=row["end_to_end_id"],
            amount_minor=row["amount_minor"],
            instructed_minor=row["instructed_minor"],
            instructed_currency=row["instructed_currency"],
            counterparty=row["counterparty"],
            narrative=row["narrative"],
        )

    @property
    def reference(self) -> str:
        """The bank's own, sixteen characters as MT940 has room for."""
        return f"SB{self.day.replace('-', '')[2:]}{self.id:08d}"


@dataclass(frozen=True, slots=True)
class BankDay:
    """What one account's statement of a day says."""

    account: str
    day: str
    opening_minor: int
    entries: list[BankEntry]

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + sum(entry.amount_minor for entry in self.entries)
