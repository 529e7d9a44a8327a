"""Review items: what no rule may decide. A person explains each of them; what moves money or makes a difference vanish takes two.

The database keeps that (migration 0016): an item closes once, with nothing left in suspense, and either by an approved proposal about it or
because what was asked has been answered.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.models import Proposal
from common.money import Money
from payments.models._choices import choices, one_of
from payments.models.operation import Operation
from payments.models.payment import Payment
from payments.models.provider_event import ProviderEvent
from payments.states import Decision, ReviewState


class ReviewKind(models.TextChoices):
    CONFLICT = "CONFLICT", "Provider moved another amount"  # payment.conflicted: the conflict list
    LATE_SUCCESS = "LATE_SUCCESS", "Paid after it had ended"
    OVERDUE = "OVERDUE", "Outcome still unknown"
    CONTRADICTION = "CONTRADICTION", "Provider contradicts what is final"
    STUCK = "STUCK", "Cannot be asked or read"


ANSWERED_BY_THE_END = (ReviewKind.OVERDUE, ReviewKind.STUCK)  # nothing is left to ask once the operation has ended


class ReviewItem(models.Model):
    """One open question about a payment, or about a message that cannot be read, with the figures that raised it."""

    id = id_field()
    kind = models.CharField(max_length=20, choices=ReviewKind)
    state = models.CharField(max_length=10, choices=choices(ReviewState), default=ReviewState.OPEN)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="review_items")
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, null=True, blank=True, related_name="review_items"
    )
    event = models.ForeignKey(
        ProviderEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="review_items"
    )
    summary = models.CharField(max_length=255)
    details = models.JSONField(default=dict)
    currency = currency_field(blank=True, default="")
    suspense_minor = minor_field(default=0)  # what waits in suspense because of it; below zero: paid out, not received
    accepted_minor = minor_field(default=0)  # what of it was taken as captured or refunded after all
    returned_by = models.OneToOneField(  # the refund or void that gives it back
        Operation, on_delete=models.PROTECT, null=True, blank=True, related_name="returns"
    )
    opened_at = models.DateTimeField()
    decision = models.CharField(max_length=10, choices=choices(Decision), blank=True, default="")
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=120, blank=True, default="")
    resolution = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "review_item"
        constraints = [
            models.UniqueConstraint(fields=["operation", "kind"], name="review_item_once_per_operation"),
            models.UniqueConstraint(fields=["event", "kind"], name="review_item_once_per_event"),
            models.CheckConstraint(condition=Q(state__in=one_of(ReviewState)), name="review_item_state_known"),
            models.CheckConstraint(
                condition=Q(operation__isnull=False, payment__isnull=False) | Q(event__isnull=False),
                name="review_item_is_about_something",
            ),
            models.CheckConstraint(
                condition=Q(state=ReviewState.CLOSED, resolved_at__isnull=False, suspense_minor=0)
                & Q(decision__in=one_of(Decision))
                | ~Q(state=ReviewState.CLOSED) & Q(resolved_at=None),
                name="review_item_closed_leaves_nothing_in_suspense",
            ),
            models.CheckConstraint(
                condition=~Q(state=ReviewState.RETURNING) | Q(returned_by__isnull=False),
                name="review_item_returning_has_its_operation",
            ),
        ]
        indexes = [models.Index(fields=["opened_at"], condition=Q(resolved_at=None), name="review_item_open")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.payment_id or self.event_id}"

    @property
    def suspense(self) -> Money:
        """What waits in suspense, whichever way it went."""
        return Money(abs(self.suspense_minor), self.currency)
