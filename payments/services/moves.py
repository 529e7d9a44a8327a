"""Writing a move: the new states with their fact, audit record, postings and review items, into one statement.

Used by payment_advance alone, under the transaction's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from common.changes import Actor, Subject, record_change
from common.ids import new_id
from common.money import Money
from common.rows import Rows
from payments.ledger.fees import Fee, Price, fee_of
from payments.ledger.post import post
from payments.ledger.recipes import (
    Leg,
    Parties,
    captured,
    paid_out_unexplained,
    received_unexplained,
    refunded,
)
from payments.models import FeeCharge, Operation, Payment, Refund, ReviewItem, Transaction
from payments.models.ledger import AccountKind
from payments.models.review import ANSWERED_BY_THE_END, ReviewKind
from payments.providers.base import FailureCode, Kind, Outcome, ProviderResult
from payments.services.payloads import transaction_payload
from payments.services.schedule import OVERDUE_AFTER
from payments.states import TRY_AGAIN, Decision, Move, PaymentState, RefundState, Result, ReviewState, TransactionStatus


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of one operation, under the transaction's lock."""

    transaction: Transaction
    payment: Payment
    operation: Operation
    refund: Refund | None
    parties: Parties
    price: Price | None = None  # the merchant's, as it holds now; None where nothing is captured
    charged: list[Fee] = field(default_factory=list)  # by the move that is being written


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a move adds to the amounts of its transaction, in minor units."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    reserved: int = 0


def unexplained_legs(held: Held, amount: Money) -> list[Leg]:
    if held.operation.kind == Kind.REFUND:
        return paid_out_unexplained(held.parties, amount)
    if held.operation.kind in (Kind.SALE, Kind.CAPTURE):
        return received_unexplained(held.parties, amount)
    return []  # an authorisation holds money, it moves none


def legs_of(held: Held, conclusion: Result, result: ProviderResult) -> list[Leg]:
    """The bookkeeping of the move. Sets the payment's fee where it is earned."""
    operation = held.operation
    if conclusion is Result.CONFLICTED:
        return unexplained_legs(held, result.amount or operation.amount)
    if conclusion is not Result.SUCCEEDED:
        return []
    if operation.kind in (Kind.SALE, Kind.CAPTURE):
        return capture_legs(held, operation.amount)
    if operation.kind == Kind.REFUND:
        return refunded(held.parties, operation.amount)
    return []


def may_try_again(transaction: Transaction, attempt: int, now: datetime) -> bool:
    """Whether the payer of a declined attempt has our page, time and tries left."""
    in_time = transaction.expires_at is not None and now < transaction.expires_at
    return transaction.hosted and in_time and attempt < settings.PAYMENT_ATTEMPTS


def capture_legs(held: Held, amount: Money, *, unexplained: bool = False) -> list[Leg]:
    """The bookkeeping of `amount` captured, with its fee, which the payment gets. `unexplained`: out of suspense."""
    if held.price is None:
        raise ValueError("the rows were held to be looked at")
    fee = fee_of(amount, held.price)
    held.payment.fee_minor += fee.minor
    held.charged.append(fee)
    return captured(held.parties, amount, Money(fee.minor, amount.currency), unexplained=unexplained)


def end_refund(rows: Rows, refund: Refund, conclusion: Result, result: ProviderResult, now: datetime) -> None:
    state = {
        Result.SUCCEEDED: RefundState.SUCCEEDED,
        Result.CONFLICTED: RefundState.CONFLICTED,
    }.get(conclusion, RefundState.FAILED)
    refund.state = state
    failed = state is not RefundState.SUCCEEDED
    refund.failure_code = (result.failure_code or "CONFLICT") if failed else ""
    refund.failure_reason = _why(result)[:255] if failed else ""
    rows.update(
        Refund,
        refund.pk,
        {"state": RefundState.PENDING},
        state=state,
        failure_code=refund.failure_code,
        failure_reason=refund.failure_reason,
        updated_at=now,
        completed_at=now,
    )


