"""Cancelling: an authorisation is released by the provider; what nobody has begun to pay is withdrawn by us.

The payer holds a signed message that no provider lets us take back, so the provider is asked first, outside any database transaction,
and the payment is withdrawn under its lock only if it still is unpaid and nothing was heard of it since. Whoever pays after that is a late success: the money goes to
suspense and a person decides, the transaction stays CANCELLED.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction as database

from common.changes import Actor
from common.errors import InvalidState, NotFound, ProviderUnavailable
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.models import Operation, ProviderEvent, Transaction
from payments.models.provider_event import EventState
from payments.providers.base import Kind, Outcome, ProviderResult
from payments.services.advance import hold, payment_advance
from payments.services.captures import void_request
from payments.services.moves import Held, answer_questions, write_move
from payments.services.operations import operation_ask
from payments.services.pages import page_end
from payments.services.schedule import lease_end
from payments.states import TERMINAL_OPERATION, WITHDRAWN, OperationState, PaymentState, TransactionStatus

_CAN_END = (OperationState.PENDING, OperationState.UNKNOWN)


def transaction_cancel(
    *,
    transaction_id: str,
    actor: Actor,
    now: datetime,
    merchant_id: str | None = None,
    live: bool | None = None,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Transaction], Reply] | None = None,
) -> Transaction:
    """Cancel what is unpaid at once (CANCELLED), or ask the provider to release what is authorised (AUTHORIZED until it did).

    `merchant_id` and `live` limit whose it may be; operators leave them out. Raises NotFound, InvalidState (paid, ended, or the payer
    is paying now), ProviderUnavailable (the provider does not say whether it was paid: nothing was done).
    """
    whose = {} if merchant_id is None else {"merchant_id": merchant_id, "live": live}
    transaction = Transaction.objects.filter(pk=transaction_id, **whose).first()
    if transaction is None:
        raise NotFound("There is no such transaction.")
    if transaction.status == TransactionStatus.PENDING:
        if (operation := _opening(transaction)) is not None:
            _ask_provider(operation, actor, now)
            transaction.refresh_from_db(fields=["status"])  # what the provider said may have moved it
        if transaction.status == TransactionStatus.PENDING and transaction.hosted and _opening(transaction) is None:
            return page_end(
                transaction_id=transaction_id,
                status=TransactionStatus.CANCELLED,
                actor=actor,
                now=now,
                idempotency=idempotency,
                reply=reply,
            )
        if transaction.status == TransactionStatus.PENDING and operation is not None:
            return _withdraw(operation, actor, now, idempotency, reply)
    if transaction.status == TransactionStatus.AUTHORIZED:
        return void_request(
            transaction_id=transaction_id,
            actor=actor,
            now=now,
            merchant_id=merchant_id,
            live=live,
            idempotency=idempotency,
            reply=reply,
        )
    raise _refused(transaction)


def _opening(transaction: Transaction) -> Operation | None:
    """The sale or authorisation that is open: a transfer has none, and a payer on our page may not have begun one."""
    openings = Operation.objects.filter(payment__transaction=transaction, kind__in=(Kind.SALE, Kind.AUTHORIZE))
    return openings.exclude(state__in=TERMINAL_OPERATION).first()


def _ask_provider(operation: Operation, actor: Actor, now: datetime) -> None:
    asked = operation_ask(operation_id=operation.pk, now=now)
    if asked is None:
        return  # it has ended meanwhile: the lock will tell
    _, result = asked
    claimed_until = lease_end(now)
    payment_advance(operation_id=operation.pk, result=result, actor=actor, now=now, claimed_until=claimed_until)
    if result.outcome is Outcome.UNKNOWN:
        raise ProviderUnavailable("The provider does not say whether this was paid. Nothing was done; try again.")


def _withdraw(
    operation: Operation,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None,
    reply: Callable[[Transaction], Reply] | None,
) -> Transaction:
    with database.atomic():
        held = hold(operation.pk, now=now)
        if not _is_unpaid(held):
            raise _refused(held.transaction)
        if _was_told(held, since=now):
            raise InvalidState(
                "The provider has just sent word of this payment. Try again when the outcome is known.",
                status=held.transaction.status,
            )
        rows = Rows()
        rows.update(
            Operation,
            operation.pk,
            {"state": held.operation.state},
            state=OperationState.EXPIRED,
            due_at=None,
            ended_at=now,
        )
        write_move(rows, held, WITHDRAWN, ProviderResult(Outcome.NOT_FOUND), actor, now, legs=[])
        rows.write()
        answer_questions(held.operation, actor, now)
        if idempotency is not None and reply is not None:
            kept = Rows()
            idempotency.store(kept, reply(held.transaction), now=now)
            kept.write()
        nudge_coalesced("notifications.relay_outbox")
    return held.transaction


def _is_unpaid(held: Held) -> bool:
    return (
        held.transaction.status == TransactionStatus.PENDING
        and held.payment.state == PaymentState.CREATED
        and held.operation.state in _CAN_END
    )


def _was_told(held: Held, *, since: datetime) -> bool:
    """Whether a message about it has come since the provider was asked. It may say more than the answer does, and of a confirming account it
    is only a hint: the sweep that it woke asks once more. One that comes after the lock finds the operation ended, and is taken as it is."""
    events = ProviderEvent.objects.filter(
        reference=held.operation.reference, provider_account=held.payment.provider_account_id, received_at__gte=since
    )
    return events.exclude(state=EventState.REJECTED).exists()


def _refused(transaction: Transaction) -> InvalidState:
    if transaction.status == TransactionStatus.PROCESSING:
        return InvalidState(
            "The payer is paying at this moment. Try again when the outcome is known.", status="PROCESSING"
        )
    return InvalidState(f"A transaction that is {transaction.status} cannot be cancelled.", status=transaction.status)
