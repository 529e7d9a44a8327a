"""Webhook endpoints: where a merchant listens, for which events, and the secrets that sign what is sent there."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from common.crypto import seal, unseal
from common.fields import id_field
from merchants.models import Merchant


class DisabledReason(models.TextChoices):
    """Why an endpoint gets nothing any more."""

    MERCHANT = "merchant", "Deactivated by the merchant"
    OPERATOR = "operator", "Deactivated by an operator"
    GONE = "gone", "It answered 410 Gone"
    FAILING = "failing", "It failed for 120 hours"


class WebhookEndpoint(models.Model):
    """An address of a merchant in live or test mode. Deactivated, never deleted: its history stays."""

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="webhook_endpoints")
    live = models.BooleanField()
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=255, blank=True, default="")
    event_types = ArrayField(models.CharField(max_length=40), default=list, blank=True)  # empty: all
    secret_sealed = models.TextField()
    previous_secret_sealed = models.TextField(blank=True, default="")
    previous_secret_until = models.DateTimeField(null=True, blank=True)  # signs too until then
    is_active = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=20, choices=DisabledReason, blank=True, default="")
    failing_since = models.DateTimeField(null=True, blank=True)  # first failure after the last success
    version = models.PositiveIntegerField(default=1)  # of what people and rules change; not of failing_since
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "webhook_endpoint"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_active=True, disabled_at=None, disabled_reason="")
                | (Q(is_active=False, disabled_at__isnull=False) & ~Q(disabled_reason="")),
                name="webhook_endpoint_disabled_with_reason",
            )
        ]
        indexes = [models.Index(fields=["merchant", "live"], name="webhook_endpoint_by_merchant")]

    def __str__(self) -> str:
        return self.url

    def seal_secret(self, secret: str) -> None:
        """Set the current secret (not saved)."""
        self.secret_sealed = seal(secret, bound_to=f"webhook_endpoint.secret.{self.pk}")

    def keep_previous_secret(self, *, until: datetime) -> None:
        """Let the current secret sign on until then, as the previous one (not saved)."""
        self.previous_secret_sealed = seal(self.current_secret, bound_to=f"webhook_endpoint.previous_secret.{self.pk}")
        self.previous_secret_until = until

    @property
    def current_secret(self) -> str:
        """Raises common.crypto.CannotOpen."""
        return unseal(self.secret_sealed, bound_to=f"webhook_endpoint.secret.{self.pk}")

    def open_secrets(self, *, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, the current one first. Raises common.crypto.CannotOpen."""
        if self.previous_secret_until is None or self.previous_secret_until <= now:
            return (self.current_secret,)
        previous = unseal(self.previous_secret_sealed, bound_to=f"webhook_endpoint.previous_secret.{self.pk}")
        return self.current_secret, previous
