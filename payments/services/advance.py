"""payment_advance: the only place where a payment, its transaction or its refunds change state because of a provider.

Worker, callback and sweep all end here. It locks the transaction (which guards everything below it), reads again, ignores what is
already final, and writes states, postings, fact and audit record in one statement of one database transaction. It never guesses: an answer
that does not say what happened only moves the time of the next look-up.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

import structlog
from django.db import transaction as database

from common.changes import Actor
from common.queue import nudge_coalesced
from common.rows import Rows, columns_of, read_rows
from merchants.models import ProviderAccount
from payments.ledger.recipes import Parties
from payments.models import Operation, Payment, Refund, ReviewItem, Transaction
from payments.models.review import ReviewKind
from payments.providers.base import FailureCode, Kind, Outcome, ProviderResult
from payments.services import schedule
from payments.services.fee_plans import PLAN_AT, price_of
from payments.services.moves import (
    Held,
    answer_questions,
    end_refund,
    legs_of,
    may_try_again,
    open_review,
    said,
    unexplained_legs,
    write_move,
)
from payments.services.returns import item_returned_by, settle_return, unmoved
from payments.states import MOVES, TERMINAL_OPERATION, TRY_AGAIN, OperationState, PaymentState, Result, move_of

log = structlog.get_logger(__name__)

_MONEY_MOVED = (Result.SUCCEEDED, Result.CONFLICTED)


class Effect(StrEnum):
    """What an answer did."""

    MOVED = "MOVED"
    WAITING = "WAITING"  # still not known: looked up again later
    REPEATED = "REPEATED"  # said before
    CONTRADICTED = "CONTRADICTED"  # contradicts money that moved: nothing changed, a person asks which is true
    REVIEW = "REVIEW"  # money moved that should not have: booked to suspense, a person decides


def payment_advance(
    *,
    operation_id: str,
    result: ProviderResult,
    actor: Actor,
    now: datetime,
    claimed_until: datetime | None = None,
) -> Effect:
    """Take in what a provider said of an operation. Safe to call any number of times, in any order, from anywhere.

    `claimed_until`: the `due_at` that the caller set before it asked. If it is another one by now, somebody has asked for a look-up
    meanwhile (a hint has come): that is kept, and "not found" concludes nothing, because the hint may be younger than the answer.

    Raises Operation.DoesNotExist.
    """
    with database.atomic():
        held = hold(operation_id, now=now)
        hinted = claimed_until is not None and held.operation.due_at not in (None, claimed_until)
        conclusion = None if hinted and result.outcome is Outcome.NOT_FOUND else _conclude(held, result, now)
        if conclusion is None:
            effect = _keep_waiting(held, result, actor, now, hinted=hinted)
        elif held.operation.state in TERMINAL_OPERATION:
            effect = _after_the_end(held, conclusion, result, actor, now)
        else:
            effect = _settle(held, conclusion, result, actor, now)
    log.info("payment.advanced", operation=operation_id, outcome=result.outcome, effect=effect, actor=actor.name)
    if effect in (Effect.MOVED, Effect.REVIEW):
        nudge_coalesced("notifications.relay_outbox")
    return effect


def hold(operation_id: str, *, now: datetime) -> Held:
    """The rows of an operation, under their transaction's lock, and its price as it holds at `now`. Raises Operation.DoesNotExist."""
    transactions = read_rows(_LOCK_TRANSACTION, [operation_id], Transaction)
    if not transactions:
        raise Operation.DoesNotExist(operation_id)
    transaction: Transaction = transactions[0][0]
    whose = [transaction.merchant_id, transaction.live, transaction.currency, now, operation_id]
    [(operation, payment, account, refund, plan)] = read_rows(
        _LOCK_OPERATION, whose, Operation, Payment, ProviderAccount, Refund
    )
    payment.provider_account, operation.payment, operation.refund = account, payment, refund
    parties = Parties(transaction.merchant_id, payment.provider_account_id, transaction.live)
    return Held(transaction, payment, operation, refund, parties, price_of(plan, account))


