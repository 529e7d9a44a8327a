"""What each decision about an open question does to money and states, under the transaction's lock (proposed and approved in `reviews`).

What is taken as paid never exceeds what was asked for: the payer gets the rest back. What is taken as refunded is taken whole or not at all,
because the money has left already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.changes import Actor
from common.errors import InvalidState
from common.models import Proposal
from common.money import Money
from common.queue import nudge_coalesced
from common.rows import Rows
from payments.ledger.recipes import Leg, Parties, booked_off, refunded
from payments.models import Operation, ProviderEvent, Refund, ReviewItem
from payments.models.provider_event import EventState
from payments.models.review import ReviewKind
from payments.providers.base import Kind, Outcome, ProviderResult
from payments.providers.registry import provider_class
from payments.services.advance import hold, payment_advance
from payments.services.moves import Amounts, Held, capture_legs, write_move
from payments.services.returns import is_the_conflict, queue_return, unmoved, write_not_taken
from payments.states import (
    ACCEPTABLE,
    ACCEPTED,
    ACCEPTED_HOLD,
    ACCEPTED_IN_PART,
    Decision,
    Move,
    OperationState,
    PaymentState,
    RefundState,
    ReviewState,
)

_UNPAID = (PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Case:
    """An item with the rows of its operation; a message that belongs to no operation has none."""

    item: ReviewItem
    held: Held | None

    @property
    def rows(self) -> Held:
        if self.held is None:
            raise InvalidState("It belongs to no payment.")
        return self.held

    @property
    def moved(self) -> Money:
        """What the provider moved, as far as it is not explained yet; for a hold, what it holds."""
        if self.item.suspense_minor:
            return self.item.suspense
        said = self.item.details.get("providerSaid")
        currency = self.item.details.get("providerCurrency") or self.item.currency
        return Money.parse(said, currency) if said else self.rows.operation.amount


def locked(item: ReviewItem, now: datetime) -> Case:
    """The case under its locks: transaction, payment, operation, then the item, read again."""
    held = hold(item.operation_id, now=now) if item.operation_id else None
    return Case(ReviewItem.objects.select_for_update(of=("self",)).get(pk=item.pk), held)


def unlocked(item: ReviewItem) -> Case:
    """The case to look at."""
    if item.operation_id is None:
        return Case(item, None)
    operation = Operation.objects.select_related("payment__transaction", "payment__provider_account", "refund").get(
        pk=item.operation_id
    )
    payment, transaction = operation.payment, operation.payment.transaction
    parties = Parties(transaction.merchant_id, payment.provider_account_id, transaction.live)
    return Case(item, Held(transaction, payment, operation, operation.refund, parties))


def summary(case: Case, decision: Decision, *, keep: bool = False) -> str:
    """What the second person agrees to. Raises InvalidState if it is not possible as things are."""
    match decision:
        case Decision.ACCEPT:
            taken, back = _split(case)
            verb = "refunded" if case.rows.operation.kind == Kind.REFUND else "paid"
            rest = f"; {back} {back.currency} goes back to the payer" if back.minor else ""
            return f"Take {taken} {taken.currency} of {case.rows.transaction.pk} as {verb}{rest}."
        case Decision.RETURN:
            if case.item.suspense_minor < 0:
                raise InvalidState("It was paid out: there is nothing to give back.")
            what = "Release the hold of" if case.rows.operation.kind == Kind.AUTHORIZE else "Give back"
            return f"{what} {case.moved} {case.moved.currency} of {case.rows.transaction.pk} through the provider."
        case Decision.WRITE_OFF:
            against = "as a difference of ours" if keep else "against the provider, who has put it right"
            suspended = case.item.suspense
            return f"Book {suspended} {suspended.currency} of {case.rows.transaction.pk} off {against}."
        case Decision.GIVE_UP if case.held is not None:  # of a message: it alone is put aside
            return f"Take {case.held.operation.kind} {case.held.operation.reference} as not executed."
        case Decision.GIVE_UP:
            return f"Put message {case.item.event_id} aside unread."
        case _:
            return f"Let {case.rows.transaction.pk} stand as it is."


def decide(case: Case, decision: Decision, proposal: Proposal, actor: Actor, now: datetime) -> None:
    """Do it. Raises InvalidState."""
    match decision:
        case Decision.ACCEPT if case.rows.operation.kind == Kind.REFUND:
            _accept_refund(case, proposal, actor, now)
        case Decision.ACCEPT:
            _accept(case, proposal, actor, now)
        case Decision.RETURN:
            _return(case, proposal, actor, now)
        case Decision.WRITE_OFF:
            _write_off(case, proposal, actor, now)
        case Decision.GIVE_UP:
            _give_up(case, proposal, actor, now)
        case _:
            ReviewItem.objects.filter(pk=case.item.pk).update(**_closed(decision, proposal, actor, now))
    nudge_coalesced("notifications.relay_outbox")


def _accept(case: Case, proposal: Proposal, actor: Actor, now: datetime) -> None:
    """What moved is taken as paid, up to what was asked for; the rest is given back where the provider can."""
    held, rows, why = case.rows, Rows(), _why(proposal)
    taken, back = _split(case)
    if held.operation.kind == Kind.AUTHORIZE:
        rows.update(ReviewItem, case.item.pk, _AS_READ, **_closed(Decision.ACCEPT, proposal, actor, now))
        write_move(rows, held, ACCEPTED_HOLD, why, actor, now, legs=[], amounts=Amounts(authorized=taken.minor))
        rows.write()
        return
    change = _closed(Decision.ACCEPT, proposal, actor, now)
    if back.minor:
        change |= {"state": ReviewState.OPEN, "resolved_at": None}
        if _can_refund(held):
            change |= {"state": ReviewState.RETURNING, "returned_by_id": queue_return(rows, held, back, now)}
    change |= {"suspense_minor": back.minor, "accepted_minor": taken.minor}
    rows.update(ReviewItem, case.item.pk, _AS_READ, **change)
    rest = held.transaction.capturable_minor - taken.minor
    goes_on = not held.operation.final and rest > 0 and held.payment.state != PaymentState.CANCELLED
    legs = capture_legs(held, taken, unexplained=True)
    opened = taken.minor if held.operation.kind == Kind.SALE else 0
    amounts = Amounts(authorized=opened, captured=taken.minor)
    write_move(rows, held, ACCEPTED_IN_PART if goes_on else ACCEPTED, why, actor, now, legs=legs, amounts=amounts)
    rows.write()


def _split(case: Case) -> tuple[Money, Money]:
    """What of the money that moved is taken, and what goes back. Raises InvalidState if it cannot be taken at all."""
    held, moved = case.rows, case.moved
    transaction, operation, payment = held.transaction, held.operation, held.payment
    if moved.currency != transaction.currency:
        raise InvalidState(f"It moved in {moved.currency}; the order is in {transaction.currency}.")
    if operation.kind == Kind.REFUND:
        room = transaction.refundable_minor + _reserved(held)
        if held.refund is None or moved.minor > room:
            raise InvalidState(f"No refund of {moved} {moved.currency} is open to take it as.")
        return moved, Money(0, moved.currency)
    if PaymentState(payment.state) not in ACCEPTABLE.get(Kind(operation.kind), ()):
        raise InvalidState(f"A {operation.kind} cannot be taken as paid while its payment is {payment.state}.")
    others = transaction.payments.exclude(pk=payment.pk).exclude(state__in=_UNPAID)
    if others.exists():
        raise InvalidState("The order is paid, or being paid, by another payment: give this one back.")
    room = transaction.capturable_minor if operation.kind == Kind.CAPTURE else transaction.amount_minor
    if room <= 0 or case.item.accepted_minor:
        raise InvalidState("Nothing of the order is left to be paid by it.")
    taken = min(moved.minor, room)
    return Money(taken, moved.currency), Money(moved.minor - taken, moved.currency)


def _accept_refund(case: Case, proposal: Proposal, actor: Actor, now: datetime) -> None:
    held, rows = case.rows, Rows()
    moved, _ = _split(case)
    amounts = Amounts(refunded=moved.minor, reserved=-_reserved(held))
    if held.refund is not None:  # _split refuses what has none
        _end_refund(rows, held.refund, RefundState.SUCCEEDED, now)
    change = _closed(Decision.ACCEPT, proposal, actor, now) | {"accepted_minor": moved.minor}
    rows.update(ReviewItem, case.item.pk, _AS_READ, **change)
    legs = refunded(held.parties, moved, unexplained=True)
    move = Move(PaymentState(held.payment.state), None, "refund.accepted")
    write_move(rows, held, move, _why(proposal), actor, now, legs=legs, amounts=amounts)
    rows.write()


def _return(case: Case, proposal: Proposal, actor: Actor, now: datetime) -> None:
    held, rows = case.rows, Rows()
    summary(case, Decision.RETURN)  # raises if there is nothing to give back
    change = _closed(Decision.RETURN, proposal, actor, now) | {"state": ReviewState.RETURNING, "resolved_at": None}
    change |= {"suspense_minor": case.item.suspense_minor, "returned_by_id": queue_return(rows, held, case.moved, now)}
    rows.update(ReviewItem, case.item.pk, _AS_READ, **change)
    move = unmoved(held, "payment.return_requested")
    write_move(rows, held, move, _why(proposal), actor, now, legs=[], amounts=Amounts())
    rows.write()


def _write_off(case: Case, proposal: Proposal, actor: Actor, now: datetime) -> None:
    held, item, rows, why = case.rows, case.item, Rows(), _why(proposal)
    legs: list[Leg] = []
    if item.suspense_minor:
        legs = booked_off(held.parties, item.currency, item.suspense_minor, keep=bool(proposal.parameters["keep"]))
    rows.update(ReviewItem, item.pk, _AS_READ, **_closed(Decision.WRITE_OFF, proposal, actor, now))
    conflicted_refund = held.refund is not None and held.refund.state == RefundState.CONFLICTED
    if is_the_conflict(held, item):
        write_not_taken(rows, held, why, actor, now, legs=legs)
    elif conflicted_refund and held.refund is not None and item.kind == ReviewKind.CONFLICT:
        released = Amounts(reserved=-_reserved(held))
        _end_refund(rows, held.refund, RefundState.FAILED, now)
        move = Move(PaymentState(held.payment.state), None, "refund.written_off")
        write_move(rows, held, move, why, actor, now, legs=legs, amounts=released)
    else:
        move = unmoved(held, "payment.written_off")
        write_move(rows, held, move, why, actor, now, legs=legs, amounts=Amounts())
    rows.write()


def _give_up(case: Case, proposal: Proposal, actor: Actor, now: datetime) -> None:
    ReviewItem.objects.filter(pk=case.item.pk).update(**_closed(Decision.GIVE_UP, proposal, actor, now))
    if case.held is None:
        event = ProviderEvent.objects.filter(pk=case.item.event_id)
        event.update(state=EventState.IGNORED, due_at=None, acted_at=now, note="Put aside by decision.")
        return
    if case.held.operation.state not in (OperationState.PENDING, OperationState.UNKNOWN):
        raise InvalidState("It has ended, or is being sent at this moment.", state=case.held.operation.state)
    # The evidence stays with the proposal and its audit record: what a merchant reads is not written for us.
    given_up = ProviderResult(Outcome.DECLINED, failure_code="NOT_EXECUTED", reason="The bank never carried it out.")
    payment_advance(operation_id=case.held.operation.pk, result=given_up, actor=actor, now=now)


_AS_READ: dict[str, Any] = {"state": ReviewState.OPEN}


def _closed(decision: Decision, proposal: Proposal, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "state": ReviewState.CLOSED,
        "suspense_minor": 0,
        "decision": decision,
        "proposal_id": proposal.pk,
        "resolved_at": now,
        "resolved_by": actor.name,
        "resolution": proposal.reason[:500],
    }


def _why(proposal: Proposal) -> ProviderResult:
    """A decision in the place of a provider's answer: only its reason says anything."""
    return ProviderResult(Outcome.UNKNOWN, reason=proposal.reason)


def _reserved(held: Held) -> int:
    """What a conflicted refund still reserves."""
    conflicted = held.refund is not None and held.refund.state == RefundState.CONFLICTED
    return held.refund.amount_minor if held.refund is not None and conflicted else 0


def _end_refund(rows: Rows, refund: Refund, state: RefundState, now: datetime) -> None:
    failed = state is RefundState.FAILED
    values = {"failure_code": "NOT_EXECUTED" if failed else "", "failure_reason": ""}
    rows.update(Refund, refund.pk, {"state": refund.state}, state=state, updated_at=now, completed_at=now, **values)
    refund.state, refund.failure_code = state, values["failure_code"]


def _can_refund(held: Held) -> bool:
    return Kind.REFUND in provider_class(held.payment.provider_account.provider).supports
