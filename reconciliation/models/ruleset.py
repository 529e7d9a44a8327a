"""Rule sets: by what items of a comparison are found to belong together. Data in versions, never changed once it has been live.

A draft may be edited by whoever may; it goes live by two people, and what was live before retires in the same moment. The version that comes
with the product is `built_in` and needs nobody. There is one live version per source and comparison, held by a constraint.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from common.fields import id_field
from common.models import Proposal


class Comparison(models.TextChoices):
    LEDGER = "LEDGER", "Provider's lines and our books"
    BANK = "BANK", "Bank lines and remittances"


class RuleSetState(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    LIVE = "LIVE", "Live"
    RETIRED = "RETIRED", "Retired"
    DISCARDED = "DISCARDED", "Discarded"


_S = RuleSetState
RULE_SET_MOVES = {(_S.DRAFT, _S.LIVE), (_S.DRAFT, _S.DISCARDED), (_S.LIVE, _S.RETIRED)}


class RuleSet(models.Model):
    """One version. `rules` in order, as reconciliation.matching.rules reads them: [{"by", "amount_minor", "days", "agree"}]."""

    id = id_field()
    provider = models.CharField(max_length=20)  # the source's code
    comparison = models.CharField(max_length=10, choices=Comparison)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=RuleSetState, default=RuleSetState.DRAFT)
    rules = models.JSONField()
    note = models.CharField(max_length=500, blank=True, default="")
    built_in = models.BooleanField(default=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    live_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "reconciliation_rule_set"
        ordering = ["provider", "comparison", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "comparison", "version"], name="rule_set_version_once"),
            models.UniqueConstraint(
                fields=["provider", "comparison"], condition=Q(state="LIVE"), name="rule_set_one_live"
            ),
            models.CheckConstraint(condition=Q(state__in=RuleSetState.values), name="rule_set_state_known"),
            models.CheckConstraint(condition=Q(comparison__in=Comparison.values), name="rule_set_comparison_known"),
            models.CheckConstraint(
                condition=Q(state__in=[_S.DRAFT, _S.DISCARDED], live_from=None)
                | Q(state__in=[_S.LIVE, _S.RETIRED], live_from__isnull=False),
                name="rule_set_live_from",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.comparison.lower()} version {self.version}"


class Rehearsal(models.Model):
    """What a draft would have concluded of days that are over, beside what was concluded. Written once; nothing else of it was kept.

    `figures`: {"days", "won", "lost", "changed"}; `samples`: for each of the last three up to a hundred {"day", "line", "operation", "why"}.
    """

    id = id_field()
    rule_set = models.ForeignKey(RuleSet, on_delete=models.PROTECT, related_name="rehearsals")
    rules = models.JSONField()  # of the draft as it was
    live = models.BooleanField()
    first_day = models.DateField()
    last_day = models.DateField()
    figures = models.JSONField()
    samples = models.JSONField()
    actor = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        db_table = "reconciliation_rehearsal"
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.rule_set} on {self.first_day} to {self.last_day}"
