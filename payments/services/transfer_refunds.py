"""Giving a book transfer back: the money moves from the account that got it to the one that paid, at once, if it is still there.

The refund is a row of its own like any other, but it never waits: it is SUCCEEDED when it is written, or refused and not written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from common.changes import Actor
from common.ids import new_id
from common.money import Money
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.ledger.account_recipes import transferred
from payments.models import Refund, Transaction
from payments.services.accounts import lock_parties, purse_of
from payments.services.transfers import Step, record_step, why_refused
from payments.states import RefundState, TransactionStatus


def transfer_refund(
    *,
    transaction: Transaction,
    amount: Money,
    reason: str,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None,
    reply: Callable[[Refund], Reply] | None,
) -> Refund:
    """Refund the locked transfer; the caller has checked that so much is left. Raises InsufficientFunds, InvalidAccountStatus."""
    payee, payer = accounts = lock_parties(transaction)
    refused = why_refused(payer, payee, amount, funded=False)
    if refused is not None:
        raise refused
    refund = Refund(
        id=new_id("rfd"),
        transaction=transaction,
        state=RefundState.PENDING,
        currency=amount.currency,
        amount_minor=amount.minor,
        reason=reason,
        requested_by=actor.name,
        created_at=now,
        updated_at=now,
    )
    first, rows = transaction.version, Rows()
    transaction.version += 1
    transaction.updated_at = now
    asked = Step("refund.created", {"refund": [None, f"{amount} {amount.currency}"]}, reason, refund)
    record_step(rows, transaction, asked, [], accounts, actor, now)
    refund.state = RefundState.SUCCEEDED
    refund.completed_at = now
    done = _give_back(transaction, refund)
    legs = transferred(purse_of(payer), purse_of(payee), amount)
    record_step(rows, transaction, done, legs, accounts, actor, now)
    rows.add(refund)
    rows.update(
        Transaction,
        transaction.pk,
        {"version": first},
        status=transaction.status,
        version=transaction.version,
        amount_refunded_minor=transaction.amount_refunded_minor,
        updated_at=now,
    )
    if idempotency is not None and reply is not None:
        idempotency.store(rows, reply(refund), now=now)
    rows.write()
    return refund


def _give_back(transaction: Transaction, refund: Refund) -> Step:
    """The transfer's next version, with the refund in it."""
    before = transaction.amount_refunded_minor, transaction.status
    transaction.amount_refunded_minor += refund.amount_minor
    whole = transaction.amount_refunded_minor == transaction.amount_captured_minor
    transaction.status = TransactionStatus.REFUNDED if whole else TransactionStatus.PARTIALLY_REFUNDED
    transaction.version += 1
    changes: dict[str, list[Any]] = {"amount_refunded_minor": [before[0], transaction.amount_refunded_minor]}
    if before[1] != transaction.status:
        changes |= {"status": [before[1], transaction.status]}
    return Step("refund.completed", changes, refund.reason, refund)
