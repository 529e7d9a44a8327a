"""Accounts with money on them, and transfers between them, made by the services."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from common.changes import Actor
from common.ids import new_id
from common.money import Money
from merchants.models import Merchant
from payments.models import Account, Transaction
from payments.services.accounts import account_deposit, account_open
from payments.services.transfers import NewTransfer, transfer_create
from tests.factories.merchants import MerchantFactory
from tests.factories.payments import NOW

HOUSE = Actor("system:test")


def new_account(
    merchant: Merchant | None = None,
    minor: int = 0,
    *,
    currency: str = "USD",
    live: bool = False,
    account_id: str | None = None,
    now: datetime = NOW,
) -> Account:
    """An account with `minor` on it."""
    account = account_open(
        merchant_id=(merchant or MerchantFactory()).pk,
        live=live,
        currency=currency,
        name="Main",
        account_id=account_id or new_id("acc"),
        actor=HOUSE,
        now=now,
    )
    if minor:
        amount = Money(minor, currency)
        account = account_deposit(account_id=account.pk, amount=amount, actor=HOUSE, reason="opening", now=now)
    return account


def new_transfer(payer: Account, payee: Account, minor: int, *, now: datetime = NOW, **changes: Any) -> Transaction:
    """A transfer of `minor` at once; `changes` are fields of NewTransfer, e.g. method="ach_credit"."""
    new = NewTransfer(
        merchant_id=payer.merchant_id,
        live=payer.live,
        method="rtp",
        from_account_id=payer.pk,
        to_account_id=payee.pk,
        amount=Money(minor, payer.currency),
    )
    return transfer_create(new=replace(new, **changes), actor=Actor("merchant:test"), now=now).transaction
