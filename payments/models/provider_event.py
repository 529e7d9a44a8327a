"""Provider events: callbacks and returning browsers as they arrived, before anybody believed them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field
from merchants.models import ProviderAccount
from payments.models.payment import Payment


class EventState(models.TextChoices):
    RECEIVED = "RECEIVED", "Received"  # verified and stored, not yet acted on
    ACTED = "ACTED", "Acted on"
    IGNORED = "IGNORED", "Changed nothing"  # a repeat, or contradicts what is final
    UNMATCHED = "UNMATCHED", "Unknown reference"
    REJECTED = "REJECTED", "Rejected"  # not signed by the provider


class ProviderEvent(models.Model):
    """One distinct message; repeats of the same message raise `arrivals`."""

    id = id_field()
    provider = models.CharField(max_length=20)
    provider_account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="provider_events"
    )
    state = models.CharField(max_length=20, choices=EventState)
    event_key = models.CharField(max_length=160)
    reference = models.CharField(max_length=60, blank=True, default="")
    arrivals = models.PositiveIntegerField(default=1)
    method = models.CharField(max_length=8)
    content_type = models.CharField(max_length=100, blank=True, default="")
    query = models.TextField(blank=True, default="")
    body = models.BinaryField(default=b"")
    source_ip = models.GenericIPAddressField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(
        default=0, db_default=0
    )  # of our own, one after the other: reading it raises each time
    note = models.CharField(max_length=255, blank=True, default="")
    due_at = models.DateTimeField(null=True, blank=True)  # when the sweep takes it up if nobody has acted
    received_at = models.DateTimeField()
    acted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "provider_event"
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_key"], name="provider_event_once"),
            models.CheckConstraint(condition=Q(state__in=EventState.values), name="provider_event_state_known"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="provider_event_due"),
            models.Index(fields=["reference"], name="provider_event_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_key}"
