"""Operations through the wire: claim, commit, call, record.

The claim is committed before any byte leaves (so every message the provider may have seen has a row that says so), no lock is held
while the provider answers, and what it said is recorded by payment_advance. A claim that nobody finished lapses; the operation is then
unknown and is looked up, never sent again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db.models import F

from common.changes import Actor
from common.crashpoints import crashpoint
from merchants.selectors import open_account
from payments.models import Operation
from payments.providers.base import FailureCode, NotSent, Outcome, ProviderResult
from payments.services import schedule
from payments.services.advance import Effect, payment_advance
from payments.services.calls import open_provider, operation_request
from payments.states import OperationState

log = structlog.get_logger(__name__)

_LONGEST_WAIT = timedelta(hours=1)  # whatever Retry-After a provider asks for
OPEN = (OperationState.SENT, OperationState.PENDING, OperationState.UNKNOWN)


def operation_run(*, operation_id: str, now: datetime) -> Effect | None:
    """Send a queued operation. None if it is not queued (any more): somebody else has it, or has had it."""
    claimed = Operation.objects.filter(pk=operation_id, state=OperationState.QUEUED).update(
        state=OperationState.SENT, sends=F("sends") + 1, sent_at=now, due_at=schedule.lease_end(now)
    )
    if not claimed:
        return None
    crashpoint("operation.claimed")
    operation = _load(operation_id)
    actor = _actor(operation)
    try:
        result = open_provider(open_account(operation.payment.provider_account)).send(operation_request(operation))
    except NotSent as exc:
        return _not_sent(operation, exc, actor, now)
    crashpoint("operation.answered")
    if result.outcome is Outcome.DECLINED and result.failure_code == FailureCode.PROVIDER_ERROR:
        result = replace(
            result, outcome=Outcome.UNKNOWN
        )  # it broke while it had our message: its books know, its reply does not
    effect = payment_advance(
        operation_id=operation_id, result=result, actor=actor, now=now, claimed_until=schedule.lease_end(now)
    )
    crashpoint("operation.recorded")
    return effect


def operation_look_up(*, operation_id: str, now: datetime, actor: Actor | None = None) -> Effect | None:
    """Ask the provider what became of an operation that has left us. None if it has ended or was never sent."""
    asked = operation_ask(operation_id=operation_id, now=now)
    if asked is None:
        return None
    operation, result = asked
    return payment_advance(
        operation_id=operation_id,
        result=result,
        actor=actor or _actor(operation),
        now=now,
        claimed_until=schedule.lease_end(now),
    )


def operation_ask(*, operation_id: str, now: datetime) -> tuple[Operation, ProviderResult] | None:
    """The provider's answer, not yet recorded. None if the operation has ended or was never sent."""
    claimed = Operation.objects.filter(pk=operation_id, state__in=OPEN).update(
        look_ups=F("look_ups") + 1, due_at=schedule.lease_end(now)
    )
    if not claimed:
        return None
    operation = _load(operation_id)
    try:
        result = open_provider(open_account(operation.payment.provider_account)).look_up(operation_request(operation))
    except NotSent as exc:
        result = ProviderResult(Outcome.UNKNOWN, reason=str(exc))
    crashpoint("operation.looked_up")
    return operation, result


def _not_sent(operation: Operation, fault: NotSent, actor: Actor, now: datetime) -> Effect:
    """It surely did not leave us: queue it again, or give it up after many tries."""
    reason = str(fault)
    if operation.sends >= schedule.MAX_SENDS:
        gave_up = ProviderResult(Outcome.DECLINED, reason=reason[:255], failure_code="PROVIDER_UNAVAILABLE")
        return payment_advance(operation_id=operation.pk, result=gave_up, actor=actor, now=now)
    Operation.objects.filter(pk=operation.pk, state=OperationState.SENT).update(
        state=OperationState.QUEUED,
        due_at=max(schedule.next_send(sends=operation.sends, now=now), now + _asked_to_wait(fault)),
        provider_reason=reason[:255],
    )
    log.warning("operation.not_sent", operation=operation.pk, sends=operation.sends, reason=reason)
    return Effect.WAITING


def _asked_to_wait(fault: NotSent) -> timedelta:
    return min(timedelta(seconds=fault.retry_after_seconds or 0), _LONGEST_WAIT)


def _load(operation_id: str) -> Operation:
    return Operation.objects.select_related("payment__transaction", "payment__provider_account").get(pk=operation_id)


def _actor(operation: Operation) -> Actor:
    return Actor(f"provider:{operation.payment.provider_account.provider}", request_id=operation.reference)
