"""Batches of refunds: prepare (a preview that is kept), propose, and after the approval hand over to the workers.

What is prepared stays as it is: the approver agrees to these items and amounts, and the proposal is void when what is left to refund of one
of their transactions has changed meanwhile. Asking for the refunds is services/refund_batch_run.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db import transaction as database
from django.db.models import Count, F, QuerySet, Sum

from common.approvals import Act, Pin, propose, register
from common.changes import Actor, Subject, record_change
from common.database import constraint_of
from common.errors import InvalidRequest, InvalidState, NotFound
from common.ids import new_id
from common.models import Proposal
from common.money import InvalidAmount, Money
from common.queue import nudge
from common.rows import Rows
from payments.models import RefundBatch, RefundBatchItem, Transaction
from payments.providers.base import Kind
from payments.providers.registry import PROVIDERS
from payments.services.refund_files import MAX_ROWS, Wanted
from payments.services.refunds import REFUNDABLE
from payments.states import REFUND_BATCH_MOVES, RefundBatchState, RefundItemState

ACT = "refund_batch.approve"
_AT_ONCE = 1000  # rows looked up in one query


@dataclass(frozen=True, slots=True)
class Totals:
    """What a batch is about in one currency."""

    currency: str
    count: int
    minor: int


def refund_batch_prepare(
    *,
    merchant_id: str,
    live: bool,
    title: str,
    wanted: Sequence[Wanted],
    reason: str,
    actor: Actor,
    now: datetime,
) -> RefundBatch:
    """Look every row up and keep what would be refunded and what is refused, with the reason. Nothing is refunded.

    Raises InvalidRequest (no rows), InvalidState (the same refunds are in another batch already).
    """
    if not wanted:
        raise InvalidRequest("Nothing can be refunded there.")
    batch_id = new_id("rfb")
    items = _items(batch_id, _found(merchant_id, live, wanted), wanted, reason)
    refused = sum(item.state == RefundItemState.REFUSED for item in items)
    batch = RefundBatch(
        id=batch_id,
        merchant_id=merchant_id,
        live=live,
        title=title[:200],
        reason=reason,
        content_hash=_content_hash(items),
        item_count=len(items),
        refused_count=refused,
        prepared_by=actor.name,
        created_at=now,
        updated_at=now,
    )
    rows = Rows()
    rows.add(batch)
    changes: dict[str, list[Any]] = {
        "state": [None, batch.state],
        "items": [None, len(items)],
        "refused": [None, refused],
    }
    _record(rows, batch, "refund_batch.prepared", changes, actor, now, reason)
    try:
        with database.atomic():
            rows.write()
            RefundBatchItem.objects.bulk_create(items, batch_size=_AT_ONCE)
    except IntegrityError as exc:
        if constraint_of(exc) == "refund_batch_content_once":
            raise InvalidState(_same_refunds(batch)) from exc
        raise
    return batch


def _same_refunds(batch: RefundBatch) -> str:
    """Where the refunds are already, and what could be done."""
    same = RefundBatch.objects.filter(merchant=batch.merchant_id, live=batch.live, content_hash=batch.content_hash)
    other = same.exclude(state=RefundBatchState.DISCARDED).first()
    if other is None:
        return "The very same refunds were in another batch a moment ago. Try again."
    found = f"The very same refunds are in the batch {other.title} ({other.pk}) already"
    if other.state == RefundBatchState.PREPARED:
        return f"{found}: propose or discard that one."
    return f"{found}, which two people have approved."


def refund_batch_propose(*, batch_id: str, by: User, reason: str, actor: Actor, now: datetime) -> Proposal:
    """Ask a second person to approve the batch. Raises NotFound, Forbidden, InvalidState (not prepared, nothing in it, proposed already)."""
    batch = RefundBatch.objects.select_related("merchant").filter(pk=batch_id).first()
    if batch is None:
        raise NotFound("There is no such batch of refunds.")
    if batch.state != RefundBatchState.PREPARED:
        raise InvalidState(f"The batch is {batch.get_state_display().lower()}.", state=batch.state)
    totals = refund_batch_totals(batch)
    if not totals:
        raise InvalidState("Every row of the batch is refused: there is nothing to approve.")
    sums = ", ".join(Money(total.minor, total.currency).text() for total in totals)
    count = sum(total.count for total in totals)
    return propose(
        kind=ACT,
        subject_type="refund_batch",
        subject_id=batch.pk,
        merchant_id=batch.merchant_id,
        summary=f"Refund {count} payment{'' if count == 1 else 's'} of {batch.merchant.code}, together {sums}"
        f" ({'live' if batch.live else 'test'}): {batch.title}",
        reason=reason,
        parameters={"items": count, "totals": {total.currency: total.minor for total in totals}},
        pins=[Pin("refund_batch_pinned", batch.pk, ("state", "content_hash", "items"))],
        by=by,
        actor=actor,
        now=now,
    )


def refund_batch_discard(*, batch_id: str, actor: Actor, reason: str, now: datetime) -> RefundBatch:
    """Throw a prepared batch away; an open proposal is void with it. Raises NotFound, InvalidState."""
    with database.atomic():
        batch = lock_batch(batch_id)
        move_batch(batch, RefundBatchState.DISCARDED, actor, now, reason)
    return batch


def refund_batch_totals(batch: RefundBatch) -> list[Totals]:
    """What the batch refunds, without what was refused when it was prepared, per currency."""
    found = batch.items.exclude(state=RefundItemState.REFUSED).order_by("currency").values_list("currency")
    return [Totals(*row) for row in found.annotate(Count("id"), Sum("amount_minor"))]


def refundable(merchant_id: str, *, live: bool, **filters: Any) -> QuerySet[Transaction]:
    """Transactions of the merchant of which something is left to refund. `filters` are those of the ORM."""
    gone = F("amount_refunded_minor") + F("amount_refund_pending_minor") + F("amount_disputed_minor")
    found = Transaction.objects.filter(merchant_id=merchant_id, live=live, status__in=REFUNDABLE, **filters)
    return found.filter(amount_captured_minor__gt=gone)


def wanted_of(transactions: QuerySet[Transaction]) -> list[Wanted]:
    """All that is left of each, oldest first. Raises InvalidRequest (more than a batch may have)."""
    ids = list(transactions.order_by("id").values_list("pk", flat=True)[: MAX_ROWS + 1])
    if len(ids) > MAX_ROWS:
        raise InvalidRequest(f"A batch has at most {MAX_ROWS:,} refunds; narrow the filter.")
    return [Wanted(number, transaction_id) for number, transaction_id in enumerate(ids, start=1)]


def lock_batch(batch_id: str) -> RefundBatch:
    """The batch, locked until the end of the transaction. Raises NotFound."""
    batch = RefundBatch.objects.select_for_update(no_key=True).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound("There is no such batch of refunds.")
    return batch


def move_batch(
    batch: RefundBatch,
    to: RefundBatchState,
    actor: Actor,
    now: datetime,
    reason: str = "",
    *,
    proposal: Proposal | None = None,
) -> None:
    """Move the locked batch, with fact and audit record. Raises InvalidState (not such a move)."""
    before = RefundBatchState(batch.state)
    fact = REFUND_BATCH_MOVES.get((before, to))
    if fact is None:
        raise InvalidState(f"The batch is {batch.get_state_display().lower()}.", state=before)
    batch.state, batch.updated_at = to, now
    batch.version += 1
    batch.proposal = proposal or batch.proposal
    batch.due_at = now if to is RefundBatchState.APPROVED else None
    batch.ended_at = now if to in (RefundBatchState.DONE, RefundBatchState.DISCARDED) else None
    rows = Rows()
    rows.update(
        RefundBatch,
        batch.pk,
        {"version": batch.version - 1},
        state=to,
        version=batch.version,
        proposal_id=batch.proposal_id,
        due_at=batch.due_at,
        ended_at=batch.ended_at,
        updated_at=now,
    )
    _record(rows, batch, fact, {"state": [before, to]}, actor, now, reason)
    rows.write()


def _record(
    rows: Rows, batch: RefundBatch, fact: str, changes: dict[str, list[Any]], actor: Actor, now: datetime, reason: str
) -> None:
    record_change(
        rows,
        subject=Subject("refund_batch", batch.pk, batch.version, batch.merchant_id, batch.live),
        fact=fact,
        payload={"refundBatchId": batch.pk, "state": batch.state, "items": batch.item_count},
        changes=changes,
        actor=actor,
        now=now,
        reason=reason,
    )


def _found(merchant_id: str, live: bool, wanted: Sequence[Wanted]) -> dict[str, Transaction]:
    """The merchant's transactions that the rows name, by the name that was used. An id goes before a reference."""
    found: dict[str, Transaction] = {}
    names = list({row.transaction for row in wanted})
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        rows = Transaction.objects.filter(merchant_id=merchant_id, live=live).prefetch_related(
            "payments__provider_account"
        )
        by_reference = rows.filter(external_reference__in=some)
        found |= {row.external_reference: row for row in by_reference if row.external_reference}
        found |= {row.pk: row for row in rows.filter(pk__in=some)}
    return found


