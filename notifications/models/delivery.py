"""Webhook deliveries: one event for one endpoint. This table is the queue of record of the sender."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field
from notifications.models.endpoint import WebhookEndpoint


class DeliveryState(models.TextChoices):
    PENDING = "PENDING", "Pending"  # has to be sent, now or later
    DELIVERED = "DELIVERED", "Delivered"  # answered 2xx, nothing less
    DEAD = "DEAD", "Dead"  # given up; can be replayed


S = DeliveryState
DELIVERY_MOVES = {
    (S.PENDING, S.DELIVERED),
    (S.PENDING, S.DEAD),
    (S.DEAD, S.PENDING),  # replayed
    (S.DELIVERED, S.PENDING),  # replayed
}


class WebhookDelivery(models.Model):
    """`body` is what is sent, byte for byte, on every try. `attempts` counts since the delivery was made or last replayed.

    While a sender holds a delivery, `claim` names the sender and `due_at` is when the claim lapses.
    """

    id = id_field()
    # No index of its own: the unique constraint begins with it.
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    event_id = models.CharField(max_length=40)  # of the fact; merchants tell repeats by it
    event_type = models.CharField(max_length=40)
    transaction_id = models.CharField(max_length=40, blank=True, default="")
    sequence = models.PositiveIntegerField()
    body = models.BinaryField()
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    claim = models.CharField(max_length=40, blank=True, default="")
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "webhook_delivery"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once_per_endpoint"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="webhook_delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=S.PENDING, due_at__isnull=False) | (~Q(state=S.PENDING) & Q(due_at=None)),
                name="webhook_delivery_pending_is_due",  # so that none can be forgotten
            ),
            models.CheckConstraint(
                condition=~Q(state=S.DELIVERED) | Q(delivered_at__isnull=False),
                name="webhook_delivery_delivered_at_some_time",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at"], condition=Q(due_at__isnull=False), name="webhook_delivery_due"),
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhook_delivery_by_endpoint"),
            models.Index(fields=["transaction_id"], name="webhook_delivery_by_txn"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"
