"""The batch: transfers that wait for it are settled one by one, each in a database transaction of its own.

A run that dies leaves the rest waiting for the next one; two runs at once share the work, because each transfer is locked, skipped where
another run has it, and read again. What cannot be moved at batch time fails for good, and what was held for it is available again. What became
of each transfer is written with its end (TransferRunItem). A run that an operator asked for is a row first: if its nudge is lost, the next
scheduled run starts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import structlog
from django.db import transaction as database
from django.db.models import QuerySet

from common.audit import record_action
from common.changes import Actor
from common.crashpoints import crashpoint
from common.errors import InvalidState
from common.ids import new_id
from common.queue import nudge, nudge_coalesced
from common.rows import Rows
from payments.ledger.account_recipes import released, settled, transferred
from payments.models import Transaction, TransferRun, TransferRunItem
from payments.services.accounts import lock_parties, purse_of
from payments.services.transfers import end, record_step, why_refused
from payments.states import TransactionStatus
from payments.transfer_types import TRANSFER_TYPES

log = structlog.get_logger(__name__)
BATCH = Actor("system:transfer_batch")


def transfer_run_request(*, actor: Actor, reason: str, now: datetime) -> TransferRun:
    """Ask for a run now. Raises InvalidState if one is asked for and has not begun."""
    with database.atomic():
        if TransferRun.objects.filter(started_at=None).exists():
            raise InvalidState("A run is asked for already and begins in a moment.")
        run = TransferRun(id=new_id("run"), requested_by=actor.name, reason=reason, requested_at=now)
        rows = Rows()
        rows.add(run)
        rows.write()
        record_action(
            actor=actor,
            action="transfer_run.requested",
            subject_type="transfer_run",
            subject_id=run.pk,
            reason=reason,
            now=now,
        )
        nudge("payments.run_transfer_batch", run_id=run.pk)
    return run


def transfer_batch_run(*, now: datetime, run_id: str | None = None) -> Mapping[TransactionStatus, int]:
    """Settle every transfer that has waited since before `now`, oldest first. Returns how many ended in each status.

    `run_id`: of a run that was asked for; nothing is done if it has begun. Without it the oldest such run is begun, else a new one if
    anything waits.
    """
    waiting = waiting_transfers(now=now)
    run = _begin(run_id, now, anything=waiting.exists())
    if run is None:
        return {}
    ended: Counter[TransactionStatus] = Counter()
    for transaction_id in waiting.values_list("pk", flat=True):
        try:
            status = _settle(transaction_id, run, now)
        except Exception:  # whatever is wrong with one transfer must not keep the others waiting
            log.exception("transfer_batch.transfer_failed", transaction=transaction_id)
            continue
        if status is not None:
            ended[status] += 1
    if ended:
        log.info(
            "transfer_batch.ended", completed=ended[TransactionStatus.COMPLETED], failed=ended[TransactionStatus.FAILED]
        )
    TransferRun.objects.filter(pk=run, ended_at=None).update(ended_at=now)
    return ended


def waiting_transfers(*, now: datetime) -> QuerySet[Transaction]:
    """What a run at `now` would settle, in its order."""
    waiting = Transaction.objects.filter(
        status=TransactionStatus.PENDING, from_account__isnull=False, created_at__lte=now
    )
    return waiting.order_by("created_at", "id")


def _begin(run_id: str | None, now: datetime, *, anything: bool) -> str | None:
    """The run that begins now, None if there is none to begin."""
    asked = TransferRun.objects.filter(started_at=None)
    if run_id is None:
        run_id = asked.order_by("requested_at").values_list("pk", flat=True).first()
    if run_id is not None:
        return run_id if asked.filter(pk=run_id).update(started_at=now) else None
    if not anything:
        return None
    return TransferRun.objects.create(id=new_id("run"), requested_by=BATCH.name, requested_at=now, started_at=now).pk


def _settle(transaction_id: str, run: str, now: datetime) -> TransactionStatus | None:
    """End one transfer. None if another run has it or it has ended."""
    with database.atomic():
        transaction = (
            Transaction.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(pk=transaction_id, status=TransactionStatus.PENDING)
            .first()
        )
        if transaction is None:
            return None
        payer, payee = accounts = lock_parties(transaction)
        amount, holds = transaction.amount, TRANSFER_TYPES[transaction.method].holds
        refused = why_refused(payer, payee, amount, funded=holds)
        if refused is not None:
            legs = released(purse_of(payer), amount) if holds else []
        else:
            legs = (settled if holds else transferred)(purse_of(payer), purse_of(payee), amount)
        rows = Rows()
        record_step(rows, transaction, end(transaction, refused, now), legs, accounts, BATCH, now)
        rows.update(
            Transaction,
            transaction.pk,
            {"version": transaction.version - 1},
            status=transaction.status,
            version=transaction.version,
            amount_authorized_minor=transaction.amount_authorized_minor,
            amount_captured_minor=transaction.amount_captured_minor,
            failure_code=transaction.failure_code,
            failure_reason=transaction.failure_reason,
            updated_at=now,
        )
        rows.insert(
            TransferRunItem,
            run_id=run,
            transaction_id=transaction.pk,
            status=transaction.status,
            failure_code=transaction.failure_code,
            ended_at=now,
        )
        crashpoint("transfer_batch.before_write")
        rows.write()
        nudge_coalesced("notifications.relay_outbox")
    return TransactionStatus(transaction.status)
