"""Settlements: what a merchant is owed for a period, and which bookkeeping that is.

Every journal entry that touches what we owe a merchant is claimed by one settlement line, once, by a unique column; so nothing is settled
twice, and what commits late is simply still there for the next settlement. A settlement's amounts never change; only its state does.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import Merchant
from payments.models import JournalEntry
from reconciliation.models.terms import SettlementTerms


class SettlementState(models.TextChoices):
    CREATED = "CREATED", "To be paid out"
    CARRIED = "CARRIED", "Carried over"  # nothing to pay out: negative, or below the minimum
    PAYOUT_PENDING = "PAYOUT_PENDING", "Payout on its way"
    PAID = "PAID", "Paid"
    RETURNED = "RETURNED", "Payout returned"  # owed again, so in the next settlement


_S = SettlementState
SETTLEMENT_MOVES = {
    (_S.CREATED, _S.PAYOUT_PENDING),
    (_S.PAYOUT_PENDING, _S.CREATED),  # the payout was given up before it left
    (_S.PAYOUT_PENDING, _S.PAID),
    (_S.PAYOUT_PENDING, _S.RETURNED),
    (_S.PAID, _S.RETURNED),
    (_S.RETURNED, _S.PAID),  # it had not come back in the end
}
IN_TRANSIT = (_S.CREATED, _S.PAYOUT_PENDING)  # the net has left what we owe and has not arrived


class Settlement(models.Model):
    """One period of one merchant in one mode and currency. An aggregate of its own: every change raises `version` by one.

    `day` is the closing day in the merchant's zone, `period_to` the first moment that belongs to the next period. The fee's parts are what the
    price's percentages and fixed sums made, what its minimum added or its maximum took away, and what is not explained by parts.
    """

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="settlements")
    live = models.BooleanField()
    currency = currency_field()
    terms = models.ForeignKey(
        SettlementTerms, on_delete=models.PROTECT, null=True, blank=True, related_name="settlements"
    )
    day = models.DateField()
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    line_count = models.PositiveIntegerField()
    claimed_up_to = models.BigIntegerField(
        default=0
    )  # every posting of the account up to this id is claimed, so the next settlement begins after it
    gross_minor = minor_field()
    refund_minor = minor_field()
    dispute_minor = minor_field()
    fee_minor = minor_field()
    fee_percentage_minor = minor_field()
    fee_fixed_minor = minor_field()
    fee_limit_minor = minor_field()
    fee_other_minor = minor_field()
    reserve_held_minor = minor_field()
    reserve_released_minor = minor_field()
    adjustment_minor = minor_field()
    carried_over_minor = minor_field()
    net_minor = minor_field()
    reserve_release_on = models.DateField(null=True, blank=True)  # when what is held back here is released
    carried_from = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="carried_to"
    )
    pay_on = models.DateField()
    entry = models.OneToOneField(
        JournalEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="settlement"
    )
    state = models.CharField(max_length=20, choices=SettlementState, default=SettlementState.CREATED)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "settlement"
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "live", "currency", "period_to"], name="settlement_once_until_a_moment"
            ),
            models.CheckConstraint(
                condition=Q(
                    net_minor=F("gross_minor")
                    - F("refund_minor")
                    - F("dispute_minor")
                    - F("fee_minor")
                    - F("reserve_held_minor")
                    + F("reserve_released_minor")
                    + F("adjustment_minor")
                    + F("carried_over_minor")
                ),
                name="settlement_net_is_the_sum_of_its_parts",
            ),
            models.CheckConstraint(
                condition=Q(
                    fee_minor=F("fee_percentage_minor")
                    + F("fee_fixed_minor")
                    + F("fee_limit_minor")
                    + F("fee_other_minor")
                ),
                name="settlement_fee_is_the_sum_of_its_parts",
            ),
            models.CheckConstraint(condition=Q(state__in=SettlementState.values), name="settlement_state_known"),
            models.CheckConstraint(
                condition=Q(state=SettlementState.CARRIED) | Q(net_minor__gt=0),
                name="settlement_pays_out_more_than_zero",
            ),
            models.CheckConstraint(
                condition=Q(reserve_held_minor__gte=0, reserve_released_minor__gte=0)
                & (Q(reserve_held_minor=0) | Q(reserve_release_on__gt=F("day"))),
                name="settlement_reserve_is_released_later",
            ),
            models.CheckConstraint(
                condition=Q(carried_over_minor=0) | Q(carried_from__isnull=False), name="settlement_carried_from_one"
            ),
            models.CheckConstraint(condition=Q(period_to__gt=F("period_from")), name="settlement_period_forwards"),
        ]
        indexes = [
            models.Index(fields=["merchant", "live", "-created_at", "-id"], name="settlement_by_merchant"),
            models.Index(fields=["pay_on"], condition=Q(state="CREATED"), name="settlement_to_pay"),
        ]

    def __str__(self) -> str:
        return f"{self.merchant.code} {self.day:%-d %b %Y}"

    @property
    def net(self) -> Money:
        return Money(self.net_minor, self.currency)


class SettlementLine(models.Model):
    """The claim of one journal entry. Its net is what the entry credits to the merchant: gross less refund, dispute and fee, plus adjustment."""

    # Settlement, time and entry are one index, by which lines are read in order. That the entries exist is looked at set-wise when lines
    # are added (migration 0022), not row by row: a foreign key would take as long as everything else.
    entry = models.OneToOneField(
        JournalEntry, on_delete=models.PROTECT, primary_key=True, db_constraint=False, related_name="settlement_line"
    )
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, db_index=False, related_name="lines")
    booked_at = models.DateTimeField()
    gross_minor = minor_field()
    refund_minor = minor_field()
    dispute_minor = minor_field()
    fee_minor = minor_field()
    adjustment_minor = minor_field()

    class Meta:
        db_table = "settlement_line"
        indexes = [models.Index(fields=["settlement", "booked_at", "entry"], name="settlement_line_in_order")]

    def __str__(self) -> str:
        return f"{self.settlement_id} {self.entry_id}"

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refund_minor - self.dispute_minor - self.fee_minor + self.adjustment_minor


class ReserveRelease(models.Model):
    """What one settlement held back, given back by a later one; once, by the unique column."""

    held_by = models.OneToOneField(
        Settlement, on_delete=models.PROTECT, primary_key=True, related_name="reserve_release"
    )
    released_by = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="released_reserves")
    amount_minor = minor_field()

    class Meta:
        db_table = "settlement_reserve_release"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="settlement_reserve_release_positive")
        ]

    def __str__(self) -> str:
        return f"{self.held_by_id} by {self.released_by_id}"
