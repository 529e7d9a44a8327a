"""Refunds: money given back, with a state of their own."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from payments.models._choices import choices, one_of
from payments.models.payment import Payment
from payments.models.transaction import Transaction
from payments.states import RefundState


class Refund(models.Model):
    """One refund of part or all of what was captured. Pending until the provider said so."""

    id = id_field()
    transaction = models.ForeignKey(  # found by refund_by_transaction
        Transaction, on_delete=models.PROTECT, db_index=False, related_name="refunds"
    )
    payment = models.ForeignKey(  # none where a transfer is refunded: no provider was part of it
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    state = models.CharField(max_length=20, choices=choices(RefundState), default=RefundState.PENDING)
    currency = currency_field()
    amount_minor = minor_field()
    reason = models.CharField(max_length=255)
    requested_by = models.CharField(max_length=120)
    failure_code = models.CharField(max_length=40, blank=True, default="")
    failure_reason = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "refund"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=one_of(RefundState)), name="refund_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["transaction", "created_at"], name="refund_by_transaction"),
            BrinIndex(fields=["created_at"], autosummarize=True, name="refund_by_day"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
