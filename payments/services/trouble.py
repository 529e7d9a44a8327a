"""What fails by itself each time (credentials that cannot be opened, a message that cannot be read any more) is tried ever more rarely and
becomes a question for a person. It blocks nothing else, and it is never forgotten.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction as database
from django.db.models import F
from django.db.models.functions import Least

from common.changes import Actor
from common.ids import new_id
from common.rows import Rows
from payments.models import Operation, ProviderEvent, ReviewItem
from payments.models.review import ReviewKind
from payments.services import schedule
from payments.states import TERMINAL_OPERATION, Decision, ReviewState


def operation_failed(*, operation_id: str, error: str, now: datetime) -> None:
    """Looking at an operation raised `error` (its class): put it off, and ask a person after the sixth time in a row."""
    with database.atomic():
        operation = Operation.objects.select_for_update(no_key=True).get(pk=operation_id)
        if operation.state in TERMINAL_OPERATION:
            return
        operation.failures += 1
        operation.due_at = schedule.next_try(failures=operation.failures, now=now)
        operation.save(update_fields=["failures", "due_at"])
        if operation.failures >= schedule.STUCK_AFTER:
            _ask(error, operation.failures, now, operation=operation)


def operation_recovered(*, operation_id: str) -> None:
    """It went well again. One failure stays noted, so that its question is looked for when it ends."""
    Operation.objects.filter(pk=operation_id, failures__gt=1).update(failures=Least(F("failures"), 1))


def event_failed(*, event_id: str, error: str, now: datetime) -> None:
    """The same for reading a stored message and acting on it."""
    with database.atomic():
        event = ProviderEvent.objects.select_for_update(no_key=True).get(pk=event_id)
        if event.due_at is None:
            return
        event.failures += 1
        event.due_at = schedule.next_try(failures=event.failures, now=now)
        event.save(update_fields=["failures", "due_at"])
        if event.failures >= schedule.STUCK_AFTER:
            operation = Operation.objects.filter(
                reference=event.reference, payment__provider_account_id=event.provider_account_id
            ).first()
            _ask(error, event.failures, now, operation=operation, event=event)


def event_recovered(*, event_id: str, actor: Actor, now: datetime) -> None:
    """It was read after all: the question about it is answered."""
    ReviewItem.objects.filter(event=event_id, kind=ReviewKind.STUCK, state=ReviewState.OPEN).update(
        state=ReviewState.CLOSED,
        decision=Decision.ANSWERED,
        resolved_at=now,
        resolved_by=actor.name,
        resolution="It was read in the end.",
    )


def _ask(
    error: str, failures: int, now: datetime, *, operation: Operation | None, event: ProviderEvent | None = None
) -> None:
    rows = Rows()
    rows.insert_if_missing(
        ReviewItem,
        id=new_id("rev"),
        kind=ReviewKind.STUCK,
        payment_id=operation.payment_id if operation else None,
        operation_id=operation.pk if operation and event is None else None,
        event_id=event.pk if event else None,
        summary=f"{'Reading this message' if event else 'Asking the provider'} has failed {failures} times: {error}.",
        details={"error": error, "reference": event.reference if event else operation.reference if operation else ""},
        currency="",
        opened_at=now,
    )
    rows.write()
