"""Transactions in any state, brought there by the services themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from common.changes import Actor
from common.money import Money
from merchants.models import ProviderAccount
from merchants.selectors import forget_accounts
from payments.models import Operation, Transaction
from payments.providers.base import Kind, Outcome, ProviderResult
from payments.services.advance import Effect, payment_advance
from payments.services.pages import page_attempt, page_create
from payments.services.transactions import Created, NewTransaction, transaction_create

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # noon in Kuala Lumpur
PROVIDER = Actor("provider:test")


def new_transaction(account: ProviderAccount, *, now: datetime = NOW, **changes: Any) -> Created:
    """A transaction of 100.00 MYR on this account; `changes` are fields of NewTransaction."""
    forget_accounts()
    new = NewTransaction(
        merchant_id=account.merchant_id,
        live=account.live,
        channel="api",
        method=account.provider,
        amount=Money(10_000, "MYR"),
    )
    return transaction_create(new=replace(new, **changes), actor=Actor("merchant:test"), now=now)


def new_hosted(account: ProviderAccount, *, now: datetime = NOW, **changes: Any) -> Transaction:
    """The same, with the choice of method left to the payer."""
    forget_accounts()
    new = NewTransaction(
        merchant_id=account.merchant_id, live=account.live, channel="api", method="", amount=Money(10_000, "MYR")
    )
    return page_create(new=replace(new, **changes), actor=Actor("merchant:test"), now=now).transaction


def attempt(transaction: Transaction, method: str = "fpx", *, now: datetime = NOW, bank_code: str = "") -> Operation:
    """Let the payer of a hosted transaction choose. The operation that opens the payment."""
    payment = page_attempt(
        transaction_id=transaction.pk, method=method, bank_code=bank_code, actor=Actor("payer"), now=now
    )
    return payment.operations.get()


def sale_of(transaction: Transaction) -> Operation:
    return Operation.objects.get(payment__transaction=transaction, kind__in=(Kind.SALE, Kind.AUTHORIZE))


def settle(operation: Operation, outcome: Outcome = Outcome.SUCCEEDED, *, now: datetime = NOW, **said: Any) -> Effect:
    """Let the provider say `outcome` of the operation, with its own amount unless told otherwise."""
    said.setdefault("amount", operation.amount if outcome is Outcome.SUCCEEDED else None)
    return payment_advance(operation_id=operation.pk, result=ProviderResult(outcome, **said), actor=PROVIDER, now=now)


def captured_transaction(account: ProviderAccount, *, now: datetime = NOW, **changes: Any) -> Transaction:
    """A transaction that the payer has paid."""
    transaction = new_transaction(account, now=now, **changes).transaction
    settle(sale_of(transaction), provider_reference="P1", now=now)
    transaction.refresh_from_db()
    return transaction