# Two statements: what stands below a transaction is read after its lock was waited for, so that it is read as it is by then.
_LOCK_TRANSACTION = f"""
    SELECT {columns_of(Transaction, "t")} FROM transaction t
    WHERE t.id = (SELECT p.transaction_id FROM operation o JOIN payment p ON p.id = o.payment_id WHERE o.id = %s)
    FOR UPDATE"""  # noqa: S608 -- the models' own columns
_LOCK_OPERATION = f"""
    SELECT {columns_of(Operation, "o")}, {columns_of(Payment, "p")}, {columns_of(ProviderAccount, "a")},
           {columns_of(Refund, "r")}, {PLAN_AT}
    FROM operation o JOIN payment p ON p.id = o.payment_id JOIN provider_account a ON a.id = p.provider_account_id
    LEFT JOIN refund r ON r.id = o.refund_id
    WHERE o.id = %s FOR UPDATE OF o, p"""  # noqa: S608 -- the same


def _conclude(held: Held, result: ProviderResult, now: datetime) -> Result | None:
    """What the answer means, None if it leaves the outcome open."""
    operation = held.operation
    match result.outcome:
        case Outcome.SUCCEEDED:
            same = result.amount is None or result.amount == operation.amount
            return Result.SUCCEEDED if same else Result.CONFLICTED
        case Outcome.DECLINED:
            return Result.DECLINED
        case Outcome.NOT_FOUND if operation.kind in (Kind.SALE, Kind.AUTHORIZE):
            expires_at = held.transaction.expires_at
            over = expires_at is not None and now >= expires_at + schedule.EXPIRY_GRACE
            return Result.EXPIRED if over else None
        case Outcome.NOT_FOUND:
            sent_at = operation.sent_at or operation.created_at
            gone = schedule.never_arrived(sent_at=sent_at, look_ups=operation.look_ups, now=now)
            return Result.DECLINED if gone else None
        case _:
            return None


def _keep_waiting(held: Held, result: ProviderResult, actor: Actor, now: datetime, *, hinted: bool) -> Effect:
    """The outcome is open: note what was said, and when to ask again. The provider's "pending" shows in the payment."""
    operation = held.operation
    if operation.state in TERMINAL_OPERATION:
        return Effect.REPEATED
    state = OperationState(operation.state)
    if result.outcome is Outcome.PENDING:
        state = OperationState.PENDING
    elif state is OperationState.SENT:
        state = OperationState.UNKNOWN
    payer = operation.kind in (Kind.SALE, Kind.AUTHORIZE)
    next_look_up = schedule.next_look_up(look_ups=operation.look_ups, waiting_for_payer=payer, now=now)
    due_at = operation.due_at if hinted else next_look_up
    rows = Rows()
    rows.update(
        Operation,
        operation.pk,
        {"state": operation.state},
        state=state,
        due_at=due_at,
        **said(result),
    )
    move = MOVES.get((PaymentState(held.payment.state), Kind(operation.kind), Result.PENDING))
    effect = Effect.WAITING
    if result.outcome is Outcome.PENDING and move is not None:
        write_move(rows, held, move, result, actor, now, legs=[])
        effect = Effect.MOVED
    if now >= operation.created_at + schedule.OVERDUE_AFTER:
        open_review(rows, held, ReviewKind.OVERDUE, "The provider still has not said what became of it.", result, now)
    rows.write()
    return effect


