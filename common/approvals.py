"""Four eyes: propose, then a second person approves, and only then it is done, in one database transaction.

An app registers each of its acts with `register`. `lock` takes the row locks that the act needs, before the database compares the pins, so that
nothing can change between the comparison and the act; `execute` does it. Both run in the transaction that marks the proposal EXECUTED: if
the act fails, the proposal stays open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.database import constraint_of
from common.errors import Forbidden, InvalidState, NotFound
from common.ids import new_id
from common.models import Proposal, ProposalState

LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pin:
    """Columns of a row that the approver relies on: if one of them changes, the proposal is void."""

    table: str
    key: str
    columns: tuple[str, ...]
    key_column: str = "id"


@dataclass(frozen=True, slots=True)
class Act:
    """What can be proposed. The permissions ("app.codename") say who may ask for it and who may say yes."""

    kind: str
    title: str
    may_propose: str
    may_approve: str
    lock: Callable[[Proposal], None]
    execute: Callable[[Proposal, Actor, datetime], None]


class Changed(InvalidState):
    """Raised by an act: what was agreed to is not so any more, in a way that no pin shows. The proposal is void."""


_ACTS: dict[str, Act] = {}


def register(act: Act) -> Act:
    """Make an act known, once per process (from an app's `ready`)."""
    _ACTS[act.kind] = act
    return act


def act_of(kind: str) -> Act:
    """Raises KeyError."""
    return _ACTS[kind]


def propose(
    *,
    kind: str,
    subject_type: str,
    subject_id: str,
    summary: str,
    reason: str,
    pins: Sequence[Pin],
    by: User,
    actor: Actor,
    now: datetime,
    parameters: dict[str, Any] | None = None,
    merchant_id: str = "",
    lifetime: timedelta = LIFETIME,
) -> Proposal:
    """Ask for an act. Raises Forbidden, InvalidState (one is open for this subject already), NotFound (a pinned row is not there)."""
    act = act_of(kind)
    if not by.has_perm(act.may_propose):
        raise Forbidden("You may not propose this.")
    try:
        with database.atomic():
            proposal = Proposal.objects.create(
                id=new_id("prp"),
                kind=kind,
                subject_type=subject_type,
                subject_id=subject_id,
                merchant_id=merchant_id,
                summary=summary[:500],
                parameters=parameters or {},
                pins=_pinned(pins),
                permission=act.may_approve,
                reason=reason,
                proposed_by=by,
                proposed_at=now,
                expires_at=now + lifetime,
            )
            _record(proposal, "proposed", reason, actor, now)
    except IntegrityError as exc:
        if constraint_of(exc) == "proposal_one_open_per_subject":
            raise InvalidState("The same is proposed already and waits for a second person.") from exc
        raise
    return proposal


def approve(*, proposal_id: str, by: User, reason: str, actor: Actor, now: datetime) -> Proposal:
    """Say yes as the second person: the act is done before this returns, or nothing is.

    Raises NotFound, InvalidState (decided, expired, void because something changed, or of a kind that this release has not), Forbidden (own proposal, no permission), and
    whatever the act raises.
    """
    try:
        with database.atomic():
            proposal = _locked(proposal_id)
            _refuse_unless_open(proposal)
            if (act := _ACTS.get(proposal.kind)) is None:
                raise InvalidState(
                    "This release has no such act any more. Reject it and propose anew what is still needed."
                )
            act.lock(proposal)
            _mark(proposal, ProposalState.EXECUTED, by, reason, now)
            act.execute(proposal, actor, now)
            _record(proposal, "approved", reason, actor, now)
            return proposal
    except Changed:
        _end(proposal_id, ProposalState.VOID, actor, now)
        raise
    except IntegrityError as exc:
        broken = constraint_of(exc)
        if broken == "proposal_by_a_second_person":
            raise Forbidden("Somebody else has to approve what you proposed.") from exc
        if broken == "proposal_approver_may":
            raise Forbidden("You may not approve this.") from exc
        if broken == "proposal_in_time":
            _end(proposal_id, ProposalState.EXPIRED, actor, now)
            raise InvalidState("The proposal has expired.") from exc
        if broken == "proposal_pins_hold":
            _end(proposal_id, ProposalState.VOID, actor, now)
            raise InvalidState("What the proposal is about has changed since: it is void. Propose it again.") from exc
        raise


def reject(*, proposal_id: str, by: User, reason: str, actor: Actor, now: datetime) -> Proposal:
    """Say no; its maker withdraws it. Raises NotFound, InvalidState, Forbidden."""
    with database.atomic():
        proposal = _locked(proposal_id)
        _refuse_unless_open(proposal)
        own = proposal.proposed_by_id == by.pk
        if not own and not by.has_perm(proposal.permission):
            raise Forbidden("You may not decide this.")
        _mark(proposal, ProposalState.WITHDRAWN if own else ProposalState.REJECTED, by, reason, now)
        _record(proposal, proposal.state.lower(), reason, actor, now)
    return proposal


def pins_hold(proposal: Proposal) -> list[tuple[str, str, bool]]:
    """Table and key of each pinned row, and whether it still says what it said."""
    digests = _digests(proposal.pins)
    return [
        (pin["table"], pin["key"], digest == pin["digest"]) for pin, digest in zip(proposal.pins, digests, strict=True)
    ]


def expire_proposals(*, actor: Actor, now: datetime) -> int:
    """End what nobody decided in time. Returns how many."""
    late = Proposal.objects.filter(state=ProposalState.OPEN, expires_at__lte=now).values_list("pk", flat=True)
    for proposal_id in list(late):
        _end(proposal_id, ProposalState.EXPIRED, actor, now)
    return len(late)


def _pinned(pins: Sequence[Pin]) -> list[dict[str, Any]]:
    """The pins as the proposal keeps them, with the digests that are compared when somebody says yes."""
    said = [
        {"table": pin.table, "key_column": pin.key_column, "key": pin.key, "columns": list(pin.columns)} for pin in pins
    ]
    digests = _digests(said)
    if None in digests:
        raise NotFound("What the proposal is about is not there.")
    return [pin | {"digest": digest} for pin, digest in zip(said, digests, strict=True)]


def _digests(pins: Sequence[dict[str, Any]]) -> list[str | None]:
    """Of each pinned row as it is now, in the order of the pins; None where there is no such row. All in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT counterfoil_row_digest(pin ->> 'table', pin ->> 'key_column', pin ->> 'key',
                                             ARRAY(SELECT jsonb_array_elements_text(pin -> 'columns')))
               FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS pinned (pin, number) ORDER BY number""",
            [json.dumps(pins)],
        )
        return [digest for (digest,) in cursor.fetchall()]


