"""How a merchant is settled: how often, until when, what is held back, and where the money goes.

Every change is a version of its own, and every version is what two people agreed on (common/agreed.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import time

from django.db import models
from django.db.models import Q

from common.crypto import seal, unseal
from common.fields import currency_field, id_field, minor_field
from common.models import Proposal
from merchants.models import Merchant
from payments.models import Account
from reconciliation.models.calendar import BankCalendar
from reconciliation.settlement.calendar import Cycle


class PayTo(models.TextChoices):
    NOWHERE = "NOWHERE", "Not told yet"
    ACCOUNT = "ACCOUNT", "An account with us"
    BANK = "BANK", "A bank account"


TERMS_AGREED = (
    *("id", "merchant_id", "live", "currency", "version", "cycle", "weekday", "cut_off", "pay_after_days"),
    *("reserve_basis_points", "reserve_days", "minimum_payout_minor", "only_proven"),
    *("pay_to", "account_id", "bank_sealed", "bank_hint"),
    "calendar_id",
)


class SettlementTerms(models.Model):
    """One version of a merchant's terms in one mode and currency, never edited: the one with the highest version holds.

    `bank_sealed` is JSON {"name", "account", "bic", "bank", "country"}, sealed; `bank_hint` is what lists may show of it. A merchant without terms
    is settled by the defaults of these fields.
    """

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="settlement_terms")
    live = models.BooleanField()
    currency = currency_field()
    version = models.PositiveIntegerField()
    cycle = models.CharField(
        max_length=10, choices=[(c.value, c.value.capitalize()) for c in Cycle], default=Cycle.DAILY
    )
    weekday = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of weekly terms: 1 is Monday, 7 Sunday."
    )
    cut_off = models.TimeField(
        default=time(0, 0), help_text="In the merchant's time zone. 00:00 is the midnight that ends the day."
    )
    pay_after_days = models.PositiveSmallIntegerField(
        default=1, help_text="T + n: business days from the closing day to the payout."
    )
    calendar = models.ForeignKey(
        BankCalendar,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose holidays are no business days. None: Saturdays and Sundays only.",
    )
    reserve_basis_points = models.PositiveIntegerField(
        default=0, help_text="Held back of what was paid less what was given back: 500 is 5 %."
    )
    reserve_days = models.PositiveSmallIntegerField(default=0, help_text="Days until what was held back is released.")
    minimum_payout_minor = minor_field(
        default=0, help_text="In minor units. Less is carried over to the next settlement."
    )
    only_proven = models.BooleanField(
        default=False, help_text="Settle a payment only when the provider's statement has proven it."
    )
    pay_to = models.CharField(max_length=10, choices=PayTo, default=PayTo.NOWHERE)
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Of the merchant, in the same mode and currency.",
    )
    bank_sealed = models.TextField(blank=True, default="")
    bank_hint = models.CharField(max_length=60, blank=True, default="")
    reason = models.CharField(max_length=255)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "settlement_terms"
        verbose_name_plural = "settlement terms"
        ordering = ["merchant", "live", "currency", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "live", "currency", "version"], name="settlement_terms_version"
            ),
            models.CheckConstraint(
                condition=Q(cycle=Cycle.WEEKLY, weekday__gte=1, weekday__lte=7)
                | Q(cycle__in=[Cycle.DAILY, Cycle.MONTHLY], weekday=None),
                name="settlement_terms_weekday_of_weekly",
            ),
            models.CheckConstraint(
                condition=Q(reserve_basis_points__lte=10_000)
                & (Q(reserve_basis_points=0) | Q(reserve_days__gte=1, reserve_days__lte=730)),
                name="settlement_terms_reserve_ends",
            ),
            models.CheckConstraint(
                condition=Q(minimum_payout_minor__gte=0) & Q(pay_after_days__lte=60), name="settlement_terms_in_bounds"
            ),
            models.CheckConstraint(
                condition=Q(pay_to=PayTo.NOWHERE, account=None, bank_sealed="")
                | Q(pay_to=PayTo.ACCOUNT, account__isnull=False, bank_sealed="")
                | Q(pay_to=PayTo.BANK, account=None) & ~Q(bank_sealed=""),
                name="settlement_terms_one_destination",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.currency} v{self.version}"

    def seal_bank(self, details: Mapping[str, str]) -> None:
        """Set the bank account (not saved)."""
        self.bank_sealed = seal(json.dumps(dict(details)), bound_to=f"settlement_terms.bank.{self.pk}")
        self.bank_hint = f"{details.get('bank') or details.get('bic', '')} …{details['account'][-4:]}".strip()

    def open_bank(self) -> dict[str, str]:
        """The bank account in clear. Raises common.crypto.CannotOpen."""
        opened: dict[str, str] = json.loads(unseal(self.bank_sealed, bound_to=f"settlement_terms.bank.{self.pk}"))
        return opened
