"""Messages that only say "look at this row", and the schedule's. Unknown arguments of later releases are ignored."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from payments.services.banks import banks_refresh
from payments.services.operations import operation_run
from payments.services.recovery import sweep
from payments.services.refund_batch_run import refund_batch_run, refund_batches_run
from payments.services.transfer_batch import transfer_batch_run


@shared_task(name="payments.run_operation")
def run_operation(*, operation_id: str, **_later: Any) -> None:
    operation_run(operation_id=operation_id, now=timezone.now())


@shared_task(name="payments.sweep")
def sweep_task(**_later: Any) -> None:
    sweep(clock=timezone.now)


@shared_task(name="payments.refresh_banks")
def refresh_banks(**_later: Any) -> None:
    banks_refresh(now=timezone.now())


@shared_task(name="payments.run_transfer_batch")
def run_transfer_batch(*, run_id: str | None = None, **_later: Any) -> None:
    transfer_batch_run(now=timezone.now(), run_id=run_id)


@shared_task(name="payments.run_refund_batch")
def run_refund_batch(*, batch_id: str, **_later: Any) -> None:
    refund_batch_run(batch_id=batch_id, now=timezone.now())


@shared_task(name="payments.run_refund_batches")
def run_refund_batches(**_later: Any) -> None:
    refund_batches_run(now=timezone.now())
