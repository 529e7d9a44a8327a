"""Asking for the refunds of approved batches: one by one, each in a transaction of its own, by any number of workers.

An item is locked, its refund is requested and both are written together, so a worker that dies leaves either both or neither. An item that
another worker has is skipped. What the refund itself refuses is kept with the item; any other trouble leaves it waiting, for a few times.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction as database
from django.db.models import F

from common.changes import Actor
from common.crashpoints import crashpoint
from common.errors import CounterfoilError
from common.money import Money
from payments.models import RefundBatch, RefundBatchItem
from payments.services.refund_batches import lock_batch, move_batch
from payments.services.refunds import refund_request
from payments.states import RefundBatchState, RefundItemState

log = structlog.get_logger(__name__)

_TRIES = 5
_PAUSE = timedelta(minutes=1)  # before a batch with troubled items is looked at again
_AT_ONCE = 50


def refund_batches_run(*, now: datetime) -> int:
    """Work on every approved batch that is due, oldest first. Returns how many refunds were asked for."""
    due = RefundBatch.objects.filter(due_at__lte=now).order_by("due_at", "id").values_list("pk", flat=True)
    return sum(refund_batch_run(batch_id=batch_id, now=now) for batch_id in list(due))


def refund_batch_run(*, batch_id: str, now: datetime) -> int:
    """Ask for every refund of the batch that nobody has asked for yet. Returns how many this call asked for."""
    asked, seen = 0, 0
    while some := list(_waiting(batch_id, seen)):
        for item_id in some:
            asked += _try(item_id, now)
        seen = some[-1]
    _end_or_put_off(batch_id, now)
    return asked


def _waiting(batch_id: str, after: int) -> list[int]:
    items = RefundBatchItem.objects.filter(batch_id=batch_id, batch__state=RefundBatchState.APPROVED)
    waiting = items.filter(state=RefundItemState.WAITING, pk__gt=after).order_by("pk")
    return list(waiting.values_list("pk", flat=True)[:_AT_ONCE])


def _try(item_id: int, now: datetime) -> int:
    try:
        return _ask(item_id, now)
    except Exception:  # whatever is wrong with one refund must not harm the others; nothing of it was written
        log.exception("refund_batch.item_failed", item=item_id)
        waiting = RefundBatchItem.objects.filter(pk=item_id, state=RefundItemState.WAITING)
        waiting.update(tries=F("tries") + 1)
        waiting.filter(tries__gte=_TRIES).update(
            state=RefundItemState.FAILED, why="It failed again and again for a reason of ours. Nothing was refunded."
        )
        return 0


def _ask(item_id: int, now: datetime) -> int:
    """Request the item's refund. 0 if another worker has it, it is done, or it is refused."""
    with database.atomic():
        item = (
            RefundBatchItem.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("batch__proposal__proposed_by")
            .filter(pk=item_id, state=RefundItemState.WAITING, batch__state=RefundBatchState.APPROVED)
            .first()
        )
        if item is None:
            return 0
        batch, refund = item.batch, None
        try:
            with database.atomic():
                refund = refund_request(
                    transaction_id=item.transaction_id or "",
                    amount=Money(item.amount_minor or 0, item.currency),
                    reason=item.reason,
                    actor=_actor(batch),
                    now=now,
                    merchant_id=batch.merchant_id,
                    live=batch.live,
                )
        except CounterfoilError as exc:
            item.state, item.why = RefundItemState.FAILED, exc.message[:255]
        else:
            item.state, item.refund = RefundItemState.REQUESTED, refund
        item.save(update_fields=["state", "refund", "why"])
        crashpoint("refund_batch.item_written")
    crashpoint("refund_batch.item_committed")
    return 0 if refund is None else 1


def _end_or_put_off(batch_id: str, now: datetime) -> None:
    """Close the batch when nothing waits, else look again later: what another worker holds, or what is troubled."""
    with database.atomic():
        batch = lock_batch(batch_id)
        if batch.state != RefundBatchState.APPROVED:
            return
        if batch.items.filter(state=RefundItemState.WAITING).exists():
            RefundBatch.objects.filter(pk=batch_id).update(due_at=now + _PAUSE)
        else:
            move_batch(batch, RefundBatchState.DONE, _actor(batch), now)


def _actor(batch: RefundBatch) -> Actor:
    """Whoever asked for the batch, as the refunds and the audit log show it."""
    maker = batch.proposal.proposed_by.get_username() if batch.proposal else "?"
    return Actor(f"operator:{maker}"[:120], request_id=batch.pk)
