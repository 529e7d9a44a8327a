"""The batch: transfers that wait for it are settled one by one, each in a database transaction of its own.

A run that dies leaves the rest waiting for the next one; two runs at once share the work, because each transfer is locked, skipped where
another run has it, and read again. What cannot be moved at batch time fails for good, and what was held for it is available again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import structlog
from django.db import transaction as database

from common.changes import Actor
from common.crashpoints import crashpoint
from common.queue import nudge_coalesced
from common.rows import Rows
from payments.ledger.account_recipes import released, settled, transferred
from payments.models import Transaction
from payments.services.accounts import lock_parties, purse_of
from payments.services.transfers import end, record_step, why_refused
from payments.states import TransactionStatus
from payments.transfer_types import TRANSFER_TYPES

log = structlog.get_logger(__name__)
BATCH = Actor("system:transfer_batch")


def transfer_batch_run(*, now: datetime) -> Mapping[TransactionStatus, int]:
    """Settle every transfer that has waited since before `now`, oldest first. Returns how many ended in each status."""
    waiting = Transaction.objects.filter(
        status=TransactionStatus.PENDING, from_account__isnull=False, created_at__lte=now
    )
    ended: Counter[TransactionStatus] = Counter()
    for transaction_id in waiting.order_by("created_at", "id").values_list("pk", flat=True):
        try:
            status = _settle(transaction_id, now)
        except Exception:  # whatever is wrong with one transfer must not keep the others waiting
            log.exception("transfer_batch.transfer_failed", transaction=transaction_id)
            continue
        if status is not None:
            ended[status] += 1
    if ended:
        log.info(
            "transfer_batch.ended", completed=ended[TransactionStatus.COMPLETED], failed=ended[TransactionStatus.FAILED]
        )
    return ended


def _settle(transaction_id: str, now: datetime) -> TransactionStatus | None:
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
        crashpoint("transfer_batch.before_write")
        rows.write()
        nudge_coalesced("notifications.relay_outbox")
    return TransactionStatus(transaction.status)
