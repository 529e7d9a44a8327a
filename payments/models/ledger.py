"""The ledger: balanced double-entry bookkeeping of facts. Rows are only ever added.

A posting's amount is signed: debits are positive, credits negative, so an entry is balanced when it sums to zero per currency.
The database checks that at commit (migration 0002).
"""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import Merchant, ProviderAccount
from payments.models.transaction import Transaction


class AccountKind(models.TextChoices):
    """What an account of ours is for. The sign says how its balance reads."""

    PROVIDER_RECEIVABLE = "provider_receivable", "Provider owes us"  # asset
    MERCHANT_PAYABLE = "merchant_payable", "We owe the merchant"  # liability
    FEE_INCOME = "fee_income", "Our fees"  # income
    SUSPENSE = "suspense", "Received, not explained"  # liability
    CUSTOMER = "customer", "Available on an account"  # liability
    CUSTOMER_HELD = "customer_held", "Held on an account"  # liability
    HOUSE_CASH = "house_cash", "Cash paid in"  # asset
    BANK = "bank", "On our bank account"  # asset
    PROVIDER_FEES = "provider_fees", "Providers' fees"  # expense
    BANK_CHARGES = "bank_charges", "The bank's charges"  # expense
    FX_CLEARING = (
        "fx_clearing",
        "Exchanged",
    )  # one in each currency; what is left when both are valued is the FX difference
    DIFFERENCES = "differences", "Adjusted and written off"  # expense
    MERCHANT_RESERVE = "merchant_reserve", "Held back from a merchant"  # liability
    PAYOUT_IN_TRANSIT = "payout_in_transit", "On its way to a merchant"  # liability


class LedgerAccount(models.Model):
    """One account in one currency. The key is its name, so nobody has to look it up: "merchant_payable:mer_...:live:MYR"."""

    code = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=30, choices=AccountKind)
    currency = currency_field()
    live = models.BooleanField()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    provider_account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "ledger_account"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class JournalEntry(models.Model):
    """The bookkeeping of one fact; a fact is booked at most once."""

    id = id_field()
    fact_id = models.CharField(max_length=40, unique=True)
    fact_name = models.CharField(max_length=60)
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, null=True, related_name="journal_entries")
    booked_at = models.DateTimeField()

    class Meta:
        db_table = "journal_entry"
        verbose_name_plural = "journal entries"
        indexes = [BrinIndex(fields=["booked_at"], autosummarize=True, name="journal_entry_by_day")]

    def __str__(self) -> str:
        return f"{self.fact_name} {self.booked_at:%Y-%m-%d %H:%M:%S}"


class Posting(models.Model):
    """One leg of a journal entry."""

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="postings")
    currency = currency_field()
    amount_minor = minor_field()  # debit positive, credit negative

    class Meta:
        db_table = "posting"
        constraints = [models.CheckConstraint(condition=~Q(amount_minor=0), name="posting_not_zero")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
