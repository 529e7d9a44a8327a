"""Capturing or voiding an authorisation: one of them at a time, decided by the provider.

The request only queues the operation; the transaction stays AUTHORIZED until the provider said so. A unique index admits one open
capture or void per payment, so two operators cannot send both. Where the provider allows several captures, one that is not final leaves
the rest reserved: AUTHORIZED until a final capture, or all of it, was taken (COMPLETED) or the rest was voided (COMPLETED with what was
taken before, CANCELLED if nothing was).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError
from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.database import constraint_of
from common.errors import InvalidRequest, InvalidState, NotFound
from common.ids import new_id, new_reference
from common.money import Money
from common.queue import nudge, nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.models import Operation, Transaction
from payments.providers.base import Kind
from payments.providers.registry import provider_class
from payments.services.payloads import transaction_payload
from payments.states import OperationState, PaymentState, TransactionStatus


def capture_request(
    *,
    transaction_id: str,
    amount: Money | None,
    actor: Actor,
    now: datetime,
    final: bool = True,
    merchant_id: str | None = None,
    live: bool | None = None,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Transaction], Reply] | None = None,
) -> Transaction:
    """Take what is authorised (None: all that is left of it), or part. A final capture ends the authorisation: the rest is let go.

    Raises NotFound, InvalidState (not authorised, or a capture or void is under way, or more than is left, or not final where the
    provider takes one capture only), InvalidRequest (currency).
    """
    whose = _whose(merchant_id, live)
    return _queue(Kind.CAPTURE, transaction_id, amount, actor, now, whose, idempotency, reply, final=final)


def void_request(
    *,
    transaction_id: str,
    actor: Actor,
    now: datetime,
    merchant_id: str | None = None,
    live: bool | None = None,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Transaction], Reply] | None = None,
) -> Transaction:
    """Release an authorisation, or what is left of it. Raises NotFound, InvalidState."""
    return _queue(Kind.VOID, transaction_id, None, actor, now, _whose(merchant_id, live), idempotency, reply)


def _whose(merchant_id: str | None, live: bool | None) -> dict[str, object]:
    return {} if merchant_id is None else {"merchant_id": merchant_id, "live": live}


def _queue(
    kind: Kind,
    transaction_id: str,
    amount: Money | None,
    actor: Actor,
    now: datetime,
    whose: dict[str, object],
    idempotency: IdempotencyKey | None,
    reply: Callable[[Transaction], Reply] | None,
    *,
    final: bool = True,
) -> Transaction:
    try:
        with database.atomic():
            transaction = Transaction.objects.select_for_update(of=("self",)).filter(pk=transaction_id, **whose).first()
            if transaction is None:
                raise NotFound("There is no such transaction.")
            amount = amount or Money(transaction.capturable_minor, transaction.currency)
            _check(kind, transaction, amount)
            payment = transaction.payments.select_related("provider_account").get(state=PaymentState.AUTHORIZED)
            final = final or amount.minor == transaction.capturable_minor
            if not final and not provider_class(payment.provider_account.provider).several_captures:
                raise InvalidState("This payment method takes one capture only.", paymentTypeId=transaction.method)
            operation_id = new_id("op")
            transaction.version += 1
            transaction.updated_at = now
            rows = Rows()
            rows.insert(
                Operation,
                id=operation_id,
                payment_id=payment.pk,
                kind=kind,
                state=OperationState.QUEUED,
                reference=new_reference("CAP" if kind is Kind.CAPTURE else "VOI", now),
                currency=amount.currency,
                amount_minor=amount.minor,
                final=final,
                due_at=now,
                created_at=now,
            )
            rows.update(
                Transaction,
                transaction.pk,
                {"version": transaction.version - 1},
                version=transaction.version,
                updated_at=now,
            )
            record_change(
                rows,
                subject=Subject(
                    "transaction", transaction.pk, transaction.version, transaction.merchant_id, transaction.live
                ),
                fact=f"payment.{kind.lower()}_requested",
                payload=transaction_payload(transaction, payment),
                changes={kind.lower(): [None, f"{amount} {amount.currency}"]},
                actor=actor,
                now=now,
            )
            if idempotency is not None and reply is not None:
                idempotency.store(rows, reply(transaction), now=now)
            rows.write()
            nudge("payments.run_operation", operation_id=operation_id)
            nudge_coalesced("notifications.relay_outbox")
    except IntegrityError as exc:
        if constraint_of(exc) == "operation_one_capture_or_void_at_a_time":
            raise InvalidState("A capture or cancellation of this transaction is under way.") from exc
        raise
    return transaction


def _check(kind: Kind, transaction: Transaction, amount: Money) -> None:
    if transaction.status != TransactionStatus.AUTHORIZED:
        verb = "captured" if kind is Kind.CAPTURE else "voided"
        raise InvalidState(f"A transaction that is {transaction.status} cannot be {verb}.", status=transaction.status)
    if amount.currency != transaction.currency:
        raise InvalidRequest(
            "A capture is in the currency of its transaction.",
            fields={"currencyCode": [f"The transaction is in {transaction.currency}."]},
        )
    if not 0 < amount.minor <= transaction.capturable_minor:
        authorised = Money(transaction.amount_authorized_minor, transaction.currency)
        left = Money(transaction.capturable_minor, transaction.currency)
        raise InvalidState(
            f"Only {left} {left.currency} is left to capture.", authorizedAmount=authorised, capturableAmount=left
        )
