"""Claims: fees that a provider kept beyond its contract, listed once and asked back.

The difference is a FEE_MISMATCH break; a claim takes those of a period in which the provider kept too much. A line is claimed once. What the
provider gives back is a line of type ADJUSTMENT that an operator assigns to the claim; closing that line's break is an act of its own.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from reconciliation.models.matching import Break
from reconciliation.models.statement import StatementLine


class FeeClaim(models.Model):
    """What we ask a provider to give back for the days from `first_day` to `last_day`. Written once, with its lines."""

    id = id_field()
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    currency = currency_field()
    first_day = models.DateField()
    last_day = models.DateField()
    line_count = models.PositiveIntegerField()
    claimed_minor = minor_field()
    reason = models.CharField(max_length=255)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "fee_claim"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(claimed_minor__gt=0, line_count__gt=0), name="fee_claim_of_more_than_nothing"
            ),
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="fee_claim_days_forwards"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.first_day:%b %Y}: {self.claimed} {self.currency}"

    @property
    def claimed(self) -> Money:
        return Money(self.claimed_minor, self.currency)


class FeeClaimLine(models.Model):
    """One statement line whose fee was too high."""

    line = models.OneToOneField(
        StatementLine, on_delete=models.PROTECT, primary_key=True, related_name="fee_claim_line"
    )
    claim = models.ForeignKey(FeeClaim, on_delete=models.PROTECT, related_name="lines")
    break_item = models.ForeignKey(Break, on_delete=models.PROTECT, related_name="+")
    agreed_minor = minor_field()
    charged_minor = minor_field()

    class Meta:
        db_table = "fee_claim_line"
        ordering = ["claim", "line"]
        constraints = [
            models.CheckConstraint(
                condition=Q(charged_minor__gt=F("agreed_minor")), name="fee_claim_line_charged_too_much"
            )
        ]

    def __str__(self) -> str:
        return f"{self.claim_id} {self.line_id}"


class FeeClaimRefund(models.Model):
    """An adjustment by which the provider gave back what was claimed, or part of it."""

    line = models.OneToOneField(
        StatementLine, on_delete=models.PROTECT, primary_key=True, related_name="fee_claim_refund"
    )
    claim = models.ForeignKey(FeeClaim, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = minor_field()
    reason = models.CharField(max_length=255)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "fee_claim_refund"
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="fee_claim_refund_positive")]

    def __str__(self) -> str:
        return f"{self.claim_id} {self.line_id}"
