"""Proposals: what makes money or a difference vanish is asked for by one person and done by another's yes.

A proposal pins what its maker saw. The database refuses the yes of the same person, of somebody without the permission, after the time, or
when a pinned row says something else by then; a decided proposal never changes (migration 0004).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from common.fields import id_field


class ProposalState(models.TextChoices):
    OPEN = "OPEN", "Waits for a second person"
    EXECUTED = "EXECUTED", "Approved and done"
    REJECTED = "REJECTED", "Rejected"
    WITHDRAWN = "WITHDRAWN", "Withdrawn by its maker"
    VOID = "VOID", "Void: what it was about has changed"
    EXPIRED = "EXPIRED", "Expired"


PROPOSAL_MOVES = {(ProposalState.OPEN, end) for end in ProposalState if end != ProposalState.OPEN}
_S = ProposalState


class Proposal(models.Model):
    """One act that waits for a second person. `kind` names the act (common.approvals); `summary` is what the approver agrees to.

    `pins`: [{"table", "key_column", "key", "columns": [...], "digest"}], made by the database. `permission`: who may say yes.
    """

    id = id_field()
    kind = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=30)
    subject_id = models.CharField(max_length=100)
    merchant_id = models.CharField(max_length=40, blank=True, default="")
    summary = models.CharField(max_length=500)
    parameters = models.JSONField(default=dict)
    pins = models.JSONField(default=list)
    permission = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.OPEN)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "proposal"
        ordering = ["-proposed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"], condition=Q(state="OPEN"), name="proposal_one_open_per_subject"
            ),
            models.CheckConstraint(condition=Q(state__in=ProposalState.values), name="proposal_state_known"),
            models.CheckConstraint(
                condition=Q(state=_S.OPEN, decided_by=None, decided_at=None)
                | Q(state__in=[_S.EXECUTED, _S.REJECTED], decided_by__isnull=False, decided_at__isnull=False)
                | Q(state=_S.WITHDRAWN, decided_by=F("proposed_by"), decided_at__isnull=False)
                | Q(state__in=[_S.VOID, _S.EXPIRED], decided_by=None, decided_at__isnull=False),
                name="proposal_decided_by_whom_and_when",
            ),
            models.CheckConstraint(
                condition=~Q(state=_S.EXECUTED) | ~Q(decided_by=F("proposed_by")), name="proposal_by_a_second_person"
            ),
        ]
        indexes = [
            models.Index(fields=["proposed_at"], condition=Q(state="OPEN"), name="proposal_open"),
            models.Index(fields=["subject_id"], name="proposal_by_subject"),
        ]

    def __str__(self) -> str:
        return self.summary
