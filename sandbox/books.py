"""The rules of the books: one entry for one reference, and never more refunded than taken or more taken than held.

Everything is decided inside one write transaction (`store().write()`), so sixteen identical requests at once are one decision and
fifteen reads of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from common.money import Money
from sandbox.clock import local, utc_now
from sandbox.peer import Peer
from sandbox.records import Entry, Kind, Verdict
from sandbox.store import store
from sandbox.triggers import Trigger, one_more, trigger_of


class ReferenceTaken(Exception):
    """The reference already names something of another kind: an order cannot become a refund."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of one charge or authorisation."""

    authorised: Money
    captured: Money
    refunded: Money
    voided: bool


def entry_find(*, provider: str, account: str, reference: str) -> Entry | None:
    return _entry(store().read(), provider, account, reference)


def entry_record(
    db: sqlite3.Connection,
    peer: Peer,
    *,
    account: str,
    reference: str,
    kind: Kind,
    amount: Money,
    verdict: Verdict,
    reason: str = "",
    instrument: str = "",
    order_info: str = "",
    request: Mapping[str, str],
    root_id: int | None = None,
) -> Entry:
    """Write one entry. `db` is the open write transaction in which the caller made sure that the reference is free."""
    at = utc_now()
    entry_id: int = db.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM entries").fetchone()[0]
    has_fee = verdict is Verdict.APPROVED and kind in (Kind.CHARGE, Kind.CAPTURE)
    row = db.execute(
        "INSERT INTO entries (id, provider, account, reference, number, kind, root_id, amount_minor, fee_minor, currency, verdict,"
        " reason, instrument, order_info, at, day) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            *(
                entry_id,
                peer.code,
                account,
                reference,
                peer.number(entry_id=entry_id, at=at),
                kind,
                root_id,
                amount.minor,
            ),
            *(
                peer.fee_minor(amount, request) if has_fee else 0,
                amount.currency,
                verdict,
                reason,
                instrument,
                order_info,
            ),
            *(at.isoformat(), local(at).date().isoformat()),
        ),
    ).fetchone()
    return Entry.of(row)


def operate(
    peer: Peer,
    *,
    account: str,
    reference: str,
    kind: Kind,
    amount: Money,
    original_number: str = "",
    original_reference: str = "",
) -> Entry:
    """Capture, refund or void what `original_number` or `original_reference` names (both, if both are given).

    A reference that is in the books already gets its first answer, whatever else the repetition says. A refusal is an entry
    too, so that the same reference cannot succeed later. A void always lifts all that is still held. Raises ReferenceTaken.
    """
    with store().write() as db:
        known = _entry(db, peer.code, account, reference)
        if known is not None:
            if known.kind is not kind:
                raise ReferenceTaken(reference)
            return known
        if db.execute(
            "SELECT 1 FROM orders WHERE provider = ? AND account = ? AND reference = ?", (peer.code, account, reference)
        ).fetchone():
            raise ReferenceTaken(reference)

        trigger = trigger_of(amount)
        if trigger is Trigger.OTHER_AMOUNT:
            amount = one_more(amount)
        root = _root(db, peer.code, account, original_number, original_reference)
        if root is None:
            verdict, reason = Verdict.ORIGINAL_UNKNOWN, "There is no such transaction"
        else:
            so_far = totals(root, db)
            if kind is Kind.VOID:
                left = so_far.authorised.minor - so_far.captured.minor
                amount = Money(left or root.amount.minor, root.amount.currency)
            reason = _refusal(root, so_far, kind, amount)
            if reason:
                verdict = Verdict.REFUSED
            else:
                verdict = {
                    Trigger.DECLINED: Verdict.DECLINED,
                    Trigger.INSUFFICIENT_FUNDS: Verdict.INSUFFICIENT_FUNDS,
                }.get(trigger, Verdict.APPROVED)
        return entry_record(
            db,
            peer,
            account=account,
            reference=reference,
            kind=kind,
            amount=amount,
            verdict=verdict,
            reason=reason,
            instrument=root.instrument if root else "",
            order_info=root.order_info if root else "",
            request={},
            root_id=root.id if root else None,
        )


