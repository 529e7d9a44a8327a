"""Runs of the batch of waiting transfers: who asked for one, and what became of each transfer in it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from common.fields import id_field
from payments.models._choices import choices
from payments.models.transaction import Transaction
from payments.states import TransactionStatus


class TransferRun(models.Model):
    """One run, by the schedule or asked for by an operator. One that was never ended died; what it left was for the next."""

    id = id_field()
    requested_by = models.CharField(max_length=120)
    reason = models.CharField(max_length=255, blank=True, default="")
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "transfer_run"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(started_at__isnull=False, ended_at__gte=F("started_at")),
                name="transfer_run_ended_after_start",
            )
        ]
        indexes = [models.Index(fields=["requested_at"], condition=Q(started_at=None), name="transfer_run_asked_for")]

    def __str__(self) -> str:
        return self.id


class TransferRunItem(models.Model):
    """How a transfer ended in a run: written with the transfer's own end, once and for good."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(TransferRun, on_delete=models.PROTECT, related_name="items")
    transaction = models.OneToOneField(Transaction, on_delete=models.PROTECT, related_name="run_item")
    status = models.CharField(max_length=20, choices=choices(TransactionStatus))
    failure_code = models.CharField(max_length=40, blank=True, default="")
    ended_at = models.DateTimeField()

    class Meta:
        db_table = "transfer_run_item"
        constraints = [
            models.CheckConstraint(
                condition=Q(status=TransactionStatus.COMPLETED, failure_code="")
                | Q(status=TransactionStatus.FAILED) & ~Q(failure_code=""),
                name="transfer_run_item_completed_or_failed_with_code",
            )
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.status}"
