"""Settling: what we owe a merchant up to a cut-off becomes one settlement, with its lines, postings, fact and audit record at once.

Each settlement is a database transaction of its own under a lock per merchant, so a run that dies has settled some merchants and leaves the rest to
the next; the same day again makes nothing new. An entry that commits late is not claimed yet, so the next settlement has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import connection
from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.ids import new_id
from common.queue import nudge_coalesced
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from payments.models import LedgerAccount
from payments.models.ledger import AccountKind
from reconciliation.models import ReserveRelease, Settlement, SettlementState, SettlementTerms
from reconciliation.models.calendar import holidays_of
from reconciliation.services.locks import hold, patient
from reconciliation.services.payloads import settlement_payload
from reconciliation.settlement import claims
from reconciliation.settlement.calendar import Cycle, closing_days, cut_off_at, last_closing_day, pay_on

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Book:
    """What we owe one merchant in one mode and currency: the unit of settling."""

    merchant_id: str
    merchant_code: str
    zone: ZoneInfo
    live: bool
    currency: str

    def __str__(self) -> str:
        return f"{self.merchant_code} {'live' if self.live else 'test'} {self.currency}"

    def ref(self, kind: AccountKind) -> AccountRef:
        return AccountRef(kind, self.currency, self.live, merchant_id=self.merchant_id)

    @property
    def key(self) -> dict[str, Any]:
        return {"merchant_id": self.merchant_id, "live": self.live, "currency": self.currency}


def books(merchant_code: str | None = None) -> list[Book]:
    """Every merchant, mode and currency in which something was ever owed; of one merchant if given."""
    accounts = LedgerAccount.objects.filter(kind=AccountKind.MERCHANT_PAYABLE).select_related("merchant")
    if merchant_code is not None:
        accounts = accounts.filter(merchant__code=merchant_code)
    return [
        Book(a.merchant.pk, a.merchant.code, ZoneInfo(a.merchant.time_zone), a.live, a.currency)
        for a in accounts.order_by("merchant__code", "live", "currency")
        if a.merchant is not None
    ]


def terms_of(book: Book) -> SettlementTerms:
    """The terms that hold now; the defaults, without a key, where nothing was agreed."""
    found = SettlementTerms.objects.filter(**book.key).order_by("-version").first()
    return found or SettlementTerms(id="", **book.key)


def settle_book(book: Book, *, day: date, actor: Actor, now: datetime) -> list[Settlement]:
    """Settle every period of `book` that has closed up to `day` and is not settled yet. Returns what was made, oldest first.

    A `day` that has not ended is settled as far as it has got; asked again later, what came since is a settlement of its own.
    """
    terms = terms_of(book)
    seen = _look()
    last = _last(book)
    cycle = Cycle(terms.cycle)
    if last is None:
        days = [last_closing_day(day, cycle, terms.weekday)]
    else:
        whole = last.period_to >= cut_off_at(last.day, terms.cut_off, book.zone)
        after = last.day if whole else last.day - timedelta(days=1)
        days = closing_days(after=after, until=day, cycle=cycle, weekday=terms.weekday)
    made = []
    for closing in _worth_it(book, terms, last, days):
        settlement = _settle(book, closing, seen, actor, now)
        if settlement is not None:
            made.append(settlement)
    return made


def settlement_move(
    rows: Rows, settlement: Settlement, to: SettlementState, *, fact: str, actor: Actor, now: datetime, reason: str = ""
) -> str:
    """Add a change of state, with its fact and audit record, to `rows`; `settlement` is locked. Returns the fact's id.

    The database refuses a move that SETTLEMENT_MOVES has not.
    """
    before, settlement.state = settlement.state, to
    settlement.version += 1
    settlement.updated_at = now
    rows.update(
        Settlement,
        settlement.pk,
        {"version": settlement.version - 1},
        state=to,
        version=settlement.version,
        updated_at=now,
    )
    return _record(rows, settlement, fact, {"state": [before, to]}, actor, now, reason)


def _last(book: Book) -> Settlement | None:
    return Settlement.objects.filter(**book.key).order_by("-period_to").first()


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last posting's number at a moment, and who was writing postings then: what is not visible when they are done has a higher one."""

    posting: int
    writing: frozenset[str]


