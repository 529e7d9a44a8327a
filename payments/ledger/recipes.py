"""Recipes: from a fact to balanced postings. Pure; debits positive, credits negative.

Captured money is owed to us by the provider and by us to the merchant, less our fee. A refund turns the first two around; the fee is
kept. Money that arrived and is not explained (another amount, after expiry) waits in suspense until a person has explained it.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.money import Money
from payments.ledger.accounts import AccountRef
from payments.models.ledger import AccountKind


@dataclass(frozen=True, slots=True)
class Leg:
    account: AccountRef
    minor: int


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose money it is and through whom it moves."""

    merchant_id: str
    provider_account_id: str
    live: bool

    def receivable(self, currency: str) -> AccountRef:
        return AccountRef(
            AccountKind.PROVIDER_RECEIVABLE, currency, self.live, provider_account_id=self.provider_account_id
        )

    def payable(self, currency: str) -> AccountRef:
        return AccountRef(AccountKind.MERCHANT_PAYABLE, currency, self.live, merchant_id=self.merchant_id)

    def suspense(self, currency: str) -> AccountRef:
        return AccountRef(AccountKind.SUSPENSE, currency, self.live, provider_account_id=self.provider_account_id)


def captured(parties: Parties, amount: Money, fee: Money, *, unexplained: bool = False) -> list[Leg]:
    """`unexplained`: the money is there already and waits in suspense."""
    source = parties.suspense if unexplained else parties.receivable
    legs = [
        Leg(source(amount.currency), amount.minor),
        Leg(parties.payable(amount.currency), -amount.minor),
    ]
    if fee.minor:
        legs.append(Leg(parties.payable(fee.currency), fee.minor))
        legs.append(Leg(AccountRef(AccountKind.FEE_INCOME, fee.currency, parties.live), -fee.minor))
    return legs


def refunded(parties: Parties, amount: Money, *, unexplained: bool = False) -> list[Leg]:
    """`unexplained`: the money has left already, out of suspense."""
    source = parties.suspense if unexplained else parties.receivable
    return [
        Leg(parties.payable(amount.currency), amount.minor),
        Leg(source(amount.currency), -amount.minor),
    ]


def received_unexplained(parties: Parties, amount: Money) -> list[Leg]:
    return [
        Leg(parties.receivable(amount.currency), amount.minor),
        Leg(parties.suspense(amount.currency), -amount.minor),
    ]


def paid_out_unexplained(parties: Parties, amount: Money) -> list[Leg]:
    """A refund that the provider made with another amount than asked."""
    return [
        Leg(parties.suspense(amount.currency), amount.minor),
        Leg(parties.receivable(amount.currency), -amount.minor),
    ]


def booked_off(parties: Parties, currency: str, minor: int, *, keep: bool) -> list[Leg]:
    """Empty suspense of `minor` (below zero: of what was paid out). `keep`: the difference is ours; else the provider has put it right."""
    other = (
        AccountRef(AccountKind.DIFFERENCES, currency, parties.live, provider_account_id=parties.provider_account_id)
        if keep
        else parties.receivable(currency)
    )
    return [Leg(parties.suspense(currency), minor), Leg(other, -minor)]
