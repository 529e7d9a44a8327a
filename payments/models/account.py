"""Accounts: money that a merchant keeps with us and moves by book transfers."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from merchants.models import Merchant
from payments.models._choices import choices, one_of
from payments.models.ledger import LedgerAccount
from payments.states import AccountStatus


class Account(models.Model):
    """One account in one currency. An aggregate of its own: every change raises `version` by one.

    `balance_minor` and `held_minor` repeat what the ledger says, because an account that may not go below zero needs one row to lock and
    one constraint to hit; `verify_books` compares the two. What can be spent is the difference.
    """

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="accounts")
    live = models.BooleanField()
    currency = currency_field()
    name = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=choices(AccountStatus), default=AccountStatus.ACTIVE)
    balance_minor = minor_field(default=0)  # booked: what is available and what is held
    held_minor = minor_field(default=0)  # of it, set aside for transfers that wait for their batch
    ledger_account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="account")
    held_ledger_account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="held_account")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "account"
        constraints = [
            models.CheckConstraint(condition=Q(id__regex=r"^[a-z0-9_]{1,40}$"), name="account_id_plain"),
            models.CheckConstraint(condition=Q(status__in=one_of(AccountStatus)), name="account_status_known"),
            models.CheckConstraint(
                condition=Q(held_minor__gte=0) & Q(balance_minor__gte=F("held_minor")), name="account_never_overdrawn"
            ),
            models.CheckConstraint(
                condition=~Q(status=AccountStatus.CLOSED) | Q(balance_minor=0), name="account_closed_is_empty"
            ),
        ]
        indexes = [models.Index(fields=["merchant", "live", "-created_at", "-id"], name="account_by_merchant")]

    def __str__(self) -> str:
        return self.id

    @property
    def available(self) -> Money:
        return Money(self.balance_minor - self.held_minor, self.currency)

    @property
    def held(self) -> Money:
        return Money(self.held_minor, self.currency)
