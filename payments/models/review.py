"""Review items: what no rule may decide. A person explains each of them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field
from payments.models.operation import Operation
from payments.models.payment import Payment


class ReviewKind(models.TextChoices):
    CONFLICT = "CONFLICT", "Provider moved another amount"  # payment.conflicted: the conflict list
    LATE_SUCCESS = "LATE_SUCCESS", "Paid after it had ended"
    OVERDUE = "OVERDUE", "Outcome still unknown"


class ReviewItem(models.Model):
    """One open question about a payment, with the figures that raised it."""

    id = id_field()
    kind = models.CharField(max_length=20, choices=ReviewKind)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="review_items")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="review_items")
    summary = models.CharField(max_length=255)
    details = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=120, blank=True, default="")
    resolution = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "review_item"
        constraints = [models.UniqueConstraint(fields=["operation", "kind"], name="review_item_once_per_operation")]
        indexes = [models.Index(fields=["opened_at"], condition=Q(resolved_at=None), name="review_item_open")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.payment_id}"
