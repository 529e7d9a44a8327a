"""A hosted transaction: its payer chooses how to pay on our own page, and may try again after a decline.

At most one of its payments can charge at any time (a unique index says so as well): another is opened only when the one before is over at its
provider, never while its outcome is merely unknown. Money that comes from a payment that was over is a late success as ever, and while it is
not explained nothing more is opened. Attempts and time are limited; the merchant hears once, of the end (docs/adr/0008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.database import constraint_of
from common.errors import InvalidState, NotFound, UnsupportedCurrency
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.models import Operation, Payment, ReviewItem, Transaction
from payments.models.review import ReviewKind
from payments.providers.base import FailureCode, Kind
from payments.routing.route import choices, route
from payments.services.attempts import attempt_add, attempt_prepare
from payments.services.payloads import transaction_payload
from payments.services.transactions import NewTransaction, transaction_by_reference, transaction_row
from payments.states import OVER, PAGE_MOVES, TERMINAL_OPERATION, TransactionStatus


@dataclass(frozen=True, slots=True)
class Hosted:
    """A transaction whose payer chooses, with its payments so far; `repeated` if an earlier request made it."""

    transaction: Transaction
    payments: Sequence[Payment] = ()
    repeated: bool = False


def page_create(
    *,
    new: NewTransaction,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Hosted], Reply] | None = None,
) -> Hosted:
    """Accept a payment whose payer chooses the method. One statement, as transaction_create.

    Raises UnsupportedCurrency (nothing that the merchant has takes it in this way of capture), DuplicatePayment, IntegrityError of
    merchants.services.idempotency.CONSTRAINT.
    """
    if not choices(
        merchant_id=new.merchant_id, live=new.live, currency=new.amount.currency, kind=_kind(new.manual_capture)
    ):
        if new.external_reference and _has(new):
            return _earlier(new)
        raise UnsupportedCurrency(
            f"No payment type of yours takes {new.amount.currency} in this way.", currencyCode=new.amount.currency
        )
    hosted = Hosted(transaction_row(new, now))
    rows = Rows()
    rows.add(hosted.transaction)
    _record(
        rows, hosted.transaction, None, "transaction.created", {"status": [None, hosted.transaction.status]}, actor, now
    )
    if idempotency is not None and reply is not None:
        idempotency.store(rows, reply(hosted), now=now)
    crashpoint("create.before_write")
    try:
        rows.write()
    except IntegrityError as exc:
        if constraint_of(exc) == "transaction_external_reference_once":
            return _earlier(new)
        raise
    crashpoint("create.written")
    nudge_coalesced("notifications.relay_outbox")
    return hosted


def page_attempt(*, transaction_id: str, method: str, actor: Actor, now: datetime, bank_code: str = "") -> Payment:
    """Open a payment by the method that the payer chose. The same choice again gives the payment that is open already.

    Raises NotFound, InvalidRequest (the method is not offered), UnsupportedCurrency, InvalidState (ended, out of time or attempts, or the
    payment before may still charge).
    """
    asked = Transaction.objects.filter(pk=transaction_id, hosted=True, merchant__is_active=True).first()
    if asked is None:
        raise NotFound("There is no such transaction.")
    kind = _kind(asked.manual_capture)
    account = route(merchant_id=asked.merchant_id, live=asked.live, method=method, currency=asked.currency, kind=kind)
    with database.atomic():
        transaction = Transaction.objects.select_for_update(of=("self",)).get(pk=transaction_id)
        last = transaction.payments.order_by("attempt").last()
        if last is not None and last.state not in OVER:
            if transaction.status == TransactionStatus.PENDING and (last.method, last.bank_code) == (method, bank_code):
                return last
            raise InvalidState("The payment that was begun has not ended yet.", status=transaction.status)
        _refuse_unless_open(transaction, last, now)
        payment = attempt_prepare(
            transaction=transaction,
            attempt=last.attempt + 1 if last else 1,
            account=account,
            method=method,
            kind=kind,
            now=now,
            bank_code=bank_code,
        )
        changes = {"method": [transaction.method or None, method], "payment_state": [None, payment.state]}
        transaction.method = method
        rows = Rows()
        attempt_add(rows, payment, kind=kind, now=now)
        _update(rows, transaction, now, method=method)
        _record(rows, transaction, payment, "payment.opened", changes, actor, now)
        crashpoint("attempt.before_write")
        rows.write()
        crashpoint("attempt.written")
        nudge_coalesced("notifications.relay_outbox")
    crashpoint("attempt.committed")
    return payment


def page_ask_again(*, transaction_id: str, now: datetime) -> bool:
    """The payer would rather pay otherwise: let the sweep ask at once whether the open payment is over. False if none is open."""
    operations = Operation.objects.exclude(state__in=TERMINAL_OPERATION).filter(
        payment__transaction=transaction_id,
        payment__transaction__hosted=True,
        payment__transaction__status=TransactionStatus.PENDING,
    )
    return bool(operations.update(due_at=now))


def page_end(
    *,
    transaction_id: str,
    status: TransactionStatus,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Transaction], Reply] | None = None,
) -> Transaction:
    """End a hosted transaction that has no open payment: EXPIRED when its time is over, CANCELLED by its merchant.

    Raises InvalidState if it has ended, or a payment is open.
    """
    with database.atomic():
        transaction = Transaction.objects.select_for_update(of=("self",)).get(pk=transaction_id, hosted=True)
        last = transaction.payments.order_by("attempt").last()
        if transaction.status != TransactionStatus.PENDING or (last is not None and last.state not in OVER):
            raise InvalidState(
                f"A transaction that is {transaction.status} is not ended so.", status=transaction.status
            )
        before, transaction.status = transaction.status, status
        ended: dict[str, str] = {"status": status}
        if status is TransactionStatus.EXPIRED:
            transaction.failure_code, transaction.failure_reason = (
                FailureCode.EXPIRED,
                "The payer did not finish in time.",
            )
            ended |= {"failure_code": transaction.failure_code, "failure_reason": transaction.failure_reason}
        rows = Rows()
        _update(rows, transaction, now, **ended)
        _record(rows, transaction, last, PAGE_MOVES[status], {"status": [before, status]}, actor, now)
        if idempotency is not None and reply is not None:
            idempotency.store(rows, reply(transaction), now=now)
        rows.write()
        nudge_coalesced("notifications.relay_outbox")
    return transaction


def _refuse_unless_open(transaction: Transaction, last: Payment | None, now: datetime) -> None:
    if transaction.status != TransactionStatus.PENDING:
        raise InvalidState(f"A transaction that is {transaction.status} is not paid again.", status=transaction.status)
    if transaction.expires_at is None or now >= transaction.expires_at:
        raise InvalidState("The time to pay is over.", status=transaction.status)
    if last is not None and last.attempt >= settings.PAYMENT_ATTEMPTS:
        raise InvalidState("There are no tries left.", status=transaction.status)
    late = ReviewItem.objects.filter(payment__transaction=transaction, kind=ReviewKind.LATE_SUCCESS, resolved_at=None)
    if last is not None and late.exists():
        raise InvalidState(
            "Money came for a payment that was over: a person looks at it first.", status=transaction.status
        )


def _update(rows: Rows, transaction: Transaction, now: datetime, **values: object) -> None:
    transaction.version += 1
    transaction.updated_at = now
    rows.update(
        Transaction,
        transaction.pk,
        {"version": transaction.version - 1},
        version=transaction.version,
        updated_at=now,
        **values,
    )


def _record(
    rows: Rows,
    transaction: Transaction,
    payment: Payment | None,
    fact: str,
    changes: dict[str, list[str | None]],
    actor: Actor,
    now: datetime,
) -> None:
    record_change(
        rows,
        subject=Subject("transaction", transaction.pk, transaction.version, transaction.merchant_id, transaction.live),
        fact=fact,
        payload=transaction_payload(transaction, payment),
        changes=changes,
        actor=actor,
        now=now,
    )


def _kind(manual_capture: bool) -> Kind:
    return Kind.AUTHORIZE if manual_capture else Kind.SALE


def _has(new: NewTransaction) -> bool:
    return Transaction.objects.filter(
        merchant_id=new.merchant_id, live=new.live, external_reference=new.external_reference
    ).exists()


def _earlier(new: NewTransaction) -> Hosted:
    transaction = transaction_by_reference(
        merchant_id=new.merchant_id, live=new.live, reference=new.external_reference, content_hash=new.content_hash()
    )
    return Hosted(transaction, list(transaction.payments.order_by("attempt")), repeated=True)