def write_move(
    rows: Rows,
    held: Held,
    move: Move,
    result: ProviderResult,
    actor: Actor,
    now: datetime,
    *,
    legs: list[Leg],
    amounts: Amounts | None = None,
) -> None:
    """Write the new states of payment and transaction with their fact, audit record and postings.

    `amounts`: what is added to the transaction's amounts; None: what the fact says of the operation's own amount.
    """
    transaction, payment = held.transaction, held.payment
    before: dict[str, Any] = {
        "status": transaction.status,
        "payment_state": payment.state,
        "amount_captured_minor": transaction.amount_captured_minor,
        "amount_refunded_minor": transaction.amount_refunded_minor,
    }
    opening = held.operation.kind in (Kind.SALE, Kind.AUTHORIZE)
    ended = move.payment in (PaymentState.DECLINED, PaymentState.EXPIRED) and move.payment != payment.state
    payment.state = move.payment
    payment.failure_code = result.failure_code if ended else payment.failure_code
    payment.failure_reason = _why(result)[:255] if ended else payment.failure_reason
    if opening:
        payment.provider_reference = result.provider_reference[:60] or payment.provider_reference
        if result.outcome is Outcome.SUCCEEDED:  # some providers number what they decline too
            payment.approval_code = result.approval_code[:40] or payment.approval_code
        payment.bank_reference = result.bank_reference[:60] or payment.bank_reference
    if move.payment is PaymentState.CAPTURED and payment.paid_at is None:
        payment.paid_at = now
    _add(transaction, amounts or _amounts_of(held, move))
    transaction.status = move.transaction or _status_by_refunds(transaction)
    if ended and move is not TRY_AGAIN:
        transaction.failure_code = payment.failure_code or move.payment
        transaction.failure_reason = payment.failure_reason
    elif move.payment is PaymentState.CAPTURED:  # perhaps after all: it had ended otherwise
        payment.failure_code = payment.failure_reason = transaction.failure_code = transaction.failure_reason = ""
    transaction.version += 1
    transaction.updated_at = payment.updated_at = now
    rows.update(
        Transaction,
        transaction.pk,
        {"version": transaction.version - 1},
        status=transaction.status,
        version=transaction.version,
        amount_authorized_minor=transaction.amount_authorized_minor,
        amount_captured_minor=transaction.amount_captured_minor,
        amount_refunded_minor=transaction.amount_refunded_minor,
        amount_refund_pending_minor=transaction.amount_refund_pending_minor,
        failure_code=transaction.failure_code,
        failure_reason=transaction.failure_reason,
        updated_at=now,
    )
    rows.update(
        Payment,
        payment.pk,
        {"state": before["payment_state"]},
        state=payment.state,
        fee_minor=payment.fee_minor,
        provider_reference=payment.provider_reference,
        approval_code=payment.approval_code,
        bank_reference=payment.bank_reference,
        failure_code=payment.failure_code,
        failure_reason=payment.failure_reason,
        paid_at=payment.paid_at,
        updated_at=now,
    )
    after: dict[str, Any] = {
        "status": transaction.status,
        "payment_state": payment.state,
        "amount_captured_minor": transaction.amount_captured_minor,
        "amount_refunded_minor": transaction.amount_refunded_minor,
    }
    fact_id = record_change(
        rows,
        subject=Subject("transaction", transaction.pk, transaction.version, transaction.merchant_id, transaction.live),
        fact=move.fact,
        payload=transaction_payload(transaction, payment, held.refund),
        changes={name: [before[name], after[name]] for name in before if before[name] != after[name]},
        actor=actor,
        now=now,
        reason=result.reason[:500],
    )
    if legs:
        entry_id = post(rows, fact_id=fact_id, fact_name=move.fact, transaction_id=transaction.pk, legs=legs, now=now)
        _explain_fees(rows, held, entry_id)


def _explain_fees(rows: Rows, held: Held, entry_id: str) -> None:
    for fee in held.charged:
        if fee.minor:
            rows.insert(
                FeeCharge,
                entry_id=entry_id,
                plan_id=fee.plan_id,
                amount_minor=fee.amount_minor,
                percentage_minor=fee.percentage_minor,
                fixed_minor=fee.fixed_minor,
                limit_minor=fee.limit_minor,
            )


