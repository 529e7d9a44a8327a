"""Payments: one attempt at one provider to fulfil a transaction."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import ProviderAccount
from payments.models._choices import choices, one_of
from payments.models.transaction import Transaction
from payments.states import OVER, PaymentState


class Payment(models.Model):
    """One attempt. Its `payment_trans_id` is what merchants, payers and providers quote ("EPG20261121...")."""

    id = id_field()
    transaction = models.ForeignKey(  # found by payment_attempt_once
        Transaction, on_delete=models.PROTECT, db_index=False, related_name="payments"
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    method = models.CharField(max_length=30, default="", db_default="")  # the payment type of this attempt
    provider_account = models.ForeignKey(ProviderAccount, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=choices(PaymentState), default=PaymentState.CREATED)
    payment_trans_id = models.CharField(max_length=40, unique=True)
    currency = currency_field()
    amount_minor = minor_field()
    fee_minor = minor_field(default=0)  # what the merchant pays us for it
    bank_code = models.CharField(max_length=20, blank=True, default="")
    business_banking = models.BooleanField(default=False)
    next_action = models.JSONField(null=True, blank=True)  # what the payer has to do, as the API shows it
    approval_code = models.CharField(max_length=40, blank=True, default="")
    bank_reference = models.CharField(max_length=60, blank=True, default="")
    provider_reference = models.CharField(max_length=60, blank=True, default="")
    failure_code = models.CharField(max_length=40, blank=True, default="")
    failure_reason = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "payment"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "attempt"], name="payment_attempt_once"),
            models.UniqueConstraint(
                fields=["transaction"], condition=~Q(state__in=sorted(OVER)), name="payment_one_that_can_charge"
            ),
            models.CheckConstraint(condition=Q(state__in=one_of(PaymentState)), name="payment_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(fee_minor__gte=0), name="payment_fee_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["provider_reference"], condition=~Q(provider_reference=""), name="payment_by_provider_ref"
            ),
            models.Index(fields=["bank_reference"], condition=~Q(bank_reference=""), name="payment_by_bank_ref"),
            models.Index(fields=["approval_code"], condition=~Q(approval_code=""), name="payment_by_approval_code"),
            BrinIndex(fields=["created_at"], autosummarize=True, name="payment_by_day"),
        ]

    def __str__(self) -> str:
        return self.payment_trans_id

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
