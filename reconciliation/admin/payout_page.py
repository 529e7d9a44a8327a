"""One payout, whole: where it goes, how far it has come, who decided, and what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.console import html
from common.console.waiting import open_proposals
from common.models import Proposal, ProposalState
from reconciliation.models import Payout, PayoutState, PayoutWay


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, or will: `at` is empty for what has not; `note` says who or what."""

    name: str
    at: datetime | None
    note: Any = ""


@dataclass(frozen=True, slots=True)
class PayoutPage:
    found: Payout
    steps: Sequence[Step]
    waiting: Sequence[Proposal]


def payout_page(found: Payout) -> PayoutPage:
    """All of one payout's page."""
    waiting = open_proposals("payout", found.pk)
    shared = found.proposal
    if shared is not None and shared.state == ProposalState.OPEN and shared not in waiting:
        waiting.insert(0, shared)
    return PayoutPage(found=found, steps=_steps(found), waiting=waiting)


def _steps(payout: Payout) -> list[Step]:
    """In the order of time; after an end nothing is still to come."""
    proposal = payout.proposal
    steps = [
        Step("Proposed", payout.created_at, proposal.proposed_by if proposal else ""),
        Step("Released", payout.approved_at, proposal.decided_by if proposal and payout.approved_at else ""),
    ]
    if payout.way == PayoutWay.BANK_FILE:
        steps.append(
            Step("Sent", payout.sent_at, html.link(html.page_url(payout.file), payout.file) if payout.file else "")
        )
    steps.append(Step("Paid", payout.paid_at, proof(payout) if payout.paid_at else ""))
    if payout.ended_at is None:
        return steps
    ended = "Cancelled" if payout.state == PayoutState.CANCELLED else "Came back"
    by = html.link(html.page_url(payout.returned_line), "bank line") if payout.returned_line else payout.reason
    return [step for step in steps if step.at] + [Step(ended, payout.ended_at, by)]


def proof(payout: Payout) -> Any:
    """What shows that it was paid."""
    match = getattr(payout, "bank_match", None)
    if match is not None:
        line = match.group.bank_matches.exclude(bank_line=None).first()
        return html.link(html.page_url(line.bank_line), f"bank line {line.bank_line.reference}") if line else html.EMPTY
    if payout.confirmed_by is not None:
        return html.link(html.page_url(payout.confirmed_by), "what two people said")
    return "our own books" if payout.way == PayoutWay.BOOK_TRANSFER else html.EMPTY