def _look() -> _Seen:
    with connection.cursor() as cursor:
        cursor.execute(claims.LAST_POSTING)
        posting: int = cursor.fetchone()[0]
        return _Seen(posting, _writing(cursor))


def _writing(cursor: Any) -> frozenset[str]:
    cursor.execute(claims.WRITING)
    return frozenset(found for (found,) in cursor.fetchall())


def _worth_it(book: Book, terms: SettlementTerms, last: Settlement | None, days: Sequence[date]) -> list[date]:
    """The days by whose cut-off there is anything to settle: a long quiet time costs one query, an ordinary night none."""
    if len(days) < 2:
        return list(days)
    with database.atomic(), connection.cursor() as cursor:
        patient()
        cursor.execute(claims.EARLIEST_OPEN, _parameters(book, terms, last))
        earliest: datetime | None = cursor.fetchone()[0]
    release = _reserves(book).order_by("reserve_release_on").values_list("reserve_release_on", flat=True).first()
    return [
        day
        for day in days
        if (day == days[-1] and _leaves_now(last, terms))
        or (earliest is not None and cut_off_at(day, terms.cut_off, book.zone) > earliest)
        or (release is not None and day >= release)
    ]


def _leaves_now(last: Settlement | None, terms: SettlementTerms) -> bool:
    """Whether what the last settlement carried over is enough to be paid out by itself, as terms stand now."""
    return last is not None and last.state == SettlementState.CARRIED and _pays(last.net_minor, terms)


def _pays(net_minor: int, terms: SettlementTerms) -> bool:
    return net_minor > 0 and net_minor >= terms.minimum_payout_minor


def _parameters(book: Book, terms: SettlementTerms, last: Settlement | None) -> dict[str, Any]:
    return {
        "floor": last.claimed_up_to if last else 0,
        "payable": book.ref(AccountKind.MERCHANT_PAYABLE).code,
        "own": claims.OWN_FACT,
        "proven": terms.only_proven,
    }


def _reserves(book: Book) -> Any:
    """What was held back and is not released yet."""
    return Settlement.objects.filter(**book.key, reserve_held_minor__gt=0, reserve_release=None)


def _settle(book: Book, day: date, seen: _Seen, actor: Actor, now: datetime) -> Settlement | None:
    """Make the settlement of one closing day. None if there is one, or nothing to settle."""
    with database.atomic(durable=True):
        patient()
        hold(f"settle:{book.merchant_id}:{book.live}")
        terms, last = terms_of(book), _last(book)
        until = min(cut_off_at(day, terms.cut_off, book.zone), now)
        if last is not None and (last.day > day or last.period_to >= until):
            return None
        settlement = Settlement(id=new_id("stl"), **book.key, terms_id=terms.pk or None, day=day, period_to=until)
        first = _claim(settlement, _parameters(book, terms, last), seen)
        releases = list(_reserves(book).filter(reserve_release_on__lte=day).order_by("day"))
        if settlement.line_count == 0 and not releases and not _leaves_now(last, terms):
            return None
        settlement.reserve_released_minor = sum(held.reserve_held_minor for held in releases)
        settlement.period_from = last.period_to if last else (first or until - timedelta(days=1))
        _conclude(settlement, terms, last)
        _write(settlement, book, releases, actor, now)
        crashpoint("settle.before_commit")
        nudge_coalesced("notifications.relay_outbox")
    log.info("settlement.created", settlement=settlement.pk, merchant=book.merchant_code, lines=settlement.line_count)
    return settlement


