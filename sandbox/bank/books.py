"""The bank's books: what providers remit, what is paid out, what comes back.

A provider's day is remitted on the next one, as one lump sum for each account and currency: the net of that day's statement. Whoever asks for a
statement makes the bank book what is due by then; what a provider still adds to a day that was remitted follows as a second sum, so an
entry never changes. Foreign money is exchanged at the bank's one rate.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import orjson

from common.money import Money, exponent
from sandbox.bank.records import CURRENCY, LIVE_ACCOUNT, TEST_ACCOUNT, BankDay, BankEntry
from sandbox.clock import local, utc_now
from sandbox.store import store
from sandbox.triggers import Trigger, trigger_of

_RATES = {  # ringgit for a unit, as a fraction
    "USD": (42, 10),
    "SGD": (32, 10),
    "EUR": (47, 10),
    "GBP": (55, 10),
    "AUD": (28, 10),
    "VND": (1, 6000),
    "KHR": (1, 900),
}


@dataclass(frozen=True, slots=True)
class Order:
    """One payment out of an account, from a payment message."""

    end_to_end_id: str
    amount: Money
    creditor: str
    narrative: str


def bank_day(*, account: str, day: str) -> BankDay:
    """The account's statement of `day` (YYYY-MM-DD, the bank's), after booking what is due by then."""
    with store().write() as db:
        _remit(db, before=day)
        opening = db.execute(
            "SELECT COALESCE(SUM(amount_minor), 0) FROM bank_entries WHERE account = ? AND day < ?", (account, day)
        ).fetchone()[0]
        rows = db.execute("SELECT * FROM bank_entries WHERE account = ? AND day = ? ORDER BY id", (account, day))
        return BankDay(account, day, opening, [BankEntry.of(row) for row in rows])


def pay_out(*, account: str, message_id: str, orders: Sequence[Order]) -> int:
    """Book the orders of a payment message today; an order that is booked already is not booked again. Returns how many were new.

    A test amount of 2.00 is declined by the payee's bank: the money goes out and comes back.
    """
    today, new = local(utc_now()).date().isoformat(), 0
    with store().write() as db:
        for order in orders:
            origin = f"{account}|{message_id}|{order.end_to_end_id}"
            if db.execute("SELECT 1 FROM bank_entries WHERE origin = ?", (origin,)).fetchone():
                continue
            new += 1
            _book(
                db,
                account,
                today,
                "payment",
                order.end_to_end_id,
                -order.amount.minor,
                order.creditor,
                order.narrative,
                origin,
            )
            if trigger_of(order.amount) is Trigger.DECLINED:
                text = f"RETURN AC04 CLOSED ACCOUNT {order.narrative}"
                _book(
                    db, account, today, "return", order.end_to_end_id, order.amount.minor, order.creditor, text, origin
                )
    return new


def _remit(db: sqlite3.Connection, *, before: str) -> None:
    """Book the nets of all providers' days before `before` as far as they are not booked."""
    nets = db.execute(
        "SELECT provider, account, day, currency, SUM(CASE kind WHEN 'refund' THEN -amount_minor ELSE amount_minor - fee_minor END)"
        " FROM entries WHERE day < ? AND verdict = 'approved' AND kind IN ('charge', 'capture', 'refund')"
        " GROUP BY provider, account, day, currency ORDER BY day, provider, account, currency",
        (before,),
    ).fetchall()
    booked = dict(
        db.execute(
            "SELECT origin, SUM(COALESCE(instructed_minor, amount_minor)) FROM bank_entries WHERE kind = 'remittance' GROUP BY origin"
        ).fetchall()
    )
    live = {
        (row["provider"], row["id"])
        for row in db.execute("SELECT provider, id, details FROM accounts")
        if orjson.loads(row["details"]).get("live") == "true"
    }
    for provider, key, day, currency, net in nets:
        origin = f"{provider}|{key}|{day}|{currency}"
        rest = Money(net - booked.get(origin, 0), currency)
        exchanged = rest if currency == CURRENCY else _exchange(rest)
        if exchanged.minor == 0:
            continue
        _book(
            db,
            LIVE_ACCOUNT if (provider, key) in live else TEST_ACCOUNT,
            (date.fromisoformat(day) + timedelta(days=1)).isoformat(),
            "remittance",
            f"{provider.upper()}-{key}-{day.replace('-', '')}",
            exchanged.minor,
            provider.upper(),
            f"REMITTANCE {provider.upper()} {key} {day}" + ("" if currency == CURRENCY else f" {currency} {rest}"),
            origin,
            instructed=None if currency == CURRENCY else rest,
        )


def _exchange(amount: Money) -> Money:
    """In the bank's currency, cut to whole sen."""
    times, by = _RATES[amount.currency]
    minor = abs(amount.minor) * times * 10 ** (2 - exponent(amount.currency)) // by
    return Money(minor if amount.minor > 0 else -minor, CURRENCY)


def _book(
    db: sqlite3.Connection,
    account: str,
    day: str,
    kind: str,
    end_to_end_id: str,
    amount_minor: int,
    counterparty: str,
    narrative: str,
    origin: str,
    *,
    instructed: Money | None = None,
) -> None:
    db.execute(
        "INSERT INTO bank_entries (account, day, kind, end_to_end_id, amount_minor, instructed_minor, instructed_currency,"
        " counterparty, narrative, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(account, day, kind, end_to_end_id, amount_minor),
            *((instructed.minor, instructed.currency) if instructed else (None, "")),
            *(counterparty, narrative, origin),
        ),
    )
