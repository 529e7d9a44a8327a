"""Reading payments for merchants. Every query begins with whose and in which mode; what is not theirs does not exist.

Rows come as named tuples of plain columns: a page of fifty model instances costs twice the Python (performance section 2).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Count, F, QuerySet

from common.errors import NotFound
from common.models import Fact
from common.money import Money
from merchants.caller import Caller
from merchants.selectors import active_accounts
from payments.ledger.balances import balances_at
from payments.models import Account, Bank, JournalEntry, Payment, Refund, RefundBatch, Transaction
from payments.providers.base import Kind, Provider
from payments.providers.registry import PROVIDERS, method_providers, provider_class
from payments.routing.route import kinds
from payments.states import AccountStatus
from payments.transfer_types import TRANSFER_TYPES

TRANSACTION_COLUMNS = (
    "id",
    "status",
    "method",
    "hosted",
    "from_account_id",
    "to_account_id",
    "currency",
    "amount_minor",
    "amount_captured_minor",
    "amount_refunded_minor",
    "description",
    "external_reference",
    "metadata",
    "failure_code",
    "failure_reason",
    "created_at",
    "updated_at",
    "expires_at",
)
PAYMENT_COLUMNS = (
    "id",
    "transaction_id",
    "attempt",
    "method",
    "state",
    "payment_trans_id",
    "currency",
    "amount_minor",
    "bank_code",
    "next_action",
    "approval_code",
    "bank_reference",
    "failure_code",
    "failure_reason",
    "created_at",
    "paid_at",
)
REFUND_COLUMNS = (
    "id",
    "transaction_id",
    "state",
    "currency",
    "amount_minor",
    "reason",
    "failure_code",
    "failure_reason",
    "created_at",
    "updated_at",
    "completed_at",
)
ACCOUNT_COLUMNS = ("id", "name", "status", "currency", "balance_minor", "held_minor", "created_at")
_BANKS_KEPT_SECONDS = 5.0


# -- transactions and what belongs to them -------------------------------------------------------------------------------


def transactions_of(caller: Caller) -> QuerySet[Transaction]:
    return Transaction.objects.filter(merchant_id=caller.merchant_id, live=caller.live)


def transaction_rows(transactions: QuerySet[Transaction]) -> QuerySet[Transaction, Any]:
    return transactions.values_list(*TRANSACTION_COLUMNS, named=True)


def transaction_row(caller: Caller, transaction_id: str, *columns: str) -> Any:
    """One transaction (or only `columns` of it). Raises NotFound."""
    rows = transactions_of(caller).filter(pk=transaction_id)
    row = rows.values_list(*(columns or TRANSACTION_COLUMNS), named=True).first()
    if row is None:
        raise NotFound("There is no such transaction.")
    return row


def payments_by_transaction(transaction_ids: Collection[str]) -> Mapping[str, list[Any]]:
    """The payments of each transaction, first attempt first."""
    found: dict[str, list[Any]] = defaultdict(list)
    rows = Payment.objects.filter(transaction_id__in=transaction_ids).order_by("transaction_id", "attempt")
    for row in rows.values_list(*PAYMENT_COLUMNS, named=True):
        found[row.transaction_id].append(row)
    return found


def facts_of(transaction_id: str) -> list[Fact]:
    """What became true of a transaction, in order."""
    return list(Fact.objects.filter(subject_id=transaction_id).order_by("sequence"))


def refund_rows(caller: Caller, *, transaction_id: str | None = None) -> QuerySet[Refund, Any]:
    """The caller's refunds, of one transaction if given."""
    rows = Refund.objects.filter(transaction__merchant_id=caller.merchant_id, transaction__live=caller.live)
    if transaction_id is not None:
        rows = rows.filter(transaction_id=transaction_id)
    return rows.values_list(*REFUND_COLUMNS, named=True)


def refund_row(caller: Caller, refund_id: str) -> Any:
    """One refund. Raises NotFound."""
    row = refund_rows(caller).filter(pk=refund_id).first()
    if row is None:
        raise NotFound("There is no such refund.")
    return row


# -- accounts ------------------------------------------------------------------------------------------------------------


def account_rows(caller: Caller) -> QuerySet[Account, Any]:
    """The caller's accounts."""
    accounts = Account.objects.filter(merchant_id=caller.merchant_id, live=caller.live)
    return accounts.values_list(*ACCOUNT_COLUMNS, named=True)


def account_row(caller: Caller, account_id: str, *columns: str) -> Any:
    """One account (or only `columns` of it). Raises NotFound."""
    accounts = Account.objects.filter(merchant_id=caller.merchant_id, live=caller.live, pk=account_id)
    row = accounts.values_list(*(columns or ACCOUNT_COLUMNS), named=True).first()
    if row is None:
        raise NotFound("There is no such account.")
    return row


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """What could be spent, and what was held for transfers that waited."""

    account_id: str
    available: Money
    held: Money
    as_of: datetime


