"""What a fact tells the outside: the transaction as it was just after the change. Amounts are exact decimal strings here."""

from __future__ import annotations

from typing import Any

from common.money import Money
from payments.models import Payment, Refund, Transaction


def transaction_payload(transaction: Transaction, payment: Payment, refund: Refund | None = None) -> dict[str, Any]:
    """The `data` of a webhook (contracts section 4)."""
    currency = transaction.currency
    payload: dict[str, Any] = {
        "transactionId": transaction.pk,
        "transactionReference": payment.payment_trans_id,
        "externalReference": transaction.external_reference,
        "status": transaction.status,
        "paymentTypeId": transaction.method,
        "amount": str(transaction.amount),
        "amountCaptured": str(Money(transaction.amount_captured_minor, currency)),
        "amountRefunded": str(Money(transaction.amount_refunded_minor, currency)),
        "currencyCode": currency,
        "approvalCode": payment.approval_code or None,
        "failureCode": transaction.failure_code or None,
        "failureReason": transaction.failure_reason or None,
    }
    if refund is not None:
        payload["refund"] = {
            "id": refund.pk,
            "status": refund.state,
            "amount": str(refund.amount),
            "reason": refund.reason,
            "failureReason": refund.failure_reason or None,
        }
    return payload
