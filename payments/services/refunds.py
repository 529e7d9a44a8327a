"""Refunds: what is refunded and what is asked for never exceed what was captured, whoever asks at the same time.

The transaction is locked first and always updated (its reserved amount grows), so a second request waits, reads again and sees it; the
database's own constraint backs that up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.errors import InvalidRequest, InvalidState, NotFound
from common.ids import new_id, new_reference
from common.money import Money
from common.queue import nudge, nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.models import Operation, Payment, Refund, Transaction
from payments.providers.base import Kind
from payments.providers.registry import provider_class
from payments.services.payloads import transaction_payload
from payments.services.transfer_refunds import transfer_refund
from payments.states import OperationState, PaymentState, RefundState, TransactionStatus

REFUNDABLE = (TransactionStatus.COMPLETED, TransactionStatus.PARTIALLY_REFUNDED)


def refund_request(
    *,
    transaction_id: str,
    amount: Money | None,
    reason: str,
    actor: Actor,
    now: datetime,
    merchant_id: str | None = None,
    live: bool | None = None,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Refund], Reply] | None = None,
) -> Refund:
    """Reserve the amount (None: all that is left) and queue the refund. It is pending until the provider said so.

    A book transfer has no provider and is given back at once.

    `merchant_id` and `live` limit whose transaction it may be; operators leave them out. Raises NotFound, InvalidState (nothing
    captured, or not that much left), InvalidRequest (another currency); for a transfer InsufficientFunds, InvalidAccountStatus.
    """
    whose = {} if merchant_id is None else {"merchant_id": merchant_id, "live": live}
    with database.atomic():
        transaction = Transaction.objects.select_for_update(of=("self",)).filter(pk=transaction_id, **whose).first()
        if transaction is None:
            raise NotFound("There is no such transaction.")
        amount = amount or Money(transaction.refundable_minor, transaction.currency)
        _refuse_unless_refundable(transaction, amount)
        if transaction.is_transfer:
            nudge_coalesced("notifications.relay_outbox")
            return transfer_refund(
                transaction=transaction,
                amount=amount,
                reason=reason,
                actor=actor,
                now=now,
                idempotency=idempotency,
                reply=reply,
            )
        payment = _refundable_payment(transaction)
        refund = Refund(
            id=new_id("rfd"),
            transaction=transaction,
            payment=payment,
            state=RefundState.PENDING,
            currency=amount.currency,
            amount_minor=amount.minor,
            reason=reason,
            requested_by=actor.name,
            created_at=now,
            updated_at=now,
        )
        operation_id = new_id("op")
        transaction.amount_refund_pending_minor += amount.minor
        transaction.version += 1
        transaction.updated_at = now

        rows = Rows()
        rows.add(refund)
        rows.insert(
            Operation,
            id=operation_id,
            payment_id=payment.pk,
            refund_id=refund.pk,
            kind=Kind.REFUND,
            state=OperationState.QUEUED,
            reference=new_reference("RFD", now),
            currency=amount.currency,
            amount_minor=amount.minor,
            due_at=now,
            created_at=now,
        )
        rows.update(
            Transaction,
            transaction.pk,
            {"version": transaction.version - 1},
            version=transaction.version,
            amount_refund_pending_minor=transaction.amount_refund_pending_minor,
            updated_at=now,
        )
        record_change(
            rows,
            subject=Subject(
                "transaction", transaction.pk, transaction.version, transaction.merchant_id, transaction.live
            ),
            fact="refund.created",
            payload=transaction_payload(transaction, payment, refund),
            changes={"refund": [None, f"{amount} {amount.currency}"]},
            actor=actor,
            now=now,
            reason=reason,
        )
        if idempotency is not None and reply is not None:
            idempotency.store(rows, reply(refund), now=now)
        rows.write()
        nudge("payments.run_operation", operation_id=operation_id)
        nudge_coalesced("notifications.relay_outbox")
        crashpoint("refund.written")
    crashpoint("refund.committed")
    return refund


def _refuse_unless_refundable(transaction: Transaction, amount: Money) -> None:
    if transaction.status not in REFUNDABLE:
        raise InvalidState(f"A transaction that is {transaction.status} cannot be refunded.", status=transaction.status)
    if amount.currency != transaction.currency:
        raise InvalidRequest(
            "A refund is in the currency of its transaction.",
            fields={"currencyCode": [f"The transaction is in {transaction.currency}."]},
        )
    if amount.minor <= 0 or amount.minor > transaction.refundable_minor:
        left = Money(transaction.refundable_minor, transaction.currency)
        raise InvalidState(
            f"Only {left} {left.currency} is left to refund.", requestedAmount=amount, refundableAmount=left
        )


def _refundable_payment(transaction: Transaction) -> Payment:
    payment = transaction.payments.select_related("provider_account").get(state=PaymentState.CAPTURED)
    if Kind.REFUND not in provider_class(payment.provider_account.provider).supports:
        raise InvalidState("This payment method has no refunds.", paymentTypeId=transaction.method)
    return payment
