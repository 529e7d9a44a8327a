"""Where statements come from: a provider or a bank of ours, what its files look like, when they are due and what has been agreed.

Sources are settings. Those of the providers that come with the product are data in `reconciliation/sources.py`; an installation adds its banks
and whatever else sends a table. What decides whether there is a difference (`SOURCE_AGREED`), and every account of ours, changes by two people only;
the database compares the row with their proposal (common/agreed.py).
"""

from __future__ import annotations

from datetime import time
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from common.fields import currency_field
from common.models import Proposal
from reconciliation.models.calendar import BankCalendar


class Side(models.TextChoices):
    PROVIDER = "PROVIDER", "Provider"
    BANK = "BANK", "Bank"


class FileFormat(models.TextChoices):
    """What a source's files are, exactly (reconciliation/parsers). MAPPED: a table whose columns somebody described."""

    FPX = "fpx", "FPX CSV"
    MIGS = "migs", "MIGS CSV"
    VNPAY = "vnpay", "VNPay CSV or XLSX"
    AMK = "amk", "AMK CSV"
    CAMT053 = "camt053", "camt.053 (ISO 20022)"
    MT940 = "mt940", "MT940 (SWIFT)"
    MAPPED = "mapped", "Mapped table (CSV or XLSX)"


class Encoding(models.TextChoices):
    UTF8 = "utf-8", "UTF-8"
    LATIN1 = "iso-8859-1", "ISO 8859-1"
    CP1252 = "windows-1252", "Windows 1252"


def validate_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(f"{value} is not a time zone like Asia/Kuala_Lumpur")


SOURCE_AGREED = (
    *(
        "code",
        "side",
        "format",
        "zone",
        "due_days",
        "due_time",
        "remit_days",
        "amount_tolerance_minor",
        "day_tolerance",
    ),
    *("approved", "fee_basis_points", "fee_fixed_minor", "fee_fixed_business_minor", "fetch_url", "is_active"),
    "calendar_id",
)
MAPPING_AGREED = ("source_id", "version", "mapping")
BANK_ACCOUNT_AGREED = ("source_id", "account_key", "live", "currency", "holder", "bic")


class Source(models.Model):
    """One provider's or one bank's statements. `code` is what the `provider` columns of statements, lines and breaks hold.

    The statement of a day is due `due_days` later at `due_time` in the source's zone; the money of that day, `remit_days` later. What the
    provider keeps of a payment is a share, rounded half up, plus a fixed part (another for business banking); refunds are free.
    """

    code = models.CharField(
        max_length=20,
        primary_key=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_-]*\Z", "Small letters, digits, - and _.")],
    )
    name = models.CharField(max_length=80)
    side = models.CharField(max_length=8, choices=Side)
    format = models.CharField(max_length=10, choices=FileFormat)
    mapping_version = models.PositiveIntegerField(default=0, editable=False)  # of a mapped source; 0: none yet
    zone = models.CharField("Time zone", max_length=40, default="Asia/Kuala_Lumpur", validators=[validate_zone])
    encoding = models.CharField(
        max_length=12,
        choices=Encoding,
        default=Encoding.UTF8,
        help_text="Of MT940 files; the other formats say it themselves.",
    )
    due_days = models.PositiveSmallIntegerField(
        "Statement due after, days", default=1, help_text="Days after its own day when a statement is due."
    )
    due_time = models.TimeField("Statement due at", default=time(6, 0), help_text="At this time of the source's zone.")
    remit_days = models.PositiveSmallIntegerField(
        "Money due after, days",
        default=1,
        help_text="Days after the statement's day when the bank should have the money.",
    )
    calendar = models.ForeignKey(
        BankCalendar,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Money due on a weekend or one of its holidays is due on the next business day. None: on any day.",
    )
    amount_tolerance_minor = models.PositiveIntegerField(
        "Tolerance in amount, minor units",
        default=0,
        help_text="Minor units that a remittance and the bank's line may differ by.",
    )
    day_tolerance = models.PositiveSmallIntegerField(
        "Tolerance in days", default=3, help_text="Days that the bank may be earlier or later than expected."
    )
    approved = models.CharField(
        "Approved code",
        max_length=10,
        blank=True,
        default="",
        help_text="The status code of money that moved; empty: every line.",
    )
    fee_basis_points = models.PositiveIntegerField("Fee, basis points", default=0, help_text="150 is 1.5 %.")
    fee_fixed_minor = models.PositiveIntegerField("Fee, fixed, minor units", default=0)
    fee_fixed_business_minor = models.PositiveIntegerField(
        "Fixed fee for business banking, minor units", default=0, help_text="Instead, for business banking."
    )
    fetch_url = models.CharField(
        "Fetched from", max_length=200, blank=True, default="", editable=False
    )  # of a bank; {date} and {account} are filled in
    is_active = models.BooleanField(default=True)
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "reconciliation_source"
        ordering = ["side", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(side__in=Side.values), name="source_side_known"),
            models.CheckConstraint(condition=Q(format__in=FileFormat.values), name="source_format_known"),
            models.CheckConstraint(
                condition=Q(format="mapped")
                | Q(side="PROVIDER", format__in=["fpx", "migs", "vnpay", "amk"])
                | Q(side="BANK", format__in=["camt053", "mt940"]),
                name="source_format_of_its_side",
            ),
            models.CheckConstraint(condition=Q(fee_basis_points__lte=10_000), name="source_fee_at_most_all"),
        ]

    def __str__(self) -> str:
        return self.name


class SourceMapping(models.Model):
    """How the columns of a mapped source's files are read (reconciliation/parsers/mapped.py). A change is a new version that two people agreed on; old ones stay."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="mappings")
    version = models.PositiveIntegerField()
    mapping = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "reconciliation_source_mapping"
        ordering = ["source", "-version"]
        constraints = [models.UniqueConstraint(fields=["source", "version"], name="source_mapping_version_once")]

    def __str__(self) -> str:
        return f"{self.source_id} version {self.version}"


class BankAccount(models.Model):
    """An account of ours at a bank, and whether live or test money lies on it."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="bank_accounts", limit_choices_to={"side": Side.BANK}
    )
    account_key = models.CharField(max_length=60, help_text="IBAN or account number, as the bank writes it.")
    live = models.BooleanField()
    currency = currency_field()
    holder = models.CharField(max_length=140, blank=True, default="")
    bic = models.CharField(max_length=11, blank=True, default="")
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "bank_account"
        ordering = ["source", "account_key"]
        constraints = [models.UniqueConstraint(fields=["source", "account_key"], name="bank_account_once")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.account_key}"
