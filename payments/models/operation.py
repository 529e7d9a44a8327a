"""Operations: one message to a provider that may move money. This table is the queue of record."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import currency_field, id_field, minor_field
from common.money import Money
from payments.models._choices import choices, one_of
from payments.models.payment import Payment
from payments.models.refund import Refund
from payments.providers.base import Kind
from payments.states import TERMINAL_OPERATION, OperationState


class Operation(models.Model):
    """One message. `reference` is what the provider sees on every try; `due_at` is when somebody has to look at it next."""

    id = id_field()
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="operation")
    kind = models.CharField(max_length=20, choices=choices(Kind))
    state = models.CharField(max_length=20, choices=choices(OperationState), default=OperationState.QUEUED)
    reference = models.CharField(max_length=40, unique=True)
    currency = currency_field()
    amount_minor = minor_field()
    final = models.BooleanField(default=True)  # false: a capture that leaves the rest of its authorisation reserved
    sends = models.PositiveSmallIntegerField(default=0)
    look_ups = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(
        default=0, db_default=0
    )  # of our own, one after the other: asking raises each time
    # QUEUED: send it; SENT: the claim has lapsed; PENDING and UNKNOWN: look it up. NULL when it has ended.
    due_at = models.DateTimeField(null=True, blank=True)
    provider_code = models.CharField(max_length=40, blank=True, default="")  # the provider's word for the outcome
    provider_reason = models.CharField(max_length=255, blank=True, default="")
    provider_reference = models.CharField(max_length=60, blank=True, default="")
    reply = models.JSONField(default=dict, blank=True)  # the last reply's fields, redacted
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "operation"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=one_of(OperationState)), name="operation_state_known"),
            models.CheckConstraint(condition=Q(kind__in=one_of(Kind)), name="operation_kind_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="operation_amount_positive"),
            models.CheckConstraint(
                condition=Q(final=True) | Q(kind=Kind.CAPTURE), name="operation_only_captures_go_on"
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind__in=[Kind.CAPTURE, Kind.VOID]) & ~Q(state__in=sorted(TERMINAL_OPERATION)),
                name="operation_one_capture_or_void_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind__in=[Kind.SALE, Kind.AUTHORIZE]),
                name="operation_one_opening_per_payment",
            ),
            models.CheckConstraint(
                condition=Q(due_at__isnull=False) | Q(state__in=sorted(TERMINAL_OPERATION)),
                name="operation_open_is_due",  # so that no open operation can be forgotten
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="operation_due"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="operation_ended"),  # a day's
            models.Index(
                fields=["provider_reference"], condition=~Q(provider_reference=""), name="operation_by_provider_ref"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
