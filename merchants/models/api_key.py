"""API keys: a 256-bit secret is shown once and kept as SHA-256 only.

A password hasher would cost a quarter of a second per request and protect nothing: there is no guessing 256 random bits.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from common.fields import id_field
from merchants.models.merchant import Merchant


class ApiKey(models.Model):
    """A merchant's key. The secret is `cfk_live_...` or `cfk_test_...`; `prefix` is its visible beginning."""

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=20)
    secret_hash = models.BinaryField(max_length=32, unique=True)
    live = models.BooleanField()
    scopes = ArrayField(models.CharField(max_length=40))
    allowed_networks = ArrayField(models.CharField(max_length=50), default=list, blank=True)  # CIDR
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "api_key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}…"
