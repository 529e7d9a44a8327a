"""The banks a payer can choose, as the provider last listed them."""

from __future__ import annotations

from django.db import models


class Bank(models.Model):
    """One bank of a provider's list; refreshed by a scheduled job, never deleted (it goes offline)."""

    provider = models.CharField(max_length=20)
    business = models.BooleanField()  # the list for companies (FPX B2B1)
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=80)
    online = models.BooleanField()
    refreshed_at = models.DateTimeField()

    class Meta:
        db_table = "bank"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["provider", "business", "code"], name="bank_once")]

    def __str__(self) -> str:
        return self.name
