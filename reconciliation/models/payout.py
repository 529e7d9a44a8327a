"""Payouts: paying a merchant what a settlement came to, decided by two people, proven by the bank.

A settlement has one payout that counts; one that was cancelled before it left may be followed by another. Where the money goes is copied
from the merchant's terms when the payout is proposed, and sealed: a later change of the terms makes the proposal void and never redirects it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from common.crypto import seal, unseal
from common.fields import currency_field, id_field, minor_field
from common.models import Proposal
from common.money import Money
from merchants.models import Merchant
from payments.models import Account
from reconciliation.models.bank import BankLine
from reconciliation.models.settlement import Settlement
from reconciliation.models.terms import SettlementTerms
from reconciliation.payouts.pain001 import CannotPay, Party, refuse_party


class PayoutWay(models.TextChoices):
    BOOK_TRANSFER = "BOOK_TRANSFER", "To an account with us"
    BANK_FILE = "BANK_FILE", "Through the bank"


class PayoutState(models.TextChoices):
    PENDING_APPROVAL = "PENDING_APPROVAL", "Waits for a second person"
    APPROVED = "APPROVED", "Approved"
    SENT = "SENT", "With the bank"
    PAID = "PAID", "Paid"
    RETURNED = "RETURNED", "Returned"
    CANCELLED = "CANCELLED", "Cancelled"


_P = PayoutState
PAYOUT_MOVES = {
    (_P.PENDING_APPROVAL, _P.APPROVED): "payout.approved",
    (_P.PENDING_APPROVAL, _P.CANCELLED): "payout.cancelled",
    (_P.APPROVED, _P.SENT): "payout.sent",
    (_P.APPROVED, _P.PAID): "payout.paid",  # by book transfer
    (_P.APPROVED, _P.CANCELLED): "payout.cancelled",
    (_P.SENT, _P.APPROVED): "payout.not_sent",  # the bank refused the file: for the next one
    (_P.SENT, _P.PAID): "payout.paid",
    (_P.SENT, _P.RETURNED): "payout.returned",
    (_P.PAID, _P.RETURNED): "payout.returned",
    (_P.RETURNED, _P.PAID): "payout.left_again",  # it had not come back in the end
}


PAYOUT_BANK_AGREED = ("live", "currency", "source", "account_key", "name", "bic", "url")


class PayoutBank(models.Model):
    """An account of ours that payouts are made from: one for each mode and currency, as two people agreed.

    Without `url` an operator carries the files to the bank.
    """

    id = id_field()
    live = models.BooleanField()
    currency = currency_field()
    source = models.CharField(max_length=20, help_text="The code of the bank's statements.")
    account_key = models.CharField(
        max_length=60, help_text="The account number or IBAN, as the bank's statements write it."
    )
    name = models.CharField(max_length=140, help_text="The holder.")
    bic = models.CharField(max_length=11, blank=True, default="")
    url = models.CharField(max_length=300, blank=True, default="", help_text="Where payment files are posted to.")
    created_at = models.DateTimeField()
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "payout_bank"
        constraints = [models.UniqueConstraint(fields=["live", "currency"], name="payout_bank_one_for_each_currency")]

    def __str__(self) -> str:
        return f"{self.source} {self.account_key}"

    def clean(self) -> None:
        """A payment file can name it. Raises ValidationError."""
        try:
            refuse_party(Party(name=self.name, account=self.account_key, bic=self.bic))
        except CannotPay as exc:
            raise ValidationError(f"No payment file could be written: {exc}.") from exc


class FileState(models.TextChoices):
    PREPARED = "PREPARED", "Not sent yet"
    SENT = "SENT", "Being sent"
    UNKNOWN = "UNKNOWN", "Sent, no answer"
    ACCEPTED = "ACCEPTED", "Taken by the bank"
    REFUSED = "REFUSED", "Refused by the bank"


_F = FileState
FILE_MOVES = {
    (_F.PREPARED, _F.SENT): "payout_file.sent",
    (_F.PREPARED, _F.ACCEPTED): "payout_file.accepted",  # carried to the bank by hand
    (_F.SENT, _F.PREPARED): "payout_file.not_sent",  # surely not sent
    (_F.SENT, _F.UNKNOWN): "payout_file.unknown",
    (_F.UNKNOWN, _F.SENT): "payout_file.sent",  # again, under the same message id
    (_F.UNKNOWN, _F.ACCEPTED): "payout_file.accepted",  # by hand, once it is posted nowhere any more
    (_F.SENT, _F.ACCEPTED): "payout_file.accepted",
    (_F.SENT, _F.REFUSED): "payout_file.refused",
}


class PayoutFile(models.Model):
    """A pain.001 message: the approved payouts of one mode and currency. The same bytes on every try, under the same message id.

    `source` and `account_key` are the bank's when it was made: whose account pays, wherever payouts are made from later.
    """

    id = id_field()
    bank = models.ForeignKey(PayoutBank, on_delete=models.PROTECT, related_name="files")
    source = models.CharField(max_length=20)
    account_key = models.CharField(max_length=60)
    message_id = models.CharField(max_length=35, unique=True)
    live = models.BooleanField()
    currency = currency_field()
    pay_on = models.DateField()
    payout_count = models.PositiveIntegerField()
    total_minor = minor_field()
    content_sealed = models.TextField()  # it has the merchants' bank accounts
    sha256 = models.BinaryField(max_length=32)
    state = models.CharField(max_length=20, choices=FileState, default=FileState.PREPARED)
    answer = models.CharField(max_length=255, blank=True, default="")  # the bank's last
    sends = models.PositiveSmallIntegerField(default=0)
    maybe_taken = models.BooleanField(default=False)  # the bank once did not answer: a later "no" proves nothing
    due_at = models.DateTimeField(null=True, blank=True)  # when it is sent (again); none: by hand, or ended
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "payout_file"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=FileState.values), name="payout_file_state_known"),
            models.CheckConstraint(
                condition=Q(payout_count__gt=0, total_minor__gt=0), name="payout_file_of_more_than_nothing"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[FileState.SENT, FileState.UNKNOWN]) | Q(due_at__isnull=False),
                name="payout_file_open_is_due",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="payout_file_due")]

    def __str__(self) -> str:
        return self.message_id

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def url(self) -> str:
        """Where it is posted to; nowhere when payouts are made from another account by now, whose bank must not get it."""
        same = (self.source, self.account_key) == (self.bank.source, self.bank.account_key)
        return self.bank.url if same else ""

    @property
    def by_hand(self) -> bool:
        """Whether somebody carries it to the bank: it was made for that, or is posted nowhere any more."""
        return self.due_at is None or not self.url

    def content(self) -> bytes:
        """The message. Raises common.crypto.CannotOpen."""
        return unseal(self.content_sealed, bound_to=f"payout_file.content.{self.pk}").encode()


class Payout(models.Model):
    """One payment of a settlement's net to its merchant. An aggregate: every change raises `version` by one.

    `destination` is what pages show of where it goes. `usable_from`: when a new destination may be used (cooling period). `confirmed_by`: what two
    people said about a payout that the bank's statement does not prove.
    """

    id = id_field()
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="payouts")
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="payouts")
    live = models.BooleanField()
    currency = currency_field()
    amount_minor = minor_field()
    way = models.CharField(max_length=20, choices=PayoutWay)
    terms = models.ForeignKey(SettlementTerms, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    bank_sealed = models.TextField(blank=True, default="")
    destination = models.CharField(max_length=100)
    usable_from = models.DateTimeField(null=True, blank=True)
    end_to_end_id = models.CharField(max_length=35, unique=True)
    state = models.CharField(max_length=20, choices=PayoutState, default=PayoutState.PENDING_APPROVAL)
    version = models.PositiveIntegerField(default=1)
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    confirmed_by = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    file = models.ForeignKey(PayoutFile, on_delete=models.PROTECT, null=True, blank=True, related_name="payouts")
    returned_line = models.OneToOneField(
        BankLine, on_delete=models.PROTECT, null=True, blank=True, related_name="returned_payout"
    )
    refusals = models.PositiveSmallIntegerField(default=0)  # files with it that the bank took none of
    reason = models.CharField(max_length=255, blank=True, default="")  # why it was cancelled or came back
    approved_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # returned or cancelled
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "payout"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["settlement"], condition=~Q(state=PayoutState.CANCELLED), name="payout_one_for_each_settlement"
            ),
            models.CheckConstraint(condition=Q(state__in=PayoutState.values), name="payout_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payout_amount_positive"),
            models.CheckConstraint(
                condition=Q(way=PayoutWay.BOOK_TRANSFER, account__isnull=False, bank_sealed="", file=None)
                | Q(way=PayoutWay.BANK_FILE, account=None) & ~Q(bank_sealed=""),
                name="payout_one_destination",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[PayoutState.PENDING_APPROVAL, PayoutState.CANCELLED])
                | Q(approved_at__isnull=False) & (Q(usable_from=None) | Q(approved_at__gte=F("usable_from"))),
                name="payout_approved_after_the_cooling_period",
            ),
            models.CheckConstraint(
                condition=~Q(state=PayoutState.SENT) | Q(way=PayoutWay.BANK_FILE, file__isnull=False),
                name="payout_sent_in_a_file",
            ),
            models.CheckConstraint(
                condition=~Q(state=PayoutState.PAID) | Q(paid_at__isnull=False), name="payout_paid_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["live", "currency"], condition=Q(state="APPROVED"), name="payout_to_send"),
        ]

    def __str__(self) -> str:
        return f"{self.amount.text()}, {self.end_to_end_id}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    def seal_bank(self, details: Mapping[str, str]) -> None:
        """Set the bank account (not saved)."""
        self.bank_sealed = seal(json.dumps(dict(details)), bound_to=f"payout.bank.{self.pk}")

    def open_bank(self) -> dict[str, str]:
        """The bank account in clear. Raises common.crypto.CannotOpen."""
        opened: dict[str, str] = json.loads(unseal(self.bank_sealed, bound_to=f"payout.bank.{self.pk}"))
        return opened
