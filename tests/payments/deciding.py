"""Two people who close an open question."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from django.contrib.auth.models import User

from common.approvals import approve
from common.changes import Actor
from payments.models import ReviewItem
from payments.services.reviews import review_propose
from payments.states import Decision
from tests.factories import NOW

LATER = NOW + timedelta(hours=2)
_numbers = count()


def person(**kwargs: bool) -> User:
    defaults = {"is_staff": True, "is_superuser": True}
    return User.objects.create_user(f"person{next(_numbers)}", **(defaults | kwargs))


def decided(item: ReviewItem, decision: Decision, *, keep: bool = False) -> ReviewItem:
    """One proposes, another approves."""
    ask, yes = person(), person()
    proposal = review_propose(
        item_id=item.pk, decision=decision, reason="Seen the bank's letter", by=ask, actor=Actor("operator:ask"), now=LATER, keep=keep
    )  # fmt: skip
    approve(proposal_id=proposal.pk, by=yes, reason="", actor=Actor("operator:yes"), now=LATER)
    item.refresh_from_db()
    return item
