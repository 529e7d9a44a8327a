"""The sweep: whatever is due is done, whether or not a message said so.

Lost nudges, claims of dead workers, outcomes still open and stored events that nobody acted on all have a `due_at` in their row. Rows are
taken in small batches with SKIP LOCKED and put off by a lease, so any number of sweeps may run at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import Exists, OuterRef

from common.changes import Actor
from common.errors import InvalidState
from payments.models import Payment, Transaction
from payments.services.operations import operation_look_up, operation_run
from payments.services.pages import page_end
from payments.services.provider_events import provider_event_retry
from payments.services.trouble import event_failed, event_recovered, operation_failed, operation_recovered
from payments.states import OVER, OperationState, TransactionStatus

log = structlog.get_logger(__name__)

_SWEEP = Actor("system:sweep")
_IN_FLIGHT = 8
_AT_ONCE = _IN_FLIGHT * 3  # three calls that time out, one after the other, still end within the sweep's lease


def sweep(*, clock: Callable[[], datetime], limit: int = 200) -> int:
    """Look at up to `limit` due operations, as many due events and pages whose time is over. Returns how many were looked at.

    The clock is read for each row when its turn comes: a provider that hangs makes the batch long, and a claim must not begin old.
    """
    looked_at = 0
    with ThreadPoolExecutor(max_workers=_IN_FLIGHT) as pool:
        while looked_at < limit:
            operations = _take_operations(now=clock(), limit=min(_AT_ONCE, limit - looked_at))
            list(pool.map(lambda row: _look(row[0], row[1], row[2], clock()), operations))
            looked_at += len(operations)
            if len(operations) < _AT_ONCE:
                break
    events = _take_events(now=clock(), limit=limit)
    for event_id, failures in events:
        _retry(event_id, failures, clock())
    pages = _take_pages(now=clock(), limit=limit)
    for transaction_id in pages:
        _expire(transaction_id, clock())
    return looked_at + len(events) + len(pages)


def _take_operations(*, now: datetime, limit: int) -> list[tuple[str, str, int]]:
    """Due operations, put off so that no other sweep takes them. QUEUED ones keep their state: sending claims them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE operation SET due_at = %s
            WHERE id IN (SELECT id FROM operation WHERE due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING id, state, failures
            """,
            [_lease_end(now), now, limit],
        )
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


def _take_events(*, now: datetime, limit: int) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE provider_event SET due_at = %s
            WHERE id IN (SELECT id FROM provider_event WHERE due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING id, failures
            """,
            [_lease_end(now), now, limit],
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]


def _take_pages(*, now: datetime, limit: int) -> list[str]:
    """Hosted transactions whose time is over and which no open payment ends. Ending one is a look under its lock: no lease."""
    unpaid = Transaction.objects.filter(status=TransactionStatus.PENDING, expires_at__lte=now, hosted=True)
    open_payment = Payment.objects.filter(transaction=OuterRef("pk")).exclude(state__in=OVER)
    due = unpaid.exclude(Exists(open_payment)).order_by("expires_at")
    return list(due.values_list("pk", flat=True)[:limit])


def _lease_end(now: datetime) -> datetime:
    """When the rows of a sweep that died come back."""
    return now + timedelta(seconds=settings.SWEEP_LEASE_SECONDS)


def _look(operation_id: str, state: str, failures: int, now: datetime) -> None:
    try:
        if state == OperationState.QUEUED:
            operation_run(operation_id=operation_id, now=now)
        else:
            operation_look_up(operation_id=operation_id, now=now)
        if failures:
            operation_recovered(operation_id=operation_id)
    except Exception as exc:  # one row's trouble must not stop the others: it comes back, ever more rarely
        log.exception("sweep.row_failed", operation=operation_id)
        error = type(exc).__name__
        _note(lambda: operation_failed(operation_id=operation_id, error=error, now=now))
    finally:
        close_old_connections()


def _retry(event_id: str, failures: int, now: datetime) -> None:
    try:
        provider_event_retry(event_id=event_id, now=now)
        if failures:
            event_recovered(event_id=event_id, actor=_SWEEP, now=now)
    except Exception as exc:  # as above: a message that can no longer be read must not stop the others
        log.exception("sweep.event_failed", provider_event=event_id)
        error = type(exc).__name__
        _note(lambda: event_failed(event_id=event_id, error=error, now=now))


def _note(failure: Callable[[], None]) -> None:
    """Count it. If even that fails (the database is away), the lease brings the row back."""
    try:
        failure()
    except Exception:
        log.exception("sweep.failure_not_noted")


def _expire(transaction_id: str, now: datetime) -> None:
    try:
        page_end(transaction_id=transaction_id, status=TransactionStatus.EXPIRED, actor=Actor("system:sweep"), now=now)
    except InvalidState:
        log.info("sweep.page_ended_already", transaction=transaction_id)  # by another sweep, or its merchant
    except Exception:  # as above
        log.exception("sweep.page_failed", transaction=transaction_id)
