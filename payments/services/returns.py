"""Giving back what no order explains: a refund or a void that belongs to a review item, not to a merchant's request.

The item waits (RETURNING) until the provider has said what became of it. Given back, it is closed and nothing of it is left in suspense;
refused, it is open again and people decide anew.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from common.changes import Actor
from common.errors import InvalidState
from common.ids import new_id, new_reference
from common.money import Money
from common.queue import nudge
from common.rows import Rows
from payments.ledger.recipes import Leg
from payments.models import Operation, ReviewItem
from payments.models.ledger import AccountKind
from payments.models.review import ReviewKind
from payments.providers.base import Kind, ProviderResult
from payments.providers.registry import provider_class
from payments.services.moves import Held, unexplained_legs, write_move
from payments.states import (
    NOT_TAKEN,
    REST_NOT_TAKEN,
    Move,
    OperationState,
    PaymentState,
    Result,
    ReviewState,
    TransactionStatus,
)

NOT_TAKEN_CODE = "AMOUNT_MISMATCH"
NOT_TAKEN_REASON = "The bank took another amount than asked; it was not taken as paid."


def queue_return(rows: Rows, held: Held, amount: Money, now: datetime) -> str:
    """Queue the operation that gives `amount` back (a hold is voided). Returns its id.

    Raises InvalidState where the provider has no such message.
    """
    kind = Kind.VOID if held.operation.kind == Kind.AUTHORIZE else Kind.REFUND
    if kind not in provider_class(held.payment.provider_account.provider).supports:
        raise InvalidState("This provider cannot give it back.", paymentTypeId=held.transaction.method)
    operation_id = new_id("op")
    rows.insert(
        Operation,
        id=operation_id,
        payment_id=held.payment.pk,
        kind=kind,
        state=OperationState.QUEUED,
        reference=new_reference("RTN", now),
        currency=amount.currency,
        amount_minor=amount.minor,
        due_at=now,
        created_at=now,
    )
    nudge("payments.run_operation", operation_id=operation_id)
    return operation_id


def item_returned_by(operation: Operation) -> ReviewItem | None:
    """The item whose money this operation gives back; None for what a merchant asked for."""
    if operation.kind not in (Kind.REFUND, Kind.VOID) or operation.refund_id is not None:
        return None
    return ReviewItem.objects.select_for_update().filter(returned_by=operation).first()


def settle_return(
    rows: Rows,
    held: Held,
    item: ReviewItem,
    conclusion: Result,
    result: ProviderResult,
    actor: Actor,
    now: datetime,
) -> list[Leg]:
    """The provider has said what became of it. Returns the postings."""
    given_back = conclusion is Result.SUCCEEDED
    legs = unexplained_legs(held, result.amount or held.operation.amount) if conclusion in _MOVED else []
    if given_back:
        left = item.suspense_minor - sum(leg.minor for leg in legs if leg.account.kind is AccountKind.SUSPENSE)
        close = {"state": ReviewState.CLOSED, "suspense_minor": left, "resolved_at": now}
        rows.update(ReviewItem, item.pk, {"state": ReviewState.RETURNING}, **close)
    else:
        rows.update(ReviewItem, item.pk, {"state": ReviewState.RETURNING}, state=ReviewState.OPEN)
    if given_back and is_the_conflict(held, item):
        write_not_taken(rows, held, result, actor, now, legs=legs)
    else:
        write_move(rows, held, unmoved(held, f"payment.return_{_WORDS[conclusion]}"), result, actor, now, legs=legs)
    return legs


def is_the_conflict(held: Held, item: ReviewItem) -> bool:
    """Whether the payment waits in CONFLICTED for the answer to this very question."""
    return (
        held.payment.state == PaymentState.CONFLICTED
        and item.kind == ReviewKind.CONFLICT
        and item.operation is not None
        and item.operation.kind != Kind.REFUND
    )


def write_not_taken(
    rows: Rows, held: Held, result: ProviderResult, actor: Actor, now: datetime, *, legs: list[Leg]
) -> None:
    """The conflict is over and nothing of it was taken; what had been captured before stays."""
    move = REST_NOT_TAKEN if held.transaction.amount_captured_minor else NOT_TAKEN
    said = replace(result, failure_code=NOT_TAKEN_CODE, reason=NOT_TAKEN_REASON)
    write_move(rows, held, move, said, actor, now, legs=legs)


def unmoved(held: Held, fact: str) -> Move:
    """A fact that leaves both states as they are."""
    return Move(PaymentState(held.payment.state), TransactionStatus(held.transaction.status), fact)


_MOVED = (Result.SUCCEEDED, Result.CONFLICTED)
_WORDS = {Result.SUCCEEDED: "completed", Result.DECLINED: "declined", Result.CONFLICTED: "conflicted"}
