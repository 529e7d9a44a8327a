"""Webhook attempts: what happened each time something was sent, or was refused to be sent. Append-only."""

from __future__ import annotations

from django.db import models

from notifications.models.delivery import WebhookDelivery


class WebhookAttempt(models.Model):
    """One try. `error` is "" for a 2xx, else a word of notifications.channels.webhook.client.Error or "http_500"."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="tries", db_index=False)
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=30, blank=True, default="")
    duration_ms = models.PositiveIntegerField()
    response = models.BinaryField(default=b"", blank=True)  # the first KiB
    blocked = models.BooleanField(default=False)  # the address is not one we connect to; never told to merchants

    class Meta:
        db_table = "webhook_attempt"
        ordering = ["id"]
        indexes = [models.Index(fields=["delivery"], name="webhook_attempt_by_delivery")]  # one, where Django makes two

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.status or self.error}"
