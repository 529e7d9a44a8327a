"""What a fact tells the outside: the transaction as it was just after the change. Amounts are exact decimal strings here."""

from __future__ import annotations

from typing import Any

from common.money import Money
from payments.models import Account, Payment, Refund, Transaction


def transaction_payload(
    transaction: Transaction, payment: Payment | None, refund: Refund | None = None
) -> dict[str, Any]:
    """The `data` of a webhook (contracts section 4). Without a payment (a transfer, a page on which nobody has chosen yet) the transaction is
    quoted by its own id."""
    currency = transaction.currency
    payload: dict[str, Any] = {
        "transactionId": transaction.pk,
        "transactionReference": payment.payment_trans_id if payment else transaction.pk,
        "externalReference": transaction.external_reference,
        "status": transaction.status,
        "paymentTypeId": transaction.method or None,
        "amount": str(transaction.amount),
        "amountCaptured": str(Money(transaction.amount_captured_minor, currency)),
        "amountRefunded": str(Money(transaction.amount_refunded_minor, currency)),
        "currencyCode": currency,
        "approvalCode": (payment.approval_code or None) if payment else None,
        "failureCode": transaction.failure_code or None,
        "failureReason": transaction.failure_reason or None,
    }
    if transaction.is_transfer:
        payload |= {"fromAccountId": transaction.from_account_id, "toAccountId": transaction.to_account_id}
    if refund is not None:
        payload["refund"] = {
            "id": refund.pk,
            "status": refund.state,
            "amount": str(refund.amount),
            "reason": refund.reason,
            "failureReason": refund.failure_reason or None,
        }
    return payload


def account_payload(account: Account, transaction_id: str | None) -> dict[str, Any]:
    """An account as it was just after, and the transaction that changed it."""
    return {
        "accountId": account.pk,
        "status": account.status,
        "availableBalance": str(account.available),
        "pendingBalance": str(account.held),
        "currencyCode": account.currency,
        "transactionId": transaction_id,
    }
