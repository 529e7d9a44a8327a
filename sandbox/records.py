"""What the sandbox keeps: orders (what a payer was asked for) and entries (the books). Plain values, read from rows."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.money import Money


class Kind(StrEnum):
    CHARGE = "charge"
    AUTHORISATION = "authorisation"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"


class Verdict(StrEnum):
    """How something ended, in words of no provider; each provider has its own codes for them."""

    APPROVED = "approved"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CANCELLED = "cancelled"  # by the payer
    EXPIRED = "expired"  # the payer left
    BANK_UNKNOWN = "bank_unknown"
    BANK_OFFLINE = "bank_offline"
    ORIGINAL_UNKNOWN = "original_unknown"  # a capture, refund or void of something that is not in the books
    REFUSED = "refused"  # against the rules of the books; the entry's reason says which


@dataclass(frozen=True, slots=True)
class Order:
    id: int
    provider: str
    account: str
    reference: str
    token: str  # names the order in the payer's browser
    amount: Money
    request: dict[str, str]  # the fields that asked for it, verified
    state: str  # open | pending (the bank never answers) | closed
    created_at: datetime

    @classmethod
    def of(cls, row: sqlite3.Row) -> Order:
        return cls(
            id=row["id"],
            provider=row["provider"],
            account=row["account"],
            reference=row["reference"],
            token=row["token"],
            amount=Money(row["amount_minor"], row["currency"]),
            request=json.loads(row["request"]),
            state=row["state"],
            created_at=datetime.fromisoformat(row["created_at"]),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    provider: str
    account: str
    reference: str  # the merchant's
    number: str  # the provider's
    kind: Kind
    root_id: int | None  # the charge or authorisation that it acts on
    amount: Money
    fee_minor: int
    verdict: Verdict
    reason: str
    instrument: str  # bank code or card type
    order_info: str
    at: datetime

    @classmethod
    def of(cls, row: sqlite3.Row) -> Entry:
        return cls(
            id=row["id"],
            provider=row["provider"],
            account=row["account"],
            reference=row["reference"],
            number=row["number"],
            kind=Kind(row["kind"]),
            root_id=row["root_id"],
            amount=Money(row["amount_minor"], row["currency"]),
            fee_minor=row["fee_minor"],
            verdict=Verdict(row["verdict"]),
            reason=row["reason"],
            instrument=row["instrument"],
            order_info=row["order_info"],
            at=datetime.fromisoformat(row["at"]),
        )

    @property
    def approved(self) -> bool:
        return self.verdict is Verdict.APPROVED

    @property
    def status(self) -> str:
        """`completed` is kept for money that moved: a hold is `authorised`, a lifted one `voided`, the rest `declined`."""
        if not self.approved:
            return "declined"
        return {Kind.AUTHORISATION: "authorised", Kind.VOID: "voided"}.get(self.kind, "completed")