def _claim(settlement: Settlement, parameters: dict[str, Any], seen: _Seen) -> datetime | None:
    """Claim the lines and set what they add up to, and up to where all is claimed now. Returns when the first was booked."""
    floor: int = parameters["floor"]
    with connection.cursor() as cursor:
        still_writing = seen.writing & _writing(cursor)
        cursor.execute(claims.CLAIM, parameters | {"settlement": settlement.pk, "until": settlement.period_to})
        left, *row = cursor.fetchone()
    complete = floor if still_writing else max(seen.posting, floor)
    settlement.claimed_up_to = complete if left is None else min(complete, left - 1)
    settlement.line_count, first = row[:2]
    (
        settlement.gross_minor,
        settlement.refund_minor,
        settlement.dispute_minor,
        settlement.fee_minor,
        settlement.adjustment_minor,
        settlement.fee_percentage_minor,
        settlement.fee_fixed_minor,
        settlement.fee_limit_minor,
    ) = row[2:]
    settlement.fee_other_minor = settlement.fee_minor - sum(row[-3:])
    earliest: datetime | None = first
    return earliest


def _conclude(settlement: Settlement, terms: SettlementTerms, last: Settlement | None) -> None:
    """Carry over what the last settlement did not pay, hold the reserve back, and see what is left."""
    settlement.carried_over_minor = 0
    if last is not None and last.state == SettlementState.CARRIED and last.net_minor:
        settlement.carried_from, settlement.carried_over_minor = last, last.net_minor
    kept = settlement.gross_minor - settlement.refund_minor - settlement.dispute_minor
    before = (
        kept
        - settlement.fee_minor
        + settlement.adjustment_minor
        + settlement.carried_over_minor
        + settlement.reserve_released_minor
    )
    # Never so much that the reserve itself makes the settlement negative.
    share = (max(kept, 0) * terms.reserve_basis_points * 2 + 10_000) // 20_000
    settlement.reserve_held_minor = min(share, max(before, 0))
    settlement.reserve_release_on = (
        settlement.day + timedelta(days=terms.reserve_days) if settlement.reserve_held_minor else None
    )
    settlement.net_minor = before - settlement.reserve_held_minor
    pays = _pays(settlement.net_minor, terms)
    settlement.state = SettlementState.CREATED if pays else SettlementState.CARRIED
    settlement.pay_on = pay_on(settlement.day, terms.pay_after_days, holidays_of(terms.calendar))


def _write(settlement: Settlement, book: Book, releases: Sequence[Settlement], actor: Actor, now: datetime) -> None:
    settlement.created_at = settlement.updated_at = now
    rows = Rows()
    fact_id = _record(rows, settlement, claims.OWN_FACT, {"state": [None, settlement.state]}, actor, now, "")
    if legs := legs_of(settlement, book):
        settlement.entry_id = post(
            rows, fact_id=fact_id, fact_name=claims.OWN_FACT, transaction_id=None, legs=legs, now=now
        )
    rows.add(settlement)
    for held in releases:
        rows.insert(
            ReserveRelease, held_by_id=held.pk, released_by_id=settlement.pk, amount_minor=held.reserve_held_minor
        )
    rows.write()


def legs_of(settlement: Settlement, book: Book) -> list[Leg]:
    """What is paid out and held back leaves what we owe; what is released comes back to it."""
    paid = settlement.net_minor if settlement.state != SettlementState.CARRIED else 0
    reserve = settlement.reserve_held_minor - settlement.reserve_released_minor
    legs = (
        Leg(book.ref(AccountKind.MERCHANT_PAYABLE), paid + reserve),
        Leg(book.ref(AccountKind.MERCHANT_RESERVE), -reserve),
        Leg(book.ref(AccountKind.PAYOUT_IN_TRANSIT), -paid),
    )
    return [leg for leg in legs if leg.minor]


def _record(
    rows: Rows,
    settlement: Settlement,
    fact: str,
    changes: dict[str, list[Any]],
    actor: Actor,
    now: datetime,
    reason: str,
) -> str:
    return record_change(
        rows,
        subject=Subject("settlement", settlement.pk, settlement.version, settlement.merchant_id, settlement.live),
        fact=fact,
        payload=settlement_payload(settlement),
        changes=changes,
        actor=actor,
        now=now,
        reason=reason,
    )
