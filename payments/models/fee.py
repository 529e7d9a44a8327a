"""What merchants pay us: their plans, each change a version of its own, and what was charged, by its parts."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.models import Proposal
from merchants.models import Merchant
from payments.models.ledger import JournalEntry

FEE_PLAN_AGREED = (
    *("id", "merchant_id", "live", "method", "currency", "version"),
    *("tiers", "minimum_minor", "maximum_minor"),
)


class FeePlan(models.Model):
    """One version of a merchant's price for a method and currency in one mode, as two people agreed, never edited.

    It holds from `valid_from` until a later one does.

    `tiers`: [{"from_minor", "basis_points", "fixed_minor"}], ascending from 0 (see payments.ledger.fees); none gives the price of the provider
    account back, which also is the price where there is no plan. A plan of the method goes before one of all methods (empty).
    """

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="fee_plans")
    live = models.BooleanField()
    method = models.CharField(max_length=30, blank=True, default="")
    currency = currency_field()
    version = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    tiers = models.JSONField(default=list)
    minimum_minor = minor_field(default=0)
    maximum_minor = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=255)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "fee_plan"
        ordering = ["merchant", "live", "currency", "method", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "live", "currency", "method", "version"], name="fee_plan_version"
            ),
            models.CheckConstraint(condition=Q(valid_from__gte=F("created_at")), name="fee_plan_for_later_captures"),
            models.CheckConstraint(
                condition=Q(minimum_minor__gte=0) & (Q(maximum_minor=None) | Q(maximum_minor__gte=F("minimum_minor"))),
                name="fee_plan_minimum_within_maximum",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method or 'every method'} {self.currency} v{self.version}"


class FeeCharge(models.Model):
    """The parts of the fee that one capture's entry books, and the plan it was charged by (none: the provider account's price)."""

    entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, primary_key=True, related_name="fee_charge")
    plan = models.ForeignKey(FeePlan, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+")
    amount_minor = minor_field()  # what was captured
    percentage_minor = minor_field()
    fixed_minor = minor_field()
    limit_minor = minor_field()

    class Meta:
        db_table = "fee_charge"
        constraints = [
            models.CheckConstraint(
                condition=Q(percentage_minor__gte=0, fixed_minor__gte=0)
                & Q(amount_minor__gte=F("percentage_minor") + F("fixed_minor") + F("limit_minor"))
                & Q(limit_minor__gt=-F("percentage_minor") - F("fixed_minor")),
                name="fee_charge_within_amount",
            )
        ]

    def __str__(self) -> str:
        return self.entry_id

    @property
    def minor(self) -> int:
        return self.percentage_minor + self.fixed_minor + self.limit_minor