def _amounts_of(held: Held, move: Move) -> Amounts:
    """What the fact adds to what was authorised, captured, refunded and reserved for refunds."""
    amount = held.operation.amount_minor
    match move.fact:
        case "payment.authorized":
            return Amounts(authorized=amount)
        case "payment.captured" | "payment.captured_in_part":
            # A sale is authorised and captured in one.
            return Amounts(authorized=amount if held.operation.kind == Kind.SALE else 0, captured=amount)
        case "refund.completed":
            return Amounts(refunded=amount, reserved=-amount)
        case "refund.failed":
            return Amounts(reserved=-amount)
        case _:  # a conflicted refund keeps its reservation until a person has decided
            return Amounts()


def _add(transaction: Transaction, amounts: Amounts) -> None:
    transaction.amount_authorized_minor += amounts.authorized
    transaction.amount_captured_minor += amounts.captured
    transaction.amount_refunded_minor += amounts.refunded
    transaction.amount_refund_pending_minor += amounts.reserved


_WHY = {
    FailureCode.DECLINED: "The bank declined the payment.",
    FailureCode.INSUFFICIENT_FUNDS: "The payer's account does not have enough money.",
    FailureCode.INVALID_CARD: "The card cannot be used.",
    FailureCode.LIMIT_EXCEEDED: "The amount is over a limit of the payer's bank.",
    FailureCode.EXPIRED: "The payer did not finish in time.",
    FailureCode.CANCELLED_BY_PAYER: "The payer cancelled.",
    FailureCode.PROVIDER_ERROR: "The bank could not take the payment; no money moved.",
}


def _why(result: ProviderResult) -> str:
    """A sentence for the merchant: the provider's own, or ours for its code."""
    if result.reason or result.failure_code not in list(FailureCode):
        return result.reason
    return _WHY[FailureCode(result.failure_code)]


def _status_by_refunds(transaction: Transaction) -> TransactionStatus:
    if transaction.amount_refunded_minor == 0:
        return TransactionStatus.COMPLETED
    if transaction.amount_refunded_minor == transaction.amount_captured_minor:
        return TransactionStatus.REFUNDED
    return TransactionStatus.PARTIALLY_REFUNDED


def said(result: ProviderResult) -> dict[str, Any]:
    """The provider's own words, for the operation's row."""
    said: dict[str, Any] = {"provider_code": result.code[:40], "provider_reason": result.reason[:255]}
    if result.provider_reference:
        said["provider_reference"] = result.provider_reference[:60]
    if result.raw:
        said["reply"] = dict(result.raw)
    return said


def open_review(
    rows: Rows,
    held: Held,
    kind: ReviewKind,
    summary: str,
    result: ProviderResult,
    now: datetime,
    *,
    legs: Sequence[Leg] = (),
) -> None:
    """Ask a person, once per operation and kind. `legs`: the postings beside it, of which those on suspense wait for the answer."""
    said = result.amount
    suspended = [leg for leg in legs if leg.account.kind is AccountKind.SUSPENSE]
    rows.insert_if_missing(
        ReviewItem,
        id=new_id("rev"),
        kind=kind,
        payment_id=held.payment.pk,
        operation_id=held.operation.pk,
        summary=summary[:255],
        details={
            "asked": str(held.operation.amount),
            "currency": held.operation.currency,
            "providerSaid": str(said) if said else None,
            "providerCurrency": said.currency if said else None,
            "code": result.code,
            "providerReference": result.provider_reference,
        },
        currency=suspended[0].account.currency if suspended else held.operation.currency,
        suspense_minor=-sum(leg.minor for leg in suspended),
        opened_at=now,
    )


def answer_questions(operation: Operation, actor: Actor, now: datetime) -> None:
    """Close what was asked about an operation whose outcome was open: it has ended. A round trip only for an old or troubled one."""
    if now < operation.created_at + OVERDUE_AFTER and not operation.failures:
        return
    waiting = ReviewItem.objects.filter(operation=operation, kind__in=ANSWERED_BY_THE_END, state=ReviewState.OPEN)
    waiting.update(
        state=ReviewState.CLOSED,
        decision=Decision.ANSWERED,
        resolved_at=now,
        resolved_by=actor.name,
        resolution="It is known what became of it.",
    )
