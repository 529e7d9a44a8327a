"""Orders: what a payer is asked to pay on the provider's page, decided once.

The decision, its entry in the books and the messages to the merchant are one transaction. The test amount says how the messages
go: none, three, a contradicting one after the true one, or one before the payer's own answer.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

import orjson

from common.money import Money
from sandbox import callbacks, settings
from sandbox.books import ReferenceTaken, entry_find, entry_record
from sandbox.clock import utc_now
from sandbox.peer import Callback, Peer
from sandbox.records import Entry, Kind, Order, Verdict
from sandbox.store import store
from sandbox.triggers import Trigger, one_more, trigger_of

DECISIONS = ("approve", "decline", "cancel")  # what a payer can press; closing the window is none of them


def verdict_of(amount: Money, decision: str) -> Verdict:
    """What a bank makes of the payer's decision. The amounts 1.00, 2.00 and 3.00 decide themselves, unless the payer leaves."""
    if decision == "cancel":
        return Verdict.CANCELLED
    follows_payer = Verdict.APPROVED if decision == "approve" else Verdict.DECLINED
    return {
        Trigger.SUCCEEDS: Verdict.APPROVED,
        Trigger.DECLINED: Verdict.DECLINED,
        Trigger.INSUFFICIENT_FUNDS: Verdict.INSUFFICIENT_FUNDS,
    }.get(trigger_of(amount), follows_payer)


def order_place(peer: Peer, *, account: str, reference: str, amount: Money, request: dict[str, str]) -> Order:
    """The order with this reference: a new one, or the one that is there with what it was first asked for."""
    key = (peer.code, account, reference)
    with store().write() as db:
        if row := db.execute(
            "SELECT * FROM orders WHERE provider = ? AND account = ? AND reference = ?", key
        ).fetchone():
            return Order.of(row)
        if db.execute("SELECT 1 FROM entries WHERE provider = ? AND account = ? AND reference = ?", key).fetchone():
            raise ReferenceTaken(reference)
        return Order.of(
            db.execute(
                "INSERT INTO orders (provider, account, reference, token, amount_minor, currency, request, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    *key,
                    *(secrets.token_urlsafe(18), amount.minor, amount.currency, orjson.dumps(request).decode()),
                    utc_now().isoformat(),
                ),
            ).fetchone()
        )


def order_find(peer: Peer, *, account: str, reference: str) -> Order | None:
    row = (
        store()
        .read()
        .execute(
            "SELECT * FROM orders WHERE provider = ? AND account = ? AND reference = ?", (peer.code, account, reference)
        )
        .fetchone()
    )
    return Order.of(row) if row else None


def order_by_token(peer: Peer, *, token: str) -> Order | None:
    row = store().read().execute("SELECT * FROM orders WHERE token = ? AND provider = ?", (token, peer.code)).fetchone()
    return Order.of(row) if row else None


def outcome(peer: Peer, order: Order, *, kind: Kind) -> Entry | None:
    """How the order ended, None while it has not. An order that its payer left open too long ends here, as expired."""
    if order.state == "open" and utc_now() - order.created_at > timedelta(seconds=settings.SESSION_SECONDS):
        return order_decide(peer, order, Verdict.EXPIRED, kind=kind)
    return entry_find(provider=order.provider, account=order.account, reference=order.reference)


def order_suspend(order: Order) -> None:
    """The bank never answers: the order stays pending for good."""
    with store().write() as db:
        db.execute("UPDATE orders SET state = 'pending' WHERE id = ? AND state = 'open'", (order.id,))


def order_decide(
    peer: Peer, order: Order, verdict: Verdict, *, kind: Kind, instrument: str = "", order_info: str = ""
) -> Entry | None:
    """Close the order and tell the merchant. Where it is decided already, the first decision stands and is returned."""
    trigger = trigger_of(order.amount)
    approved = verdict is Verdict.APPROVED
    with store().write() as db:
        closed = db.execute("UPDATE orders SET state = 'closed' WHERE id = ? AND state = 'open'", (order.id,)).rowcount
        if not closed:
            return entry_find(provider=order.provider, account=order.account, reference=order.reference)
        entry = entry_record(
            db,
            peer,
            account=order.account,
            reference=order.reference,
            kind=kind,
            amount=one_more(order.amount) if approved and trigger is Trigger.OTHER_AMOUNT else order.amount,
            verdict=verdict,
            instrument=instrument,
            order_info=order_info,
            request=order.request,
        )
        queued = callbacks.queue(
            db, order_id=order.id, messages=_messages(peer, order, entry, trigger), held=trigger is Trigger.EARLY
        )
    if trigger is Trigger.EARLY:
        for row_id in queued:
            callbacks.deliver(row_id)
    else:
        callbacks.wake()
    return entry


def _messages(peer: Peer, order: Order, entry: Entry, trigger: Trigger) -> list[Callback]:
    if trigger is Trigger.SILENT:
        return []
    message = peer.callback(order, entry)
    if trigger is Trigger.THRICE:
        return [message] * 3
    if trigger is Trigger.CONTRADICTED and entry.approved:
        return [message, peer.callback(order, replace(entry, verdict=Verdict.DECLINED))]
    return [message]