def _after_the_end(held: Held, conclusion: Result, result: ProviderResult, actor: Actor, now: datetime) -> Effect:
    """Something is said of an operation that has ended. What is final stays; money that came all the same is kept safe."""
    operation = held.operation
    if operation.state == conclusion or (operation.state, conclusion) == (OperationState.CONFLICTED, Result.SUCCEEDED):
        return Effect.REPEATED
    if result.outcome is Outcome.NOT_FOUND:
        return Effect.REPEATED  # an answer from before: the provider was asked while something else told us
    if operation.state in (OperationState.SUCCEEDED, OperationState.CONFLICTED):
        return _contradicted(held, conclusion, result, now)
    if conclusion not in _MONEY_MOVED:
        return Effect.REPEATED  # no money moved, whichever way it is put
    if ReviewItem.objects.filter(operation=operation, kind=ReviewKind.LATE_SUCCESS).exists():
        return Effect.REPEATED
    rows = Rows()
    amount = result.amount or operation.amount
    legs = unexplained_legs(held, amount)
    fact = "refund.late_success" if operation.kind == Kind.REFUND else "payment.late_success"
    write_move(rows, held, unmoved(held, fact), result, actor, now, legs=legs)
    summary = f"{amount} {amount.currency} moved after it had ended."
    open_review(rows, held, ReviewKind.LATE_SUCCESS, summary, result, now, legs=legs)
    rows.write()
    return Effect.REVIEW


def _contradicted(held: Held, conclusion: Result, result: ProviderResult, now: datetime) -> Effect:
    """Money has moved, and now something else is said of it: a person asks the provider which is true. Nothing is changed."""
    operation, moved = held.operation, result.amount
    log.warning(
        "payment.contradicted", operation=operation.pk, ended=operation.state, said=conclusion, code=result.code
    )
    otherwise = f"{moved} {moved.currency}" if conclusion in _MONEY_MOVED and moved else conclusion
    rows = Rows()
    summary = f"It ended as {operation.state} with {operation.amount} {operation.currency}; later the provider said {otherwise}."
    open_review(rows, held, ReviewKind.CONTRADICTION, summary, result, now)
    rows.write()
    return Effect.CONTRADICTED


def _settle(held: Held, conclusion: Result, result: ProviderResult, actor: Actor, now: datetime) -> Effect:
    """The operation ends. The table of moves says what that does."""
    operation, payment = held.operation, held.payment
    rows = Rows()
    rows.update(
        Operation,
        operation.pk,
        {"state": operation.state},
        state=OperationState(conclusion),
        due_at=None,
        ended_at=now,
        **said(result),
    )
    if conclusion is Result.DECLINED and result.outcome is Outcome.NOT_FOUND:
        result = replace(result, failure_code="NOT_EXECUTED", reason="The provider never carried it out.")
    if conclusion is Result.EXPIRED:
        result = replace(result, failure_code=FailureCode.EXPIRED, reason="")
    returning = item_returned_by(operation)
    move = move_of(
        PaymentState(payment.state),
        Kind(operation.kind),
        conclusion,
        final=operation.final,
        captured=held.transaction.amount_captured_minor > 0,
    )
    if move is not None and move.fact == "payment.declined" and may_try_again(held.transaction, payment.attempt, now):
        move = TRY_AGAIN
    if returning is not None:
        legs = settle_return(rows, held, returning, conclusion, result, actor, now)
    else:
        if move is not None:
            legs = legs_of(held, conclusion, result)
        else:  # its payment had moved on: whatever moved now is not explained
            legs = unexplained_legs(held, result.amount or operation.amount) if conclusion in _MONEY_MOVED else []
        if held.refund is not None:
            end_refund(rows, held.refund, conclusion, result, now)
        listed = move or unmoved(held, f"{operation.kind.lower()}.unexpected")
        write_move(rows, held, listed, result, actor, now, legs=legs)
    if conclusion is Result.CONFLICTED:
        moved = result.amount or operation.amount
        summary = f"Asked for {operation.amount} {operation.currency}, the provider moved {moved} {moved.currency}."
        open_review(rows, held, ReviewKind.CONFLICT, summary, result, now, legs=legs)
    elif conclusion is Result.SUCCEEDED and move is None and returning is None:
        summary = "Its payment had moved on before it ended."
        open_review(rows, held, ReviewKind.LATE_SUCCESS, summary, result, now, legs=legs)
    rows.write()
    answer_questions(operation, actor, now)
    return Effect.REVIEW if conclusion is Result.CONFLICTED else Effect.MOVED
