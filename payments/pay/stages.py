"""Where a payer stands, from the rows and the time alone. What a browser carries unsigned decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from payments.models import Payment, ReviewItem, Transaction
from payments.models.review import ReviewKind
from payments.providers.base import Kind
from payments.states import OVER, TransactionStatus


class Stage(StrEnum):
    CHOOSE = "choose"  # no payment is open: the payer chooses how to pay
    GO = "go"  # the payer has to go to the provider
    SCAN = "scan"  # the payer has to scan a code
    SCANNED = "scanned"  # the code is over, and perhaps was paid
    CHECKING = "checking"  # with the provider, or the outcome is unknown
    LATE = "late"  # money came after the end
    OVER = "over"  # the time is over, nobody paid
    ENDED = "ended"  # the transaction's status says how


@dataclass(frozen=True, slots=True)
class Situation:
    """A transaction (with its merchant), the payment that can charge or has charged, else the last one, and whether money came that
    nobody has explained yet."""

    transaction: Transaction
    payment: Payment | None
    late: bool

    def stage(self, now: datetime) -> Stage:
        transaction, payment = self.transaction, self.payment
        if self.late:
            return Stage.LATE
        if transaction.status == TransactionStatus.PROCESSING:
            return Stage.CHECKING
        if transaction.status != TransactionStatus.PENDING:
            return Stage.ENDED
        in_time = transaction.expires_at is not None and now < transaction.expires_at
        if payment is None or payment.state in OVER:
            return Stage.CHOOSE if in_time else Stage.OVER
        if not in_time:
            return Stage.CHECKING  # the provider is asked a last time
        if self.action.get("type") != "display_qr":
            return Stage.GO
        return Stage.SCAN if now < self.scan_until else Stage.SCANNED

    @property
    def action(self) -> dict[str, Any]:
        """What the payer has to do for the open payment (contracts section 3, nextAction)."""
        return (self.payment.next_action if self.payment else None) or {}

    @property
    def scan_until(self) -> datetime:
        """When the code is over: its own time, or the transaction's."""
        ends: datetime = self.transaction.expires_at  # type: ignore[assignment]  # a transfer has no page
        given = self.action.get("expiresAt")
        return min(ends, datetime.fromisoformat(given)) if given else ends

    @property
    def tries_left(self) -> int:
        return settings.PAYMENT_ATTEMPTS - (self.payment.attempt if self.payment else 0)

    @property
    def kind(self) -> Kind:
        return Kind.AUTHORIZE if self.transaction.manual_capture else Kind.SALE


def situation_of(transaction_id: str) -> Situation:
    """One round trip where there is a payment. A token that we signed names a transaction, and those are never deleted."""
    late = ReviewItem.objects.filter(
        payment__transaction=OuterRef("transaction_id"), kind=ReviewKind.LATE_SUCCESS, resolved_at=None
    )
    payments = Payment.objects.select_related("transaction__merchant").annotate(
        late=Exists(late), over=Q(state__in=sorted(OVER))
    )
    payment = payments.filter(transaction_id=transaction_id).order_by("over", "-attempt").first()
    if payment is not None:
        return Situation(payment.transaction, payment, payment.late)
    return Situation(Transaction.objects.select_related("merchant").get(pk=transaction_id), None, late=False)
