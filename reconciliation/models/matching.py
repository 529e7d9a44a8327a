"""What reconciliation concludes: matches claim items for good, breaks say what somebody or something must explain.

There are two comparisons. In the first, lines of a provider's statement belong to operations of ours; in the second, bank lines belong to
the provider's remittances. An item is claimed by one match at most in each: the unique columns hold that, whoever matches at the same
time. A claim with both items is a plain pair; claims that share a group belong together, many to many, with its explanation.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from common.fields import id_field
from common.models import Proposal
from payments.models import JournalEntry, Operation
from reconciliation.models.bank import BankLine, Remittance
from reconciliation.models.payout import Payout
from reconciliation.models.ruleset import Comparison, RuleSet
from reconciliation.models.statement import StatementLine


class ReconciliationRun(models.Model):
    """One comparison of a source's day in live or test mode, by one version of its rules. Without `ended_at` it broke off, and changed nothing.

    Of a bank, `lines` are bank lines and `operations` are remittances. `totals`: of the day's lines, per currency in minor units: {"MYR": {"matched": n, "broken": n}}.
    """

    id = id_field()
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    day = models.DateField()
    actor = models.CharField(max_length=120)
    comparison = models.CharField(max_length=10, choices=Comparison, default=Comparison.LEDGER)
    rule_set = models.ForeignKey(RuleSet, on_delete=models.PROTECT, null=True, blank=True, related_name="runs")
    basis = models.JSONField(
        default=dict
    )  # what it judged by besides the rules: the source's prices and codes, and the product's checks
    lines = models.PositiveIntegerField(default=0)
    lines_matched = models.PositiveIntegerField(default=0)
    lines_broken = models.PositiveIntegerField(default=0)
    operations = models.PositiveIntegerField(default=0)
    operations_matched = models.PositiveIntegerField(default=0)
    operations_broken = models.PositiveIntegerField(default=0)
    operations_expected = models.PositiveIntegerField(default=0)
    breaks_opened = models.PositiveIntegerField(default=0)
    breaks_closed = models.PositiveIntegerField(default=0)
    totals = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "reconciliation_run"
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["provider", "live", "day"], name="reconciliation_run_by_day")]

    def __str__(self) -> str:
        return f"{self.provider} {self.day:%-d %b %Y}"


class MatchRule(models.TextChoices):
    """By what items were found to belong together."""

    REFERENCE = "REFERENCE", "Our reference"
    PROVIDER_REFERENCE = "PROVIDER_REFERENCE", "The provider's reference"
    REMITTANCE_REFERENCE = "REMITTANCE_REFERENCE", "The reference in the bank's narrative"
    AMOUNT_AND_DATE = "AMOUNT_AND_DATE", "Amount and date"
    SUM_AND_DATE = "SUM_AND_DATE", "Sum and date"
    BY_HAND = "BY_HAND", "By hand"


class MatchGroup(models.Model):
    """Items that belong together otherwise than as an equal pair, and why. Written once.

    `explanation`: {"compared": [{"field", "ours", "theirs", "agrees"}], "differences": {"amount", "fee", "fx"}, "runner_up": {..., "lost_because"}}.
    A difference that is left is booked by `entry`; what people decide has an approved `proposal`.
    """

    id = id_field()
    comparison = models.CharField(max_length=10, choices=Comparison)
    rule = models.CharField(max_length=20, choices=MatchRule)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, null=True, blank=True, related_name="groups")
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    explanation = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "reconciliation_match_group"
        constraints = [
            models.CheckConstraint(
                condition=Q(run__isnull=False, proposal=None) | Q(run=None, proposal__isnull=False),
                name="reconciliation_match_group_by_a_run_or_a_proposal",
            ),
        ]

    def __str__(self) -> str:
        return self.id


def _kept(model: type[models.Model]) -> models.ForeignKey[Any, Any]:
    """A reference that the database checks once per statement (common.triggers.set_wise_reference): a run adds a million matches at once."""
    return models.ForeignKey(
        model,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        related_name="matches",
    )


class Match(models.Model):
    """A claim of the first comparison: a line, an operation, or both as a pair that agrees in everything that is compared. Never changed."""

    id = models.BigAutoField(primary_key=True)
    run = _kept(ReconciliationRun)
    group = _kept(MatchGroup)
    line = _kept(StatementLine)
    operation = _kept(Operation)
    rule = models.CharField(max_length=20, choices=MatchRule)

    class Meta:
        db_table = "reconciliation_match"
        verbose_name_plural = "matches"
        constraints = [
            models.UniqueConstraint(fields=["line"], name="reconciliation_match_line_once"),
            models.UniqueConstraint(fields=["operation"], name="reconciliation_match_operation_once"),
            models.CheckConstraint(
                condition=Q(line__isnull=False, operation__isnull=False)
                | Q(group__isnull=False, line__isnull=False)
                | Q(group__isnull=False, operation__isnull=False),
                name="reconciliation_match_alone_only_in_a_group",
            ),
            models.CheckConstraint(
                condition=Q(run__isnull=False) | Q(group__isnull=False), name="reconciliation_match_of_a_run_or_a_group"
            ),
        ]
        indexes = [
            models.Index(fields=["group"], condition=Q(group__isnull=False), name="reconciliation_match_by_group")
        ]

    def __str__(self) -> str:
        return f"{self.line_id} = {self.operation_id}"


class BankMatch(models.Model):
    """A claim of the second comparison: a bank line, a remittance or a payout, in a group."""

    id = models.BigAutoField(primary_key=True)
    group = models.ForeignKey(MatchGroup, on_delete=models.PROTECT, related_name="bank_matches")
    bank_line = models.OneToOneField(
        BankLine, on_delete=models.PROTECT, null=True, blank=True, related_name="bank_match"
    )
    remittance = models.OneToOneField(
        Remittance, on_delete=models.PROTECT, null=True, blank=True, related_name="bank_match"
    )
    payout = models.OneToOneField(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="bank_match")

    class Meta:
        db_table = "reconciliation_bank_match"
        verbose_name_plural = "bank matches"
        constraints = [
            models.CheckConstraint(
                condition=Q(bank_line__isnull=False, remittance=None, payout=None)
                | Q(bank_line=None, remittance__isnull=False, payout=None)
                | Q(bank_line=None, remittance=None, payout__isnull=False),
                name="reconciliation_bank_match_of_one_item",
            )
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.bank_line_id or self.remittance_id or self.payout_id}"


class BreakKind(models.TextChoices):
    MISSING_AT_PROVIDER = "MISSING_AT_PROVIDER", "Not in the statement"
    MISSING_IN_BOOKS = "MISSING_IN_BOOKS", "Not in our books"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH", "Another amount"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH", "Another currency"
    STATUS_MISMATCH = "STATUS_MISMATCH", "Another outcome"
    FEE_MISMATCH = "FEE_MISMATCH", "Another fee"
    DUPLICATE_LINE = "DUPLICATE_LINE", "Listed twice"
    AMBIGUOUS = "AMBIGUOUS", "More than one fits"


class Resolution(models.TextChoices):
    """How a break ended."""

    EXPLAINED = "EXPLAINED", "No longer found"  # by a run
    MATCHED = "MATCHED", "Matched by hand"
    ADJUSTED = "ADJUSTED", "Adjusted by journal"
    WRITTEN_OFF = "WRITTEN_OFF", "Written off"
    DISPUTED = "DISPUTED", "Booked as a dispute"


BY_TWO = [Resolution.MATCHED, Resolution.ADJUSTED, Resolution.WRITTEN_OFF, Resolution.DISPUTED]


class Break(models.Model):
    """One difference. It closes itself when a later run no longer finds it, or by what two people decided; the row stays.

    `nearest`: up to three items that nearly fit, [{"item", "id", "why_not", "difference"}].
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="breaks")  # that found it first
    last_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )  # of the first comparison: that looked at it last
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    day = models.DateField()  # of the statement that has the line, or that should have had it
    carried_from = models.DateField(
        null=True, blank=True
    )  # the day that was closed with it; `day` is then the next open one
    kind = models.CharField(max_length=20, choices=BreakKind)
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    bank_line = models.ForeignKey(BankLine, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    remittance = models.ForeignKey(Remittance, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    our_currency = models.CharField(max_length=3, blank=True, default="")
    our_minor = models.BigIntegerField(
        null=True, blank=True
    )  # FEE_MISMATCH: the fee agreed on; else the amount, signed
    their_currency = models.CharField(max_length=3, blank=True, default="")
    their_minor = models.BigIntegerField(null=True, blank=True)
    cause = models.CharField(max_length=255)  # the probable cause, a sentence
    nearest = models.JSONField(default=list)
    waiting = models.BooleanField(default=False)  # an operation that its line names had not ended when it was looked at
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    due_on = models.DateField(null=True, blank=True)  # when its owner wants it done; set forward to carry it
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolved_by_proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=12, choices=Resolution, blank=True, default="")

    class Meta:
        db_table = "reconciliation_break"
        ordering = ["-first_seen_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "line", "operation", "bank_line", "remittance", "payout"],
                condition=Q(resolved_at=None),
                name="reconciliation_break_open_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(line__isnull=False)
                | Q(operation__isnull=False)
                | Q(bank_line__isnull=False)
                | Q(remittance__isnull=False)
                | Q(payout__isnull=False),
                name="reconciliation_break_of_something",
            ),
            models.CheckConstraint(
                condition=Q(payout=None)
                | Q(kind=BreakKind.MISSING_AT_PROVIDER, line=None, operation=None, bank_line=None, remittance=None),
                name="reconciliation_break_of_a_payout_alone",
            ),
            models.CheckConstraint(
                condition=Q(carried_from=None) | Q(carried_from__lt=F("day")),
                name="reconciliation_break_carried_forward",
            ),
            models.CheckConstraint(condition=Q(kind__in=BreakKind.values), name="reconciliation_break_kind_known"),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolved_by_run=None, resolved_by_proposal=None, resolution="")
                | Q(
                    resolved_at__isnull=False,
                    resolved_by_run__isnull=False,
                    resolved_by_proposal=None,
                    resolution=Resolution.EXPLAINED,
                )
                | Q(
                    resolved_at__isnull=False,
                    resolved_by_run=None,
                    resolved_by_proposal__isnull=False,
                    resolution__in=BY_TWO,
                ),
                name="reconciliation_break_resolved_by_a_run_or_two_people",
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "live", "day"], condition=Q(resolved_at=None), name="reconciliation_break_open"
            ),
            models.Index(
                fields=["first_seen_at", "id"], condition=Q(resolved_at=None), name="reconciliation_break_queue"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.provider} {self.day}"

    @property
    def of_bank(self) -> bool:
        """Of the second comparison."""
        return bool(self.bank_line_id or self.remittance_id or self.payout_id)


class BreakComment(models.Model):
    """What somebody noted about a break. Written once."""

    id = models.BigAutoField(primary_key=True)
    break_item = models.ForeignKey(Break, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=2000)
    at = models.DateTimeField()

    class Meta:
        db_table = "reconciliation_break_comment"
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.text[:60]
