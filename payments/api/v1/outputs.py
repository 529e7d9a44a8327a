"""Rows to the JSON of the merchant API. A row is a model instance or a named tuple of payments.selectors: both have the same names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from common.events import EVENT_OF_FACT, render_body
from common.models import Fact
from merchants.api.rendering import amount, instant, render
from merchants.services.idempotency import Reply
from payments.models import Bank, Payment, Refund
from payments.selectors import AccountBalance, UsableMethod
from payments.services.pages import Hosted
from payments.services.pay_links import pay_url
from payments.services.transactions import Created
from payments.services.transfers import Transferred
from payments.states import TransactionStatus
from payments.transfer_types import TRANSFER_TYPES

METHOD_NAMES = {"fpx": "FPX online banking", "migs": "Card"} | {
    method: kind.name for method, kind in TRANSFER_TYPES.items()
}
ENTRY_TYPES = {
    "account.deposited": "DEPOSIT",
    "transaction.created": "HOLD",
    "transfer.failed": "RELEASE",
    "transfer.completed": "TRANSFER",
    "refund.completed": "REFUND",
}
_AMOUNTS = ("amount", "amountCaptured", "amountRefunded")


def transaction_json(row: Any, payments: Sequence[Any]) -> dict[str, Any]:
    """A transaction with its payments, first attempt first (contracts section 3)."""
    currency = row.currency
    return {
        "id": row.id,
        "status": row.status,
        "fromAccountId": row.from_account_id,
        "toAccountId": row.to_account_id,
        "paymentTypeId": row.method or None,
        "amount": amount(row.amount_minor, currency),
        "amountCaptured": amount(row.amount_captured_minor, currency),
        "amountRefunded": amount(row.amount_refunded_minor, currency),
        "currencyCode": currency,
        "description": row.description or None,
        "externalReference": row.external_reference,
        "metadata": row.metadata,
        "failureCode": row.failure_code or None,
        "failureReason": row.failure_reason or None,
        "nextAction": _next_action(row, payments) if row.status == TransactionStatus.PENDING else None,
        "payments": [payment_json(payment) for payment in payments],
        "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
        "expiresAt": instant(row.expires_at),
    }


def _next_action(row: Any, payments: Sequence[Any]) -> dict[str, Any] | None:
    """Where the payer has to go: to our page, or at once to the provider; nowhere for a transfer."""
    if row.hosted:
        return {"type": "redirect", "method": "GET", "url": pay_url(row.id), "fields": {}}
    return payments[-1].next_action if payments else None


def payment_json(row: Any) -> dict[str, Any]:
    """One attempt."""
    return {
        "id": row.id,
        "attempt": row.attempt,
        "paymentTypeId": row.method,
        "status": row.state,
        "paymentTransId": row.payment_trans_id,
        "amount": amount(row.amount_minor, row.currency),
        "bankCode": row.bank_code or None,
        "approvalCode": row.approval_code or None,
        "bankReference": row.bank_reference or None,
        "failureCode": row.failure_code or None,
        "failureReason": row.failure_reason or None,
        "createdAt": instant(row.created_at),
        "paidAt": instant(row.paid_at),
    }


def status_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "externalReference": row.external_reference,
        "failureCode": row.failure_code or None,
        "failureReason": row.failure_reason or None,
        "updatedAt": instant(row.updated_at),
    }


def refund_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "transactionId": row.transaction_id,
        "status": row.state,
        "amount": amount(row.amount_minor, row.currency),
        "currencyCode": row.currency,
        "reason": row.reason,
        "failureCode": row.failure_code or None,
        "failureReason": row.failure_reason or None,
        "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
        "completedAt": instant(row.completed_at),
    }


def event_json(fact: Fact) -> orjson.Fragment:
    """One entry of a transaction's history, as webhooks and streams show it; what has no public name keeps ours."""
    return orjson.Fragment(
        render_body(
            event_id=fact.id,
            event_type=EVENT_OF_FACT.get(fact.name, fact.name),
            created_at=fact.created_at,
            sequence=fact.sequence,
            data=fact.payload,
        )
    )


def payment_type_json(usable: UsableMethod, banks: Sequence[Bank]) -> dict[str, Any]:
    return {
        "id": usable.method,
        "name": METHOD_NAMES.get(usable.method, usable.method),
        "currencies": sorted(usable.currencies),
        "capture": [
            *(["automatic"] if usable.automatic_capture else []),
            *(["manual"] if usable.manual_capture else []),
        ],
        "banks": {"total": len(banks), "online": sum(bank.online for bank in banks)} if usable.lists_banks else None,
    }


def bank_json(bank: Bank) -> dict[str, Any]:
    return {
        "code": bank.code,
        "name": bank.name,
        "status": "ONLINE" if bank.online else "OFFLINE",
        "businessBanking": bank.business,
        "refreshedAt": instant(bank.refreshed_at),
    }


def account_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "currencyCode": row.currency,
        "availableBalance": amount(row.balance_minor - row.held_minor, row.currency),
        "pendingBalance": amount(row.held_minor, row.currency),
        "createdAt": instant(row.created_at),
    }


def balance_json(found: AccountBalance) -> dict[str, Any]:
    return {
        "accountId": found.account_id,
        "availableBalance": found.available,
        "pendingBalance": found.held,
        "currencyCode": found.available.currency,
        "asOf": instant(found.as_of),
    }


def entry_json(row: Any) -> dict[str, Any]:
    """A change of what is available: money in is positive, which in our books is a credit."""
    return {
        "id": row.id,
        "type": ENTRY_TYPES[row.fact_name],
        "amount": amount(-row.minor, row.currency),
        "currencyCode": row.currency,
        "transactionId": row.transaction_id,
        "externalReference": row.external_reference,
        "description": row.description or None,
        "createdAt": instant(row.created_at),
    }


def created_reply(created: Created | Hosted | Transferred, status: int = 201) -> Reply:
    """The answer to POST /transactions."""
    payments: Sequence[Payment] = ()
    if not isinstance(created, Transferred):
        payments = [created.payment] if isinstance(created, Created) else created.payments
    return Reply(status, render(transaction_json(created.transaction, payments)))


def refund_reply(refund: Refund) -> Reply:
    """The answer to POST /transactions/{id}/refunds."""
    return Reply(201, render(refund_json(refund)))
