"""What a newcomer finds on the desk after the day: a break that somebody has taken and commented on, and one that waits for a second person."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from common.changes import Actor
from common.errors import CounterfoilError
from demo.cast import OPERATORS
from reconciliation.models import Break, BreakKind
from reconciliation.services.breaks import breaks_assign, breaks_comment, breaks_set_due
from reconciliation.services.resolutions import MATCH, propose_resolution


def leave_work(day: date) -> str:
    """Work a little on the open breaks of the day, as the demo's clerk. Returns a sentence; "" if there was nothing to do."""
    clerk = User.objects.filter(username=next(name for name, role in OPERATORS.items() if role == "finance")).first()
    open_breaks = list(Break.objects.filter(resolved_at=None, owner=None).select_related("operation").order_by("pk"))
    if clerk is None or not open_breaks:
        return ""
    by: dict[str, Any] = {"by": clerk, "actor": Actor(f"operator:{clerk.username}"), "now": timezone.now()}
    first = open_breaks[0]
    breaks_assign(break_ids=[first.pk], owner=clerk, **by)
    breaks_set_due(break_ids=[first.pk], due_on=day + timedelta(days=2), reason="Their answer takes two days", **by)
    breaks_comment(break_ids=[first.pk], text="Asked their service desk which amount the payer confirmed.", **by)
    for found in open_breaks[1:]:
        if found.kind == BreakKind.AMOUNT_MISMATCH:
            try:
                proposal = propose_resolution(
                    kind=MATCH,
                    break_id=found.pk,
                    reason="The payer confirmed what moved; the open question decides about the money",
                    **by,
                )
            except CounterfoilError:
                continue
            return f"{clerk.username} works on the breaks; one waits for a second person: {proposal.summary}"
    return f"{clerk.username} works on the breaks."
