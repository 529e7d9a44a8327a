"""Provider accounts: what a provider gave a merchant to act in its name, and what the merchant pays us for using it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.db import models
from django.db.models import Q

from common.crypto import seal, unseal
from common.fields import id_field
from merchants.models.merchant import Merchant


class ProviderAccount(models.Model):
    """One set of credentials of a merchant at a provider, live or test. `config` is public, the credentials are sealed."""

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="provider_accounts")
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    label = models.CharField(max_length=80)
    account_key = models.CharField(
        max_length=60
    )  # how the provider's messages name the account (seller id, merchant id)
    config = models.JSONField(default=dict)
    credentials_sealed = models.TextField()
    priority = models.PositiveSmallIntegerField(default=100)  # the lowest number that is active serves a method first
    fee_basis_points = models.PositiveIntegerField(
        "Price, basis points", default=0
    )  # the merchant's price: 150 = 1.5 % of what was captured ...
    fee_fixed_minor = models.PositiveIntegerField(
        "Price, fixed, minor units", default=0
    )  # ... plus this, never more than the amount
    confirm_events = models.BooleanField(default=False, help_text="Ask the provider before believing its callbacks.")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "provider_account"
        ordering = ["merchant", "provider", "priority"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "account_key"], name="provider_account_key_once"),
            models.CheckConstraint(condition=Q(fee_basis_points__lte=10_000), name="provider_account_fee_at_most_all"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.account_key}"

    def seal_credentials(self, credentials: Mapping[str, str]) -> None:
        """Set the credentials (not saved)."""
        self.credentials_sealed = seal(
            json.dumps(dict(credentials)), bound_to=f"provider_account.credentials.{self.pk}"
        )

    def open_credentials(self) -> dict[str, str]:
        """The credentials in clear. Raises common.crypto.CannotOpen."""
        opened: dict[str, str] = json.loads(
            unseal(self.credentials_sealed, bound_to=f"provider_account.credentials.{self.pk}")
        )
        return opened
