"""What reconciliation concludes: matches claim items for good, breaks say what somebody or something must explain.

An item (a statement line, an operation of ours) is claimed by one match at most: the unique columns hold that, whoever matches at
the same time. Nothing here changes money.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field
from payments.models import Operation
from reconciliation.models.statement import StatementLine


class ReconciliationRun(models.Model):
    """One comparison of a provider's day with our books, in live or test mode. Without `ended_at` it broke off, and changed nothing.

    `totals`: of the day's lines, per currency in minor units: {"MYR": {"matched": n, "broken": n}}.
    """

    id = id_field()
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    day = models.DateField()
    actor = models.CharField(max_length=120)
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
        return f"{self.provider} {self.day} {self.id}"


class MatchRule(models.TextChoices):
    """By what a line and an operation were found to belong together."""

    REFERENCE = "REFERENCE", "Our reference"
    PROVIDER_REFERENCE = "PROVIDER_REFERENCE", "The provider's reference"


class Match(models.Model):
    """A line and an operation that agree in everything that is compared."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, db_index=False, related_name="matches")
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, db_index=False, related_name="matches")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, db_index=False, related_name="matches")
    rule = models.CharField(max_length=20, choices=MatchRule)

    class Meta:
        db_table = "reconciliation_match"
        verbose_name_plural = "matches"
        constraints = [
            models.UniqueConstraint(fields=["line"], name="reconciliation_match_line_once"),
            models.UniqueConstraint(fields=["operation"], name="reconciliation_match_operation_once"),
        ]
        indexes = [models.Index(fields=["run"], name="reconciliation_match_by_run")]

    def __str__(self) -> str:
        return f"{self.line_id} = {self.operation_id}"


class BreakKind(models.TextChoices):
    MISSING_AT_PROVIDER = "MISSING_AT_PROVIDER", "Not in the statement"
    MISSING_IN_BOOKS = "MISSING_IN_BOOKS", "Not in our books"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH", "Another amount"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH", "Another currency"
    STATUS_MISMATCH = "STATUS_MISMATCH", "Another outcome"
    FEE_MISMATCH = "FEE_MISMATCH", "Another fee"
    DUPLICATE_LINE = "DUPLICATE_LINE", "Listed twice"
    AMBIGUOUS = "AMBIGUOUS", "More than one fits"


class Break(models.Model):
    """One difference. It closes itself when a later run no longer finds it; then `resolved_at` is set and the row stays."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="breaks")  # that found it first
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    day = models.DateField()  # of the statement that has the line, or that should have had it
    kind = models.CharField(max_length=20, choices=BreakKind)
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    our_currency = models.CharField(max_length=3, blank=True, default="")
    our_minor = models.BigIntegerField(
        null=True, blank=True
    )  # FEE_MISMATCH: the fee agreed on; else the amount, signed
    their_currency = models.CharField(max_length=3, blank=True, default="")
    their_minor = models.BigIntegerField(null=True, blank=True)
    cause = models.CharField(max_length=255)  # the probable cause, a sentence
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "reconciliation_break"
        ordering = ["-first_seen_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "line", "operation"],
                condition=Q(resolved_at=None),
                name="reconciliation_break_open_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(line__isnull=False) | Q(operation__isnull=False), name="reconciliation_break_of_something"
            ),
            models.CheckConstraint(condition=Q(kind__in=BreakKind.values), name="reconciliation_break_kind_known"),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolved_by_run=None)
                | Q(resolved_at__isnull=False, resolved_by_run__isnull=False),
                name="reconciliation_break_resolved_by_a_run",
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "live", "day"], condition=Q(resolved_at=None), name="reconciliation_break_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.line_id or ''} {self.operation_id or ''}"
