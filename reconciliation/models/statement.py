"""Statements: what a provider says happened in one of its days, kept as it came and read into lines.

A statement is imported whole or refused whole. The file's bytes stay, so that whatever was read can be read again; a line is kept once,
whichever file brought it, and never changes.
"""

from __future__ import annotations

import zlib

from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import ProviderAccount


class StatementState(models.TextChoices):
    IMPORTED = "IMPORTED", "Imported"
    REFUSED = "REFUSED", "Refused"  # nothing of it was applied; tried again when the same file comes again


STATEMENT_MOVES = {(StatementState.REFUSED, StatementState.IMPORTED)}


class Statement(models.Model):
    """One file of a source: a provider, and one account there or (`provider_account` empty) all of that mode.

    The sums are in hundredths as the file states and shows them, whatever currencies it mixes.
    """

    id = id_field()
    provider = models.CharField(max_length=20)
    provider_account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    live = models.BooleanField()
    day = models.DateField()  # the provider's day, in the provider's zone
    state = models.CharField(max_length=10, choices=StatementState)
    reason = models.TextField(blank=True, default="")  # why it was refused, by line number
    sha256 = models.BinaryField(max_length=32)
    line_count = models.PositiveIntegerField(default=0)  # as stated by the trailer and counted
    new_line_count = models.PositiveIntegerField(default=0)  # those that no earlier file had brought
    amount_total = models.BigIntegerField(default=0)
    fee_total = models.BigIntegerField(default=0)
    net_total = models.BigIntegerField(default=0)
    received_at = models.DateTimeField()  # the last time that this very file came
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "statement"
        ordering = ["-day", "-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_account", "live", "sha256"],
                name="statement_file_once_per_source",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(state__in=StatementState.values), name="statement_state_known"),
            models.CheckConstraint(
                condition=Q(state="IMPORTED", imported_at__isnull=False, reason="")
                | (Q(state="REFUSED", imported_at=None, new_line_count=0) & ~Q(reason="")),
                name="statement_refused_has_a_reason_and_no_lines",
            ),
        ]
        indexes = [models.Index(fields=["provider", "live", "day"], name="statement_by_day")]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} {self.id}"


class StatementFile(models.Model):
    """The bytes of a statement, apart so that lists of statements never load them."""

    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, primary_key=True, related_name="file")
    compressed = models.BinaryField()  # zlib
    size = models.BigIntegerField()  # of the file as it came

    class Meta:
        db_table = "statement_file"

    def __str__(self) -> str:
        return f"{self.statement_id} ({self.size} bytes)"

    def content(self) -> bytes:
        """The file as it came."""
        return zlib.decompress(bytes(self.compressed))


class LineType(models.TextChoices):
    PAYMENT = "PAYMENT", "Payment"  # a sale or a capture
    REFUND = "REFUND", "Refund"
    CHARGEBACK = "CHARGEBACK", "Chargeback"  # the payer's bank took a payment back
    REVERSAL = "REVERSAL", "Reversal"  # a chargeback was given back
    FEE = "FEE", "Fee"  # of no payment in particular: the amount is zero
    ADJUSTMENT = "ADJUSTMENT", "Adjustment"


class StatementLine(models.Model):
    """One line. Its natural key is who, what and the provider's reference; `occurrence` tells real twins apart."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="lines"
    )  # this and the account are checked once per statement (common.triggers.set_wise_reference)
    number = models.PositiveIntegerField()  # in the file that brought it
    provider = models.CharField(max_length=20)
    account_key = models.CharField(max_length=60)  # how the provider names the account
    provider_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )  # none: the account is not one of ours
    type = models.CharField(max_length=10, choices=LineType)
    provider_reference = models.CharField(max_length=60)
    occurrence = models.PositiveIntegerField()
    our_reference = models.CharField(max_length=60, blank=True, default="")
    at = models.DateTimeField()
    currency = currency_field()
    amount_minor = minor_field()  # signed as in the file: refunds negative
    fee_minor = minor_field()
    net_minor = minor_field()
    status_code = models.CharField(max_length=10)

    class Meta:
        db_table = "statement_line"
        constraints = [
            models.UniqueConstraint(
                fields=["provider_reference", "account_key", "type", "provider", "occurrence"],  # what differs first
                name="statement_line_once",
            ),
            models.CheckConstraint(
                condition=Q(type__in=["PAYMENT", "REVERSAL"], amount_minor__gt=0)
                | Q(type__in=["REFUND", "CHARGEBACK"], amount_minor__lt=0)
                | (Q(type="FEE", amount_minor=0) & ~Q(fee_minor=0))
                | (Q(type="ADJUSTMENT") & ~Q(amount_minor=0)),
                name="statement_line_sign_of_type",
            ),
            models.CheckConstraint(
                condition=Q(net_minor=models.F("amount_minor") - models.F("fee_minor")),
                name="statement_line_net_is_amount_less_fee",
            ),
        ]
        # Foreign keys to text would bring two indexes each; a million lines a day should carry only those that are used.
        indexes = [
            models.Index(fields=["statement"], name="statement_line_by_statement"),
            models.Index(fields=["our_reference"], name="statement_line_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.provider_reference}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
