"""The demo's operators at work: what needs two people is proposed by the clerk and approved by the lead, through the same service as anybody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from common.approvals import approve
from common.changes import Actor
from common.models import Proposal
from demo.cast import OPERATORS


def operator(role: str) -> User | None:
    """The demo's operator of a role; none before they are loaded."""
    name = next(name for name, held in OPERATORS.items() if held == role)
    return User.objects.filter(username=name).first()


def by_two(propose: Callable[..., Proposal], **asked: Any) -> Proposal:
    """Propose as the clerk and approve as the lead. Raises as the two do."""
    clerk, lead = (operator(role) for role in ("finance", "finance_lead"))
    if clerk is None or lead is None:
        raise LookupError("the demo's operators are not loaded")
    now = timezone.now()
    proposal = propose(**asked, by=clerk, actor=Actor(f"operator:{clerk.username}"), now=now)
    said: dict[str, Any] = {"reason": "As agreed", "actor": Actor(f"operator:{lead.username}"), "now": now}
    return approve(proposal_id=proposal.pk, by=lead, **said)
