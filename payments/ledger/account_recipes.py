"""Recipes of accounts and book transfers. Pure; debits positive, credits negative.

An account is two liabilities of ours: what its merchant can spend, and what is held for transfers that wait for their batch. A hold moves
money from the first to the second, so both balances are sums of postings, now and at any time before (docs/adr/0006).
"""

from __future__ import annotations

from dataclasses import dataclass

from common.money import Money
from payments.ledger.accounts import AccountRef
from payments.ledger.recipes import Leg
from payments.models.ledger import AccountKind


@dataclass(frozen=True, slots=True)
class Purse:
    """The two ledger accounts of one account."""

    account_id: str
    merchant_id: str
    live: bool
    currency: str

    @property
    def available(self) -> AccountRef:
        return self._ref(AccountKind.CUSTOMER)

    @property
    def held(self) -> AccountRef:
        return self._ref(AccountKind.CUSTOMER_HELD)

    def _ref(self, kind: AccountKind) -> AccountRef:
        return AccountRef(kind, self.currency, self.live, merchant_id=self.merchant_id, account_id=self.account_id)


def deposited(purse: Purse, amount: Money) -> list[Leg]:
    return _move(AccountRef(AccountKind.HOUSE_CASH, purse.currency, purse.live), purse.available, amount)


def transferred(payer: Purse, payee: Purse, amount: Money) -> list[Leg]:
    return _move(payer.available, payee.available, amount)


def held(payer: Purse, amount: Money) -> list[Leg]:
    return _move(payer.available, payer.held, amount)


def released(payer: Purse, amount: Money) -> list[Leg]:
    return _move(payer.held, payer.available, amount)


def settled(payer: Purse, payee: Purse, amount: Money) -> list[Leg]:
    """A transfer whose amount was held."""
    return _move(payer.held, payee.available, amount)


def _move(debit: AccountRef, credit: AccountRef, amount: Money) -> list[Leg]:
    return [Leg(debit, amount.minor), Leg(credit, -amount.minor)]