def _items(
    batch_id: str, found: dict[str, Transaction], wanted: Iterable[Wanted], reason: str
) -> list[RefundBatchItem]:
    items, taken = [], dict[str, int]()
    for row in wanted:
        transaction = found.get(row.transaction)
        amount, why = _would_refund(row, transaction)
        if not why and transaction is not None and transaction.pk in taken:
            why = f"Row {taken[transaction.pk]} refunds this transaction already."
        if not why and transaction is not None:
            taken[transaction.pk] = row.number
        items.append(
            RefundBatchItem(
                batch_id=batch_id,
                number=row.number,
                given=row.transaction,
                transaction=transaction,
                currency=transaction.currency if transaction else "",
                amount_minor=amount.minor if amount else None,  # type: ignore[misc]  # refused rows have none
                reason=row.reason or reason,
                state=RefundItemState.REFUSED if why else RefundItemState.WAITING,
                why=why,
            )
        )
    return items


def _would_refund(row: Wanted, transaction: Transaction | None) -> tuple[Money | None, str]:
    """The amount, and why it is refused; "" if it is not."""
    if transaction is None:
        return None, "The merchant has no such transaction in this mode."
    left = Money(transaction.refundable_minor, transaction.currency)
    try:
        amount = Money.parse(row.amount, transaction.currency) if row.amount else left
    except InvalidAmount:
        return None, f"“{row.amount[:40]}” is not an amount in {transaction.currency}."
    if transaction.status not in REFUNDABLE:
        return amount, f"A transaction that is {transaction.status} cannot be refunded."
    if not any(Kind.REFUND in PROVIDERS[provider].supports for provider in _providers(transaction)) and (
        not transaction.is_transfer
    ):
        return amount, "This payment method has no refunds."
    if amount.minor <= 0 or amount.minor > left.minor:
        return amount, f"Only {left} {left.currency} is left to refund."
    return amount, ""


def _providers(transaction: Transaction) -> list[str]:
    return [payment.provider_account.provider for payment in transaction.payments.all() if payment.state == "CAPTURED"]


def _content_hash(items: Iterable[RefundBatchItem]) -> bytes:
    """SHA-256 of what is wanted, in the order of transactions, so that the same list in another order is the same."""
    lines = sorted(
        "\x1f".join((item.transaction_id or item.given, item.currency, str(item.amount_minor), item.reason, item.why))
        for item in items
    )
    return hashlib.sha256("\x1e".join(lines).encode()).digest()


def _lock(proposal: Proposal) -> None:
    lock_batch(proposal.subject_id)


def _execute(proposal: Proposal, actor: Actor, now: datetime) -> None:
    batch = lock_batch(proposal.subject_id)
    move_batch(batch, RefundBatchState.APPROVED, actor, now, proposal.reason, proposal=proposal)
    nudge("payments.run_refund_batch", batch_id=batch.pk)


def register_acts() -> None:
    """From the app's `ready`."""
    register(
        Act(
            kind=ACT,
            title="Refund a batch",
            may_propose="payments.propose_refundbatch",
            may_approve="payments.approve_refundbatch",
            lock=_lock,
            execute=_execute,
        )
    )
