"""Creating a transaction: one statement, one round trip, one commit.

Transaction, first payment, its operation, the fact, the audit record and the idempotent answer are written together or not at all.
A merchant who names no method lets the payer choose on our page: services/pages.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.database import constraint_of
from common.errors import DuplicatePayment, InvalidRequest, UnsupportedCurrency
from common.ids import new_id
from common.money import Money
from common.queue import nudge_coalesced
from common.rows import Rows
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.models import Payment, Transaction
from payments.providers.base import Kind
from payments.routing.route import route
from payments.services.attempts import attempt_add, attempt_prepare
from payments.services.payloads import transaction_payload
from payments.states import TransactionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransaction:
    """What a merchant asks for, already validated in form."""

    merchant_id: str
    live: bool
    channel: str
    method: str  # "": the payer chooses on our page
    amount: Money
    external_reference: str | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra_fields: Mapping[str, str] = field(default_factory=dict)
    payer_name: str = ""
    payer_email: str = ""
    payer_phone: str = ""
    return_url: str = ""
    bank_code: str = ""
    business_banking: bool = False
    manual_capture: bool = False

    def content_hash(self) -> bytes:
        """SHA-256 of what decides whether a repeated reference asks for the same thing."""
        parts = (
            self.method,
            str(self.amount),
            self.amount.currency,
            str(self.business_banking),
            str(self.manual_capture),
            self.bank_code,
            self.description,
            self.return_url,
            *(f"{name}={value}" for name, value in sorted(self.extra_fields.items())),
        )
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Created:
    """A transaction and its first payment; `repeated` if an earlier request with the same reference made them."""

    transaction: Transaction
    payment: Payment
    repeated: bool = False


def transaction_create(
    *,
    new: NewTransaction,
    actor: Actor,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    reply: Callable[[Created], Reply] | None = None,
) -> Created:
    """Accept a payment. `reply` renders the answer that is kept under the idempotency key.

    Raises InvalidRequest, UnsupportedCurrency (nothing serves it), DuplicatePayment (the reference was used for something
    else), IntegrityError of merchants.services.idempotency.CONSTRAINT (the key was used: the caller reads the kept answer).
    """
    kind = Kind.AUTHORIZE if new.manual_capture else Kind.SALE
    try:
        account = route(
            merchant_id=new.merchant_id, live=new.live, method=new.method, currency=new.amount.currency, kind=kind
        )
    except (InvalidRequest, UnsupportedCurrency):
        if (earlier := _earlier_if_any(new)) is None:
            raise
        return earlier  # an honest repeat, whatever has become of the account meanwhile
    transaction = transaction_row(new, now)
    payment = attempt_prepare(
        transaction=transaction,
        attempt=1,
        account=account,
        method=new.method,
        kind=kind,
        now=now,
        bank_code=new.bank_code,
        business_banking=new.business_banking,
    )
    created = Created(transaction, payment)

    rows = Rows()
    rows.add(transaction)
    attempt_add(rows, payment, kind=kind, now=now)
    record_change(
        rows,
        subject=Subject("transaction", transaction.pk, 1, new.merchant_id, new.live),
        fact="transaction.created",
        payload=transaction_payload(transaction, payment),
        changes={"status": [None, transaction.status]},
        actor=actor,
        now=now,
    )
    if idempotency is not None and reply is not None:
        idempotency.store(rows, reply(created), now=now)
    crashpoint("create.before_write")
    try:
        rows.write()
    except IntegrityError as exc:
        if constraint_of(exc) == "transaction_external_reference_once":
            return _earlier(new)
        raise
    crashpoint("create.written")
    nudge_coalesced("notifications.relay_outbox")
    return created


def transaction_row(new: NewTransaction, now: datetime) -> Transaction:
    """The row of what a merchant asks for, not yet written."""
    return Transaction(
        id=new_id("txn"),
        merchant_id=new.merchant_id,
        live=new.live,
        channel=new.channel,
        method=new.method,
        hosted=not new.method,
        manual_capture=new.manual_capture,
        status=TransactionStatus.PENDING,
        version=1,
        currency=new.amount.currency,
        amount_minor=new.amount.minor,
        external_reference=new.external_reference,
        content_hash=new.content_hash(),
        description=new.description,
        metadata=dict(new.metadata),
        extra_fields=dict(new.extra_fields),
        payer_name=new.payer_name,
        payer_email=new.payer_email,
        payer_phone=new.payer_phone,
        return_url=new.return_url,
        expires_at=now + timedelta(minutes=settings.PAYMENT_EXPIRES_MINUTES),
        created_at=now,
        updated_at=now,
    )


def _earlier_if_any(new: NewTransaction) -> Created | None:
    try:
        return _earlier(new) if new.external_reference else None
    except Transaction.DoesNotExist:
        return None


def _earlier(new: NewTransaction) -> Created:
    transaction = transaction_by_reference(
        merchant_id=new.merchant_id, live=new.live, reference=new.external_reference, content_hash=new.content_hash()
    )
    payment = transaction.payments.order_by("-attempt")[0]
    return Created(transaction, payment, repeated=True)


def transaction_by_reference(
    *, merchant_id: str, live: bool, reference: str | None, content_hash: bytes
) -> Transaction:
    """The transaction that has this reference already, if it asked for the same thing.

    Raises DuplicatePayment if it did not, Transaction.DoesNotExist.
    """
    transaction = Transaction.objects.get(merchant_id=merchant_id, live=live, external_reference=reference)
    if bytes(transaction.content_hash) != content_hash:
        raise DuplicatePayment(
            f"{reference} was used before with other content. Use a new reference.",
            externalReference=reference,
            transactionId=transaction.pk,
        )
    return transaction