def _locked(proposal_id: str) -> Proposal:
    proposal = Proposal.objects.select_for_update(of=("self",), no_key=True).filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.")
    return proposal


def _refuse_unless_open(proposal: Proposal) -> None:
    if proposal.state != ProposalState.OPEN:
        raise InvalidState(f"The proposal is decided: {proposal.get_state_display().lower()}.", state=proposal.state)


def _mark(proposal: Proposal, state: ProposalState, by: User | None, reason: str, now: datetime) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at, proposal.decision_reason = state, by, now, reason
    proposal.save(update_fields=["state", "decided_by", "decided_at", "decision_reason"])


def _end(proposal_id: str, state: ProposalState, actor: Actor, now: datetime) -> None:
    with database.atomic():
        proposal = _locked(proposal_id)
        if proposal.state == ProposalState.OPEN:
            _mark(proposal, state, None, "", now)
            _record(proposal, state.lower(), "", actor, now)


def _record(proposal: Proposal, what: str, reason: str, actor: Actor, now: datetime) -> None:
    record_action(
        actor=actor,
        action=f"proposal.{what}",
        subject_type="proposal",
        subject_id=proposal.pk,
        merchant_id=proposal.merchant_id,
        reason=reason,
        changes={"kind": proposal.kind, "subject": proposal.subject_id, "summary": proposal.summary},
        now=now,
    )