def account_balance(caller: Caller, account_id: str, *, now: datetime, at: datetime | None = None) -> AccountBalance:
    """The balance now, from the account's row, or as it was at `at`, from the ledger. Raises NotFound."""
    columns = ("currency", "balance_minor", "held_minor", "ledger_account_id", "held_ledger_account_id")
    row = account_row(caller, account_id, *columns)
    available, held = row.balance_minor - row.held_minor, row.held_minor
    if at is not None:
        balances = balances_at((row.ledger_account_id, row.held_ledger_account_id), at)
        available, held = (-balances.get(code, 0) for code in (row.ledger_account_id, row.held_ledger_account_id))
    return AccountBalance(account_id, Money(available, row.currency), Money(held, row.currency), at or now)


def account_entries(caller: Caller, account_id: str) -> QuerySet[JournalEntry, Any]:
    """What changed the available balance; `minor` is debits less credits. Raises NotFound."""
    row = account_row(caller, account_id, "ledger_account_id")
    return (
        JournalEntry.objects.filter(postings__account=row.ledger_account_id)
        .annotate(
            created_at=F("booked_at"),
            minor=F("postings__amount_minor"),
            currency=F("postings__currency"),
            external_reference=F("transaction__external_reference"),
            description=F("transaction__description"),
        )
        .values_list(
            "id",
            "fact_name",
            "transaction_id",
            "created_at",
            "minor",
            "currency",
            "external_reference",
            "description",
            named=True,
        )
    )


# -- what a merchant can use ---------------------------------------------------------------------------------------------


@cache
def known_methods() -> frozenset[str]:
    """Every payment type that some provider serves."""
    return frozenset().union(*(provider.methods for provider in PROVIDERS.values()))


@dataclass(frozen=True, slots=True)
class UsableMethod:
    """A payment type that a merchant can use: by an active account at a provider, or by accounts with us."""

    method: str
    currencies: frozenset[str]
    manual_capture: bool
    automatic_capture: bool
    lists_banks: bool


def usable_methods(caller: Caller) -> list[UsableMethod]:
    """What the merchant can use now, in this mode."""
    served: dict[str, list[tuple[type[Provider], frozenset[Kind]]]] = defaultdict(list)
    for account in active_accounts(caller.merchant_id, live=caller.live):
        provider = provider_class(account.provider)
        for method in provider.methods:
            served[method].append((provider, kinds(account)))
    return [*_usable_at_providers(served), *_usable_transfers(caller)]


def _usable_transfers(caller: Caller) -> list[UsableMethod]:
    """Book transfers, for a merchant that has accounts."""
    accounts = Account.objects.filter(merchant_id=caller.merchant_id, live=caller.live, status=AccountStatus.ACTIVE)
    currencies = frozenset(accounts.values_list("currency", flat=True).distinct())
    return [
        UsableMethod(method, currencies, manual_capture=False, automatic_capture=True, lists_banks=False)
        for method in sorted(TRANSFER_TYPES)
        if currencies
    ]


def _usable_at_providers(
    served: Mapping[str, list[tuple[type[Provider], frozenset[Kind]]]],
) -> list[UsableMethod]:
    return [
        UsableMethod(
            method=method,
            currencies=frozenset().union(*(provider.currencies for provider, _ in accounts)),
            manual_capture=any(Kind.AUTHORIZE in able for _, able in accounts),
            automatic_capture=any(Kind.SALE in able for _, able in accounts),
            lists_banks=any(provider.lists_banks for provider, _ in accounts),
        )
        for method, accounts in sorted(served.items())
    ]


def banks_of(method: str) -> list[Bank]:
    """The banks a payer of this payment type can choose, as last listed."""
    return list(Bank.objects.filter(provider__in=method_providers(method)).order_by("business", "name", "code"))


_bank_lists: dict[tuple[str, bool], tuple[float, dict[str, bool]]] = {}


def banks_online(method: str, *, business: bool = False) -> Mapping[str, bool]:
    """Bank codes of a payment type and whether each is online; empty if no list is known. Up to 5 s old."""
    found = _bank_lists.get((method, business))
    if found is not None and time.monotonic() - found[0] < _BANKS_KEPT_SECONDS:
        return found[1]
    rows = Bank.objects.filter(provider__in=method_providers(method), business=business)
    banks = dict(rows.values_list("code", "online"))
    _bank_lists[method, business] = (time.monotonic(), banks)
    return banks


def forget_banks() -> None:
    """Drop the cache: between tests."""
    _bank_lists.clear()


# -- batches of refunds ---------------------------------------------------------------------------------------------------


def refund_batch_counts(batch: RefundBatch) -> list[tuple[str, str | None, int]]:
    """How many rows of the batch are in each state, and their refunds in each of theirs: (item's, refund's or None, count)."""
    rows = batch.items.order_by("state", "refund__state").values_list("state", "refund__state")
    return list(rows.annotate(Count("id")))