def totals(root: Entry, db: sqlite3.Connection | None = None) -> Totals:
    """Sums over the approved entries that act on `root`; `db` where they have to be those of an open transaction."""
    rows = (db or store().read()).execute(
        "SELECT kind, SUM(amount_minor) FROM entries WHERE root_id = ? AND verdict = 'approved' GROUP BY kind",
        (root.id,),
    )
    sums: dict[str, int] = dict(rows)
    held = root.amount.minor if root.approved else 0
    currency = root.amount.currency
    return Totals(
        authorised=Money(held, currency),
        captured=Money(held if root.kind is Kind.CHARGE else sums.get(Kind.CAPTURE, 0), currency),
        refunded=Money(sums.get(Kind.REFUND, 0), currency),
        voided=Kind.VOID in sums,
    )


def root_of(entry: Entry) -> Entry:
    """The charge or authorisation that `entry` acts on; itself where it is one."""
    if entry.root_id is None:
        return entry
    return Entry.of(store().read().execute("SELECT * FROM entries WHERE id = ?", (entry.root_id,)).fetchone())


def turned_away(*, provider: str, account: str, reference: str, times: int = 2) -> bool:
    """Whether this try of `reference` is among its first `times` ones. Counts the try."""
    with store().write() as db:
        count: int = db.execute(
            "INSERT INTO turned_away VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
            (provider, account, reference),
        ).fetchone()[0]
    return count <= times


def entries(*, provider: str, day: str = "", reference: str = "", account: str = "") -> list[Entry]:
    """The books of one provider, oldest first. An empty filter does not filter; `day` is YYYY-MM-DD of the provider's clock."""
    rows = (
        store()
        .read()
        .execute(
            "SELECT * FROM entries WHERE provider = ?1 AND (?2 = '' OR day = ?2) AND (?3 = '' OR reference = ?3)"
            " AND (?4 = '' OR account = ?4) ORDER BY id",
            (provider, day, reference, account),
        )
    )
    return [Entry.of(row) for row in rows]


def parse_day(text: str) -> str:
    """`text` if it is a YYYY-MM-DD date, else ValueError."""
    day = date.fromisoformat(text).isoformat()
    if day != text:  # fromisoformat also reads 20260131 and 2026-W05-6
        raise ValueError(text)
    return day


def _entry(db: sqlite3.Connection, provider: str, account: str, reference: str) -> Entry | None:
    row = db.execute(
        "SELECT * FROM entries WHERE provider = ? AND account = ? AND reference = ?", (provider, account, reference)
    ).fetchone()
    return Entry.of(row) if row else None


def _root(db: sqlite3.Connection, provider: str, account: str, number: str, reference: str) -> Entry | None:
    if not number and not reference:
        return None
    row = db.execute(
        "SELECT COALESCE(root_id, id) FROM entries WHERE provider = ?1 AND account = ?2 AND (?3 = '' OR number = ?3)"
        " AND (?4 = '' OR reference = ?4) AND kind IN ('charge', 'authorisation', 'capture')",
        (provider, account, number, reference),
    ).fetchone()
    return Entry.of(db.execute("SELECT * FROM entries WHERE id = ?", (row[0],)).fetchone()) if row else None


def _refusal(root: Entry, so_far: Totals, kind: Kind, amount: Money) -> str:
    """Why `kind` of `amount` on `root` is against the rules; "" if it is not."""
    if not root.approved:
        return "The original transaction was not approved"
    if root.amount.currency != amount.currency:
        return "The currency is not that of the original transaction"
    if kind is Kind.REFUND:
        left = so_far.captured.minor - so_far.refunded.minor
        return "The amount is more than what is left to refund" if amount.minor > left else ""
    if root.kind is not Kind.AUTHORISATION:
        return "The original transaction is not an authorisation"
    if so_far.voided:
        return "The authorisation has been voided"
    if kind is Kind.VOID:
        return "" if so_far.captured.minor < so_far.authorised.minor else "The authorisation has been captured"
    left = so_far.authorised.minor - so_far.captured.minor
    return "The amount is more than what is left to capture" if amount.minor > left else ""
