"""The events of transactions, refunds and accounts, as the document describes them; payments/services/payloads.py writes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from merchants.api.schema_events import webhook
from payments.api.v1.schemas import AmountOut
from payments.models._choices import one_of
from payments.states import AccountStatus, RefundState, TransactionStatus


class TransactionEventData(serializers.Serializer[Any]):
    transactionId = serializers.CharField()
    transactionReference = serializers.CharField()
    externalReference = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(one_of(TransactionStatus))
    paymentTypeId = serializers.CharField()
    amount = AmountOut()
    amountCaptured = AmountOut()
    amountRefunded = AmountOut()
    currencyCode = serializers.CharField()
    approvalCode = serializers.CharField(allow_null=True)
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    fromAccountId = serializers.CharField(required=False, help_text="Of book transfers.")
    toAccountId = serializers.CharField(required=False, help_text="Of book transfers.")


class RefundOfEvent(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField(one_of(RefundState))
    amount = AmountOut()
    reason = serializers.CharField()
    failureReason = serializers.CharField(allow_null=True)


class RefundEventData(TransactionEventData):
    refund = RefundOfEvent()


class AccountEventData(serializers.Serializer[Any]):
    accountId = serializers.CharField()
    status = serializers.ChoiceField(one_of(AccountStatus))
    availableBalance = AmountOut()
    pendingBalance = AmountOut()
    currencyCode = serializers.CharField()
    transactionId = serializers.CharField(allow_null=True)


_TRANSACTION: dict[str, Any] = {
    "transactionId": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "transactionReference": "EPG20260302K3J9Q2M4P6R8",
    "externalReference": "INV-1001",
    "status": "COMPLETED",
    "paymentTypeId": "fpx",
    "amount": 100.50,
    "amountCaptured": 100.50,
    "amountRefunded": 0.00,
    "currencyCode": "MYR",
    "approvalCode": "154200",
    "failureCode": None,
    "failureReason": None,
}
_UNPAID = _TRANSACTION | {"amountCaptured": 0.00, "approvalCode": None}
_REFUND = {
    "id": "rfd_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "status": "SUCCEEDED",
    "amount": 40.25,
    "reason": "returned",
    "failureReason": None,
}
_ACCOUNT = {
    "accountId": "acc_123",
    "status": "ACTIVE",
    "availableBalance": 975.00,
    "pendingBalance": 25.00,
    "currencyCode": "USD",
    "transactionId": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
}


def _of_transaction(event_type: str, sentence: str, **changes: Any) -> Any:
    return webhook(event_type, TransactionEventData, _UNPAID | changes, sentence)


def _of_refund(event_type: str, sentence: str, **changes: Any) -> Any:
    example = _TRANSACTION | {"refund": _REFUND | changes}
    return webhook(event_type, RefundEventData, example, sentence)


PAYMENT_EVENTS = [
    _of_transaction("transaction.created", "It was accepted.", status="PENDING"),
    _of_transaction("transaction.authorized", "The money is reserved.", status="AUTHORIZED"),
    _of_transaction(
        "transaction.partially_captured",
        "Part was captured, the rest is still reserved.",
        status="AUTHORIZED",
        amountCaptured=40.00,
    ),
    webhook(
        "transaction.completed", TransactionEventData, _TRANSACTION, "The money was captured, and no more will be."
    ),
    _of_transaction(
        "transaction.failed",
        "It ended without money.",
        status="FAILED",
        failureCode="DECLINED",
        failureReason="The bank declined the payment.",
    ),
    _of_transaction("transaction.cancelled", "It ended without money.", status="CANCELLED"),
    _of_transaction(
        "transaction.expired", "The payer did not finish in time.", status="EXPIRED", failureCode="EXPIRED"
    ),
    _of_refund("refund.created", "A refund was asked for.", status="PENDING"),
    _of_refund("refund.completed", "The money was given back."),
    _of_refund("refund.failed", "The money was not given back.", status="FAILED", failureReason="Declined."),
    webhook(
        "account.balance.updated",
        AccountEventData,
        _ACCOUNT,
        "Money came to or left an account, or was held; `sequence` counts per account.",
    ),
]
