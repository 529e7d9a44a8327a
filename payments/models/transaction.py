"""Transactions: what a merchant asked for."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import Merchant
from payments.models._choices import choices, one_of
from payments.states import TransactionStatus


class Channel(models.TextChoices):
    """The door it came in by."""

    API = "api", "API v1"
    EPS = "eps", "EPS"


class Transaction(models.Model):
    """What a merchant asked for. The aggregate: every change of it, its payments and refunds raises `version` by one."""

    id = id_field()
    merchant = models.ForeignKey(  # found by transaction_by_merchant
        Merchant, on_delete=models.PROTECT, db_index=False, related_name="transactions"
    )
    live = models.BooleanField()
    channel = models.CharField(max_length=10, choices=Channel)
    # The payment type: fpx, migs, ... On our own page the payer chooses it, so until then it is empty, and then the last payment's.
    method = models.CharField(max_length=30, blank=True)
    hosted = models.BooleanField(
        default=False, db_default=False
    )  # the payer chooses on our own page, and may try again
    manual_capture = models.BooleanField(
        default=False, db_default=False
    )  # of a hosted one: its payments are authorisations
    status = models.CharField(max_length=20, choices=choices(TransactionStatus), default=TransactionStatus.PENDING)
    version = models.PositiveIntegerField(default=1)

    currency = currency_field()
    amount_minor = minor_field()
    amount_authorized_minor = minor_field(default=0)
    amount_captured_minor = minor_field(default=0)
    amount_refunded_minor = minor_field(default=0)
    amount_refund_pending_minor = minor_field(default=0)  # asked for, not yet answered: reserved
    amount_disputed_minor = minor_field(default=0, db_default=0)  # charged back and not given back (reconciliation)

    # A book transfer has both accounts and no payments: a payment is an attempt at a provider. Without indexes, which every
    # payment would pay for: an account is read by its postings.
    from_account = models.ForeignKey(
        "payments.Account", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    to_account = models.ForeignKey(
        "payments.Account", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )

    external_reference = models.CharField(max_length=100, null=True, blank=True)  # the merchant's own; TRANS_ID of EPS
    content_hash = models.BinaryField(max_length=32)  # of what was asked: tells a repeat from a clash of references
    description = models.CharField(max_length=255, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    extra_fields = models.JSONField(default=dict, blank=True)  # the merchant's own EPS fields
    payer_name = models.CharField(max_length=120, blank=True, default="")
    payer_email = models.CharField(max_length=254, blank=True, default="")
    payer_phone = models.CharField(max_length=30, blank=True, default="")
    return_url = models.CharField(max_length=2000, blank=True, default="")  # the merchant's page the payer returns to

    failure_code = models.CharField(max_length=40, blank=True, default="")
    failure_reason = models.CharField(max_length=255, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)  # the payer's time; a transfer waits for nobody
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "transaction"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "live", "external_reference"],
                condition=Q(external_reference__isnull=False),
                name="transaction_external_reference_once",
            ),
            models.CheckConstraint(condition=Q(status__in=one_of(TransactionStatus)), name="transaction_status_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="transaction_amount_positive"),
            models.CheckConstraint(
                condition=Q(amount_refunded_minor__gte=0)
                & Q(amount_refund_pending_minor__gte=0)
                & Q(amount_captured_minor__gte=F("amount_refunded_minor") + F("amount_refund_pending_minor"))
                & Q(amount_authorized_minor__gte=F("amount_captured_minor"))
                & Q(amount_minor__gte=F("amount_authorized_minor")),
                name="transaction_refunded_within_captured_within_authorized",
            ),
            models.CheckConstraint(
                condition=Q(amount_disputed_minor=0)
                | Q(
                    amount_disputed_minor__gt=0,
                    amount_captured_minor__gte=F("amount_refunded_minor")
                    + F("amount_refund_pending_minor")
                    + F("amount_disputed_minor"),
                ),
                name="transaction_refunded_and_disputed_within_captured",
            ),
            models.CheckConstraint(
                condition=Q(from_account=None, to_account=None, expires_at__isnull=False)
                | Q(from_account__isnull=False, to_account__isnull=False, expires_at=None),
                name="transaction_transfer_has_both_accounts",
            ),
            models.CheckConstraint(
                condition=~Q(method="") | Q(hosted=True, from_account=None),
                name="transaction_method_given_unless_hosted",
            ),
            models.CheckConstraint(
                condition=Q(from_account=None) | ~Q(from_account=F("to_account")),
                name="transaction_transfer_between_two_accounts",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "live", "-created_at", "-id"], name="transaction_by_merchant"),
            models.Index(fields=["expires_at"], condition=Q(status="PENDING"), name="transaction_unpaid"),
            models.Index(
                fields=["created_at"],
                condition=Q(status="PENDING", from_account__isnull=False),
                name="transaction_transfer_waiting",
            ),
            # What a person has in hand (payments/admin/search.py), and a day of the console's lists.
            models.Index(
                fields=["external_reference"],
                condition=Q(external_reference__isnull=False),
                name="transaction_by_reference",
            ),
            models.Index(
                OpClass(Upper("payer_email"), name="varchar_pattern_ops"),
                condition=~Q(payer_email=""),
                name="transaction_by_payer_email",
            ),
            BrinIndex(fields=["created_at"], autosummarize=True, name="transaction_by_day"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def is_transfer(self) -> bool:
        """Whether it moves money between two accounts of ours instead of through a provider."""
        return self.from_account_id is not None

    @property
    def capturable_minor(self) -> int:
        """Authorised and not captured; what may be taken of it while the transaction is AUTHORIZED."""
        return self.amount_authorized_minor - self.amount_captured_minor

    @property
    def refundable_minor(self) -> int:
        """Captured, and neither refunded, nor reserved for refunds, nor charged back."""
        gone = self.amount_refunded_minor + self.amount_refund_pending_minor + self.amount_disputed_minor
        return self.amount_captured_minor - gone
