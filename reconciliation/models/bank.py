"""The third side: what the bank says, and the lump sums in which providers pay us.

A provider does not pay each payment by itself: it remits the net of a statement. So a payment is proven paid by its statement line, the
line's remittance, and the bank line that the remittance is matched with.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import ProviderAccount
from reconciliation.models.statement import Statement


class Remittance(models.Model):
    """What a provider owes us for the new lines of one statement, per account and currency. `net_minor` may be negative: then we owe it.

    `part` 1 is of the lines that were read when the file came; each quarantined line that is read later is a part of its own. Written with the statement's lines in one transaction; `verify_books` compares the sums.
    """

    id = id_field()
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="remittances")
    provider = models.CharField(max_length=20)
    account_key = models.CharField(max_length=60)
    provider_account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    live = models.BooleanField()
    day = models.DateField()  # the provider's day
    due_on = models.DateField()  # when the bank should have it
    part = models.PositiveIntegerField(default=1)
    currency = currency_field()
    line_count = models.PositiveIntegerField()
    gross_minor = minor_field()
    fee_minor = minor_field()
    net_minor = minor_field()

    class Meta:
        db_table = "remittance"
        ordering = ["-day", "provider", "account_key"]
        constraints = [
            models.UniqueConstraint(fields=["statement", "account_key", "currency", "part"], name="remittance_once"),
            models.CheckConstraint(
                condition=Q(net_minor=F("gross_minor") - F("fee_minor")), name="remittance_net_is_gross_less_fee"
            ),
        ]
        indexes = [models.Index(fields=["provider", "live", "day"], name="remittance_by_day")]

    def __str__(self) -> str:
        return f"{self.provider} {self.account_key} {self.day} {Money(self.net_minor, self.currency).text()}"


class BankLine(models.Model):
    """One entry of a bank statement. Money that came in is positive. Its natural key is the account, the bank's own reference
    and the day it was booked: many banks begin their numbers anew with each statement."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, db_index=False, related_name="bank_lines")
    number = models.PositiveIntegerField()  # the entry's place in the file
    provider = models.CharField(max_length=20)  # the source's code
    account_key = models.CharField(max_length=60)  # IBAN or account number, as the bank writes it
    reference = models.CharField(max_length=60)  # the bank's
    occurrence = models.PositiveIntegerField()
    end_to_end_id = models.CharField(max_length=60, blank=True, default="")
    narrative = models.TextField(blank=True, default="")
    counterparty = models.CharField(max_length=140, blank=True, default="")
    type_code = models.CharField(max_length=40, blank=True, default="")  # BkTxCd of camt, transaction type of MT940
    reversal = models.BooleanField(default=False)  # the bank takes an earlier entry back
    booked_on = models.DateField()
    value_on = models.DateField()
    currency = currency_field()
    amount_minor = minor_field()
    charges_minor = minor_field(default=0)  # what the bank kept of it, where it says so
    instructed_currency = models.CharField(
        max_length=3, blank=True, default=""
    )  # what was sent, where it was exchanged
    instructed_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        db_table = "bank_line"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account_key", "reference", "booked_on", "occurrence"], name="bank_line_once"
            ),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="bank_line_not_zero"),
        ]
        indexes = [
            models.Index(fields=["statement"], name="bank_line_by_statement"),
            models.Index(fields=["reference"], name="bank_line_by_reference"),
            models.Index(fields=["end_to_end_id"], condition=~Q(end_to_end_id=""), name="bank_line_by_end_to_end_id"),
        ]

    def __str__(self) -> str:
        return f"{self.account_key} {self.reference} {self.amount} {self.currency}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class BankBalance(models.Model):
    """The balances of one account in a bank's file: the opening one and the booked entries come to the closing one."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="balances")
    account_key = models.CharField(max_length=60)
    statement_key = models.CharField(max_length=60, blank=True, default="")  # the bank's own number of the statement
    currency = currency_field()
    opened_on = models.DateField()
    opening_minor = minor_field()
    closed_on = models.DateField()
    closing_minor = minor_field()
    entry_count = models.PositiveIntegerField()

    class Meta:
        db_table = "bank_balance"
        ordering = ["account_key", "closed_on", "id"]

    def __str__(self) -> str:
        return f"{self.account_key} {self.closed_on} {Money(self.closing_minor, self.currency).text()}"
