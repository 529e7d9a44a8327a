"""Closing open questions: one person proposes a decision, a second one approves it, and only then it is done (common/approvals).

A proposal pins the item and its transaction, so that what the second person agrees to is what the first one saw. Money leaves suspense only
here and in `returns`; the database refuses a closed item with anything left in it or without its approved proposal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from common.approvals import Act, Pin, propose, register
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.models import Proposal
from payments.models import ReviewItem
from payments.services import decisions
from payments.services.decisions import Case
from payments.states import DECISIONS, Decision, ReviewState

MAY_PROPOSE = "payments.propose_review_decision"
MAY_APPROVE = "payments.approve_review_decision"
SUBJECT = "review_item"


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision as people are offered it."""

    decision: Decision
    title: str
    description: str

    @property
    def act(self) -> str:
        return f"review.{self.decision.lower()}"


CHOICES = {
    choice.decision: choice
    for choice in (
        Choice(
            Decision.ACCEPT,
            "Accept what moved",
            "Takes the money as paid (or as refunded), up to what was asked for. The payer gets back what is above that.",
        ),
        Choice(Decision.RETURN, "Give it back", "Asks the provider to give back what it took without an order."),
        Choice(Decision.WRITE_OFF, "Book it off", "Empties suspense by a journal entry. No money moves."),
        Choice(
            Decision.GIVE_UP,
            "Give it up",
            "Takes an outcome that cannot be learned as not executed. Name the evidence. Money that still comes is a new question.",
        ),
        Choice(Decision.STANDS, "What is final stands", "Nothing changes. Say how you know."),
    )
}


def review_propose(
    *, item_id: str, decision: Decision, reason: str, by: User, actor: Actor, now: datetime, keep: bool = False
) -> Proposal:
    """Ask a second person for a decision. `keep`: what is booked off becomes a difference of ours, else the provider has put it right.

    Raises NotFound, InvalidState (closed, being given back, or not possible for it), Forbidden.
    """
    case = _case(item_id)
    if CHOICES[decision] not in decisions_for(case.item):
        raise InvalidState("This cannot be decided about it (any more).", state=case.item.state)
    return propose(
        kind=CHOICES[decision].act,
        subject_type=SUBJECT,
        subject_id=case.item.pk,
        merchant_id=case.held.transaction.merchant_id if case.held else "",
        summary=decisions.summary(case, decision, keep=keep),
        reason=reason,
        parameters={"keep": keep} if decision is Decision.WRITE_OFF else {},
        pins=_pins(case),
        by=by,
        actor=actor,
        now=now,
    )


def decisions_for(item: ReviewItem) -> list[Choice]:
    """What may be proposed about it now, as far as its state says; whether it works out is said when it is proposed."""
    if item.state != ReviewState.OPEN:
        return []
    return [CHOICES[decision] for decision in CHOICES if decision in DECISIONS[item.kind] - _done(item)]


def _done(item: ReviewItem) -> set[Decision]:
    """What was decided of it before and cannot be again: a surplus that did not go back is all that is left of what was accepted."""
    return {Decision.ACCEPT} if item.accepted_minor else set()


def _pins(case: Case) -> list[Pin]:
    pins = [Pin("review_item", case.item.pk, ("state", "currency", "suspense_minor", "accepted_minor"))]
    if case.held is not None:
        pins.append(Pin("transaction", case.held.transaction.pk, ("version",)))
        pins.append(Pin("operation", case.held.operation.pk, ("state",)))
    return pins


def _case(item_id: str, *, locked_at: datetime | None = None) -> Case:
    item = ReviewItem.objects.filter(pk=item_id).first()
    if item is None:
        raise NotFound("There is no such question.")
    return decisions.locked(item, locked_at) if locked_at else decisions.unlocked(item)


def _lock(proposal: Proposal) -> None:
    _case(proposal.subject_id, locked_at=proposal.proposed_at)


def _execute(proposal: Proposal, actor: Actor, now: datetime) -> None:
    case = _case(proposal.subject_id, locked_at=now)
    decision = Decision(proposal.kind.removeprefix("review.").upper())
    decisions.decide(case, decision, proposal, actor, now)
    record_action(
        actor=actor,
        action=f"review.{decision.lower()}",
        subject_type=SUBJECT,
        subject_id=case.item.pk,
        merchant_id=proposal.merchant_id,
        reason=proposal.reason,
        changes={"proposal": proposal.pk, "summary": proposal.summary},
        now=now,
    )


def register_acts() -> None:
    """Make the decisions known (from the app's `ready`)."""
    for choice in CHOICES.values():
        register(Act(choice.act, choice.title, MAY_PROPOSE, MAY_APPROVE, _lock, _execute))
