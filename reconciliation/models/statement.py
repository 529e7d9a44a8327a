"""Statements: what a provider or a bank says happened in one of its days, kept as it came and read into lines.

A statement is imported or refused; a line of it that cannot be read is set aside and never dropped. The file's bytes stay, so that
whatever was read can be read again; a line is kept once, whichever file brought it, and never changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import ProviderAccount


class StatementState(models.TextChoices):
    IMPORTED = "IMPORTED", "Imported"
    WAITING = "WAITING", "Waits for its other pages"  # nothing of it was applied
    REFUSED = "REFUSED", "Refused"  # nothing of it was applied; tried again when the same file comes again


STATEMENT_MOVES = {
    (StatementState.REFUSED, StatementState.IMPORTED),
    (StatementState.REFUSED, StatementState.WAITING),
    (StatementState.WAITING, StatementState.IMPORTED),
    (StatementState.WAITING, StatementState.REFUSED),
}


class Controls(models.TextChoices):
    """What the file says its lines come to, and whether they do."""

    NONE = "NONE", "The file states none"
    AGREED = "AGREED", "Agreed"
    WAITING = "WAITING", "Waiting for quarantined lines"
    DIFFERS = "DIFFERS", "Differs: lines were discarded"


CONTROLS_MOVES = {
    (Controls.NONE, Controls.AGREED),  # a refused file that came again
    (Controls.NONE, Controls.WAITING),
    (Controls.WAITING, Controls.AGREED),
    (Controls.WAITING, Controls.DIFFERS),
}


class Statement(models.Model):
    """One file of a source: a provider and one account there or (`provider_account` empty) all of that mode, or a bank.

    The sums are in hundredths (parsers.entries.hundredths_of) over the lines that were read, whatever currencies they mix; `stated` is what the file says of all of them,
    {"lines", "amount", "fee", "net"}, as far as it does. A bank's file has its balances in `bank_balance`. `page`: {"account", "key", "number",
    "last", "day"} of a file that is one page of a statement, and "replaced" once another took its place; the lines of all pages are with the
    one that came last.
    """

    id = id_field()
    provider = models.CharField(max_length=20)  # the source's code
    provider_account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    live = models.BooleanField()
    day = models.DateField()  # the provider's day, in the provider's zone
    state = models.CharField(max_length=10, choices=StatementState)
    reason = models.TextField(blank=True, default="")  # why it was refused, by line number
    sha256 = models.BinaryField(max_length=32)
    page = models.JSONField(null=True, blank=True)
    mapping_version = models.PositiveIntegerField(default=0)  # by which a mapped file was read
    line_count = models.PositiveIntegerField(default=0)  # of the file: read and quarantined
    new_line_count = models.PositiveIntegerField(default=0)  # those that no earlier file had brought
    quarantined_count = models.PositiveIntegerField(default=0)  # those that could not be read when it came
    controls = models.CharField(max_length=8, choices=Controls, default=Controls.NONE)
    stated = models.JSONField(default=dict)
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
            models.CheckConstraint(condition=Q(controls__in=Controls.values), name="statement_controls_known"),
            models.CheckConstraint(
                condition=Q(quarantined_count__lte=F("line_count")), name="statement_quarantined_within_lines"
            ),
            models.CheckConstraint(
                condition=Q(state="IMPORTED", imported_at__isnull=False, reason="")
                | (Q(state__in=["REFUSED", "WAITING"], imported_at=None, new_line_count=0) & ~Q(reason="")),
                name="statement_refused_has_a_reason_and_no_lines",
            ),
            models.CheckConstraint(
                condition=~Q(state="WAITING") | Q(page__isnull=False, page__has_keys=["account", "key", "number"]),
                name="statement_waits_as_a_page",
            ),
            models.UniqueConstraint(
                "provider",
                "provider_account",
                "live",
                F("page__account"),
                F("page__key"),
                F("page__number"),
                condition=Q(state="WAITING"),
                nulls_distinct=False,
                name="statement_one_page_of_a_number_waits",
            ),
        ]
        indexes = [models.Index(fields=["provider", "live", "day"], name="statement_by_day")]

    def __str__(self) -> str:
        return f"{self.provider} {self.day:%-d %b %Y}"


class StatementFile(models.Model):
    """The file of a statement, apart so that lists of statements never load it. Its bytes are in chunks, so that nobody ever holds all."""

    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, primary_key=True, related_name="file")
    name = models.CharField(max_length=120, blank=True, default="")  # as whoever sent it called it
    size = models.BigIntegerField()  # of the file as it came

    class Meta:
        db_table = "statement_file"

    def __str__(self) -> str:
        return f"{self.statement_id} ({self.size} bytes)"

    def parts(self) -> Iterator[bytes]:
        """The file as it came, piece by piece."""
        for compressed in self.chunks.order_by("number").values_list("compressed", flat=True).iterator(chunk_size=4):
            yield zlib.decompress(bytes(compressed))

    def content(self) -> bytes:
        """The file as it came, whole."""
        return b"".join(self.parts())


class StatementFileChunk(models.Model):
    """A piece of a file."""

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, db_index=False, related_name="chunks")
    number = models.PositiveIntegerField()
    compressed = models.BinaryField()  # zlib

    class Meta:
        db_table = "statement_file_chunk"
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="statement_file_chunk_once")]

    def __str__(self) -> str:
        return f"{self.file_id} #{self.number}"


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
