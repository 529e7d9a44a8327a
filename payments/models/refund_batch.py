"""Batches of refunds: prepared by one person, approved by another, and then each refund on its own.

An item is either refused when the batch is prepared, or waits until a worker asks for its refund. The refund and the item that names it are
written in one transaction, and a refund belongs to one item at most: a batch that is killed and run again refunds nothing twice.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.models import Proposal
from common.money import Money
from merchants.models import Merchant
from payments.models._choices import choices, one_of
from payments.models.refund import Refund
from payments.models.transaction import Transaction
from payments.states import RefundBatchState, RefundItemState


class RefundBatch(models.Model):
    """Refunds of one merchant in one mode that are decided together. An aggregate: every change raises `version` by one."""

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="refund_batches")
    live = models.BooleanField()
    title = models.CharField(max_length=200)  # the file's name, or the filter in words
    reason = models.CharField(max_length=255)  # of the refunds that have none of their own
    state = models.CharField(max_length=20, choices=choices(RefundBatchState), default=RefundBatchState.PREPARED)
    version = models.PositiveIntegerField(default=1)
    content_hash = models.BinaryField(max_length=32)  # of what is to be refunded: the same content is not taken twice
    item_count = models.PositiveIntegerField()
    refused_count = models.PositiveIntegerField()
    prepared_by = models.CharField(max_length=120)
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    due_at = models.DateTimeField(null=True, blank=True)  # APPROVED: when a worker looks at it next
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "refund_batch"
        verbose_name_plural = "refund batches"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "live", "content_hash"],
                condition=~Q(state=RefundBatchState.DISCARDED),
                name="refund_batch_content_once",
            ),
            models.CheckConstraint(condition=Q(state__in=one_of(RefundBatchState)), name="refund_batch_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=[RefundBatchState.APPROVED, RefundBatchState.DONE]) | Q(proposal__isnull=False),
                name="refund_batch_approved_by_a_proposal",
            ),
            models.CheckConstraint(
                condition=Q(state=RefundBatchState.APPROVED, due_at__isnull=False)
                | ~Q(state=RefundBatchState.APPROVED) & Q(due_at=None),
                name="refund_batch_approved_is_due",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="refund_batch_due")]

    def __str__(self) -> str:
        return f"{self.title} ({self.pk})"


class RefundBatchItem(models.Model):
    """One row of a batch. `given`: how the file or the filter named the transaction."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(RefundBatch, on_delete=models.PROTECT, related_name="items")
    number = models.PositiveIntegerField()  # the row of the file
    given = models.CharField(max_length=100)
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, null=True, blank=True, related_name="refund_batch_items"
    )
    currency = currency_field(blank=True, default="")
    amount_minor = minor_field(null=True, blank=True)
    reason = models.CharField(max_length=255)
    state = models.CharField(max_length=20, choices=choices(RefundItemState))
    refund = models.OneToOneField(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="refund_batch_item"
    )
    why = models.CharField(max_length=255, blank=True, default="")  # why it was refused
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "refund_batch_item"
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="refund_batch_item_number_once"),
            models.UniqueConstraint(
                fields=["batch", "transaction"],
                condition=~Q(state=RefundItemState.REFUSED),
                name="refund_batch_item_transaction_once",
            ),
            models.CheckConstraint(
                condition=Q(state=RefundItemState.REFUSED, refund=None) & ~Q(why="")
                | Q(state=RefundItemState.WAITING, refund=None, transaction__isnull=False, amount_minor__gt=0, why="")
                | Q(state=RefundItemState.REQUESTED, refund__isnull=False, transaction__isnull=False, why="")
                | Q(state=RefundItemState.FAILED, refund=None, transaction__isnull=False) & ~Q(why=""),
                name="refund_batch_item_says_what_became_of_it",
            ),
        ]
        indexes = [models.Index(fields=["batch", "id"], condition=Q(state="WAITING"), name="refund_batch_item_waiting")]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.number}"

    @property
    def amount(self) -> Money | None:
        return None if self.amount_minor is None else Money(self.amount_minor, self.currency)
