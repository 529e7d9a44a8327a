"""Book transfers: money from one account of a merchant to another, on our own ledger.

There is no provider to ask, so there is no payment and no unknown outcome: both accounts are locked, what is available is read again, and
transaction, postings, balances, facts, audit records and the idempotent answer are written in one statement. A refusal writes nothing. What a
type does is in payments/transfer_types.py, how a transfer ends in payments/states.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.database import constraint_of
from common.errors import InsufficientFunds, InvalidAccountStatus, InvalidRequest, UnsupportedCurrency
from common.ids import new_id
from common.money import Money
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.ledger.account_recipes import held, transferred
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from payments.models import Account, Refund, Transaction
from payments.models.transaction import Channel
from payments.services.accounts import change_balance, lock_accounts, purse_of
from payments.services.payloads import transaction_payload
from payments.services.transactions import transaction_by_reference
from payments.states import TRANSFER_MOVES, AccountStatus, Result, TransactionStatus
from payments.transfer_types import TRANSFER_TYPES

Refused = InsufficientFunds | InvalidAccountStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransfer:
    """What a merchant asks for, already validated in form; `method` is one of TRANSFER_TYPES."""

    merchant_id: str
    live: bool
    method: str
    from_account_id: str
    to_account_id: str
    amount: Money
    external_reference: str | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def content_hash(self) -> bytes:
        """SHA-256 of what decides whether a repeated reference asks for the same thing."""
        parts = (
            self.method,
            str(self.amount),
            self.amount.currency,
            self.from_account_id,
            self.to_account_id,
            self.description,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Transferred:
    """A transfer; `repeated` if an earlier request with the same reference made it."""

    transaction: Transaction
    repeated: bool = False


def transfer_create(
    *,
    new: NewTransfer,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Transferred], Reply] | None = None,
) -> Transferred:
    """Accept a transfer; unless its type is batched it is COMPLETED when this returns. `reply` renders the answer that is kept.

    Raises InvalidRequest (one account on both sides), NotFound (not the merchant's accounts), InvalidAccountStatus,
    UnsupportedCurrency (not that of both accounts), InsufficientFunds, DuplicatePayment, IntegrityError of
    merchants.services.idempotency.CONSTRAINT (the key was used: the caller reads the kept answer).
    """
    try:
        with database.atomic():
            made = _write(new, actor, now, idempotency, reply)
            nudge_coalesced("notifications.relay_outbox")
    except (InsufficientFunds, InvalidAccountStatus):
        earlier = _earlier(new)  # this may be the repeat of the very request that took the money
        if earlier is None:
            raise
        return earlier
    except IntegrityError as exc:
        earlier = _earlier(new) if constraint_of(exc) == "transaction_external_reference_once" else None
        if earlier is None:
            raise
        return earlier
    crashpoint("transfer.committed")
    return made


def transfer_validate(*, new: NewTransfer) -> None:
    """Whether it would be accepted at this moment; writes nothing and promises nothing. Raises what transfer_create would refuse with."""
    with database.atomic():
        _admit(new)


def _admit(new: NewTransfer) -> tuple[Account, Account]:
    """Payer and payee, locked, between which this may move now. Raises as transfer_create says."""
    if new.from_account_id == new.to_account_id:
        raise InvalidRequest(
            "Not right: toAccountId.", fields={"toAccountId": ["Choose another account than fromAccountId."]}
        )
    kind = TRANSFER_TYPES[new.method]
    payer, payee = accounts = lock_accounts(
        new.from_account_id, new.to_account_id, merchant_id=new.merchant_id, live=new.live
    )
    for account in accounts:
        if account.currency != new.amount.currency:
            raise UnsupportedCurrency(
                f"{account.pk} is in {account.currency}.", accountId=account.pk, currencyCode=account.currency
            )
    refused = why_refused(payer, payee, new.amount, funded=kind.batched and not kind.holds)
    if refused is not None:
        raise refused
    return payer, payee


def _write(
    new: NewTransfer,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None,
    reply: Callable[[Transferred], Reply] | None,
) -> Transferred:
    kind = TRANSFER_TYPES[new.method]
    payer, payee = accounts = _admit(new)
    transaction = Transaction(
        id=new_id("txn"),
        merchant_id=new.merchant_id,
        live=new.live,
        channel=Channel.API,
        method=new.method,
        status=TransactionStatus.PENDING,
        version=1,
        currency=new.amount.currency,
        amount_minor=new.amount.minor,
        from_account_id=payer.pk,
        to_account_id=payee.pk,
        external_reference=new.external_reference,
        content_hash=new.content_hash(),
        description=new.description,
        metadata=dict(new.metadata),
        created_at=now,
        updated_at=now,
    )
    rows = Rows()
    created = Step("transaction.created", {"status": [None, transaction.status]})
    if kind.batched:
        legs = held(purse_of(payer), new.amount) if kind.holds else []
        record_step(rows, transaction, created, legs, accounts, actor, now)
    else:
        record_step(rows, transaction, created, [], accounts, actor, now)
        legs = transferred(purse_of(payer), purse_of(payee), new.amount)
        record_step(rows, transaction, end(transaction, None, now), legs, accounts, actor, now)
    rows.add(transaction)
    made = Transferred(transaction)
    if idempotency is not None and reply is not None:
        idempotency.store(rows, reply(made), now=now)
    crashpoint("transfer.before_write")
    rows.write()
    return made


@dataclass(frozen=True, slots=True)
class Step:
    """One version of a transfer: its fact and what changed."""

    fact: str
    changes: Mapping[str, list[Any]]
    reason: str = ""
    refund: Refund | None = None


def end(transaction: Transaction, refused: Refused | None, now: datetime) -> Step:
    """Complete or fail a pending transfer (in memory), as the table of moves says."""
    before = TransactionStatus(transaction.status)
    status, fact = TRANSFER_MOVES[before, Result.DECLINED if refused else Result.SUCCEEDED]
    changes: dict[str, list[Any]] = {"status": [before, status]}
    transaction.status = status
    if refused is None:
        transaction.amount_authorized_minor = transaction.amount_captured_minor = transaction.amount_minor
        changes["amount_captured_minor"] = [0, transaction.amount_minor]
    else:
        transaction.failure_code = refused.code
        transaction.failure_reason = refused.message[:255]
    transaction.version += 1
    transaction.updated_at = now
    return Step(fact, changes, transaction.failure_reason)


def record_step(
    rows: Rows,
    transaction: Transaction,
    step: Step,
    legs: Sequence[Leg],
    accounts: Sequence[Account],
    actor: Actor,
    now: datetime,
) -> None:
    """Write the fact and audit record of a transfer's present version, its postings, and what they change on the accounts."""
    fact_id = record_change(
        rows,
        subject=Subject("transaction", transaction.pk, transaction.version, transaction.merchant_id, transaction.live),
        fact=step.fact,
        payload=transaction_payload(transaction, None, step.refund),
        changes=step.changes,
        actor=actor,
        now=now,
        reason=step.reason,
    )
    if not legs:
        return
    post(rows, fact_id=fact_id, fact_name=step.fact, transaction_id=transaction.pk, legs=legs, now=now)
    posted = {leg.account.account_id for leg in legs}
    for account in accounts:
        if account.pk in posted:
            change_balance(
                rows,
                account,
                legs,
                fact="account.balance_changed",
                actor=actor,
                now=now,
                transaction_id=transaction.pk,
                reason=step.reason,
            )


def why_refused(payer: Account, payee: Account, amount: Money, *, funded: bool) -> Refused | None:
    """What stands in the way of moving `amount` now; `funded`: the money is held already, or only needed later."""
    for account in (payer, payee):
        if account.status != AccountStatus.ACTIVE:
            return InvalidAccountStatus(
                f"Account {account.pk} is {account.status}.", accountId=account.pk, status=account.status
            )
    if not funded and payer.available.minor < amount.minor:
        return InsufficientFunds(
            "Account does not have sufficient funds for this transaction",
            accountId=payer.pk,
            requestedAmount=amount,
            availableBalance=payer.available,
        )
    return None


def _earlier(new: NewTransfer) -> Transferred | None:
    """The transfer that has this reference already. Raises DuplicatePayment if it asked for something else."""
    if new.external_reference is None:
        return None
    try:
        transaction = transaction_by_reference(
            merchant_id=new.merchant_id,
            live=new.live,
            reference=new.external_reference,
            content_hash=new.content_hash(),
        )
    except Transaction.DoesNotExist:
        return None
    return Transferred(transaction, repeated=True)
