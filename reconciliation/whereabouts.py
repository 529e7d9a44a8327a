"""Where is my money: a payment's way from the payer to the merchant, link by link, each proven by a row or expected by a day. Reads only.

Two things go on at once: the provider pays us (statement, remittance, our bank), and we pay the merchant (settlement, payout). A link that is not
proven has the day on which it should be; `late` counts the days since. The stage of a payment is its first link that is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from reconciliation.models import SettlementTerms, Source
from reconciliation.models.calendar import holidays_of
from reconciliation.settlement.calendar import Cycle, closing_days, cut_off_at, pay_on
from reconciliation.sources import remit_on


class Step(StrEnum):
    """The links in their order."""

    CAPTURED = "CAPTURED"
    ON_STATEMENT = "ON_STATEMENT"  # the provider lists it
    AT_BANK = "AT_BANK"  # the provider's remittance is on our bank's statement
    SETTLED = "SETTLED"
    PAID_OUT = "PAID_OUT"


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `done_on` if it is proven; `expected_by` otherwise. `what` and `id` name the row that proves it.

    `break_id`: of the open break that says why it is missing.
    """

    step: Step
    done_on: date | None
    expected_by: date | None = None
    late_days: int = 0
    what: str = ""
    id: str = ""
    text: str = ""
    break_id: int | None = None


@dataclass(frozen=True)
class Way:
    """A payment's links, in order."""

    transaction_id: str
    links: tuple[Link, ...]

    @cached_property
    def stage(self) -> Step | None:
        """The first link that is missing; None when the merchant has the money and we have it too."""
        return next((link.step for link in self.links if link.done_on is None), None)

    @property
    def late_days(self) -> int:
        return max(link.late_days for link in self.links)


# The least that is proven of a transaction: of several captures, the one that has come least far. Each lookup is by an index.
_WAYS = """
    SELECT DISTINCT ON (t.id) t.id, t.merchant_id, t.live, t.currency, mer.time_zone, pa.provider,
           coalesce(p.paid_at, o.ended_at) AS paid_at,
           s.day, l.id, l.provider_reference,
           r.due_on, r.id, bl.booked_on, bl.id, bl.reference,
           st.day, st.id, st.pay_on, st.state,
           po.paid_at, po.id, po.end_to_end_id, po.state,
           (SELECT b.id FROM reconciliation_break b WHERE b.payout_id = po.id AND b.resolved_at IS NULL LIMIT 1)
    FROM transaction t
    JOIN merchant mer ON mer.id = t.merchant_id
    JOIN payment p ON p.transaction_id = t.id
    JOIN provider_account pa ON pa.id = p.provider_account_id
    JOIN operation o ON o.payment_id = p.id AND o.kind IN ('SALE', 'CAPTURE') AND o.state = 'SUCCEEDED'
    LEFT JOIN reconciliation_match m ON m.operation_id = o.id
    LEFT JOIN LATERAL (
        SELECT x.line_id FROM reconciliation_match x
        WHERE m.line_id IS NULL AND x.group_id = m.group_id AND x.line_id IS NOT NULL ORDER BY x.line_id LIMIT 1
    ) g ON true
    LEFT JOIN statement_line l ON l.id = coalesce(m.line_id, g.line_id)
    LEFT JOIN statement s ON s.id = l.statement_id
    LEFT JOIN remittance r ON (r.statement_id, r.account_key, r.currency) = (l.statement_id, l.account_key, l.currency)
    LEFT JOIN reconciliation_bank_match rm ON rm.remittance_id = r.id
    LEFT JOIN LATERAL (
        SELECT b.id, b.booked_on, b.reference FROM reconciliation_bank_match x JOIN bank_line b ON b.id = x.bank_line_id
        WHERE x.group_id = rm.group_id ORDER BY b.booked_on DESC, b.id LIMIT 1
    ) bl ON true
    LEFT JOIN LATERAL (
        SELECT sl.settlement_id FROM journal_entry e LEFT JOIN settlement_line sl ON sl.entry_id = e.id
        WHERE e.transaction_id = t.id AND e.fact_name LIKE 'payment.%%' ORDER BY sl.settlement_id IS NULL DESC, e.booked_at DESC LIMIT 1
    ) sl ON true
    LEFT JOIN settlement st ON st.id = sl.settlement_id
    LEFT JOIN payout po ON po.settlement_id = st.id AND po.state <> 'CANCELLED'
    WHERE t.id = ANY(%s)
    ORDER BY t.id, l.id IS NULL DESC, bl.id IS NULL DESC, o.ended_at DESC"""


def ways_of(transaction_ids: Collection[str], *, today: date) -> Mapping[str, Way]:
    """The way of each of these that was captured through a provider. Three queries, however many are asked for."""
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, [list(transaction_ids)])
        rows = cursor.fetchall()
    if not rows:
        return {}
    sources = {source.code: source for source in Source.objects.select_related("calendar")}
    terms = _terms({row[1] for row in rows})
    return {row[0]: _way(row, sources.get(row[5]), terms.get((row[1], row[2], row[3])), today) for row in rows}


def _terms(merchants: Collection[str]) -> dict[tuple[str, bool, str], SettlementTerms]:
    """The terms that hold now, by merchant, mode and currency."""
    rows = SettlementTerms.objects.filter(merchant__in=merchants).select_related("calendar").order_by("version")
    return {(each.merchant_id, each.live, each.currency): each for each in rows}


def _way(row: tuple[Any, ...], source: Source | None, terms: SettlementTerms | None, today: date) -> Way:
    (transaction_id, _merchant, _live, _currency, zone, _provider, paid_at) = row[:7]
    (listed_on, line_id, line, due_on, _remittance, booked_on, bank_line_id, bank_line) = row[7:15]
    (settled_on, settlement_id, pays_on, _settlement, paid_out_at, payout_id, reference, payout_state, break_id) = row[
        15:
    ]
    captured_on = paid_at.astimezone(ZoneInfo(source.zone if source else zone)).date()
    in_zone = ZoneInfo(zone)
    statement_due = captured_on + timedelta(days=source.due_days if source else 1)
    bank_due = due_on or (remit_on(source, captured_on) if source else captured_on + timedelta(days=1))
    terms = terms or SettlementTerms()
    closes = _closes(paid_at, in_zone, terms)
    pays = pays_on or pay_on(closes, terms.pay_after_days, holidays_of(terms.calendar))
    paid_out = paid_out_at.astimezone(in_zone).date() if paid_out_at and payout_state == "PAID" else None

    def link(step: Step, done: date | None, due: date, what: str, key: Any, text: Any) -> Link:
        if done is not None:
            return Link(step, done, None, 0, what, str(key or ""), str(text or ""))
        return Link(step, None, due, max((today - due).days, 0), what if key else "", str(key or ""), str(text or ""))

    return Way(
        transaction_id,
        (
            link(Step.CAPTURED, captured_on, captured_on, "", "", ""),
            link(Step.ON_STATEMENT, listed_on, statement_due, "statementline", line_id, line),
            link(Step.AT_BANK, booked_on, bank_due, "bankline", bank_line_id, bank_line),
            link(Step.SETTLED, settled_on, closes + timedelta(days=1), "settlement", settlement_id, settlement_id),
            replace(link(Step.PAID_OUT, paid_out, pays, "payout", payout_id, reference), break_id=break_id),
        ),
    )


def _closes(paid_at: datetime, zone: ZoneInfo, terms: SettlementTerms) -> date:
    """The closing day of the period that the payment belongs to."""
    first = paid_at.astimezone(zone).date()
    cycle = Cycle(terms.cycle)
    days = closing_days(
        after=first - timedelta(days=1), until=first + timedelta(days=62), cycle=cycle, weekday=terms.weekday
    )
    return next(day for day in days if cut_off_at(day, terms.cut_off, zone) > paid_at)


@dataclass(frozen=True, slots=True)
class StageTotal:
    """What stands in one stage, and what the ledger says of it, in one mode and currency."""

    live: bool
    currency: str
    stage: str
    minor: int
    ledger_minor: int

    @property
    def agrees(self) -> bool:
        return self.minor == self.ledger_minor


# What merchants are owed, by where it stands; and the ledger's accounts that must say the same.
_TOTALS = """
    WITH unsettled AS (
        SELECT a.live, a.currency, -sum(p.amount_minor) AS minor
        FROM ledger_account a JOIN posting p ON p.account_id = a.code JOIN journal_entry e ON e.id = p.entry_id
        WHERE a.kind = 'merchant_payable' AND e.fact_name <> 'settlement.created'
            AND NOT EXISTS (SELECT FROM settlement_line l WHERE l.entry_id = e.id) GROUP BY 1, 2
    ), carried AS (
        SELECT s.live, s.currency, sum(s.net_minor) AS minor FROM settlement s
        WHERE s.state = 'CARRIED' AND NOT EXISTS (SELECT FROM settlement n WHERE n.carried_from_id = s.id) GROUP BY 1, 2
    ), reserve AS (
        SELECT s.live, s.currency, sum(s.reserve_held_minor) AS minor FROM settlement s
        WHERE NOT EXISTS (SELECT FROM settlement_reserve_release r WHERE r.held_by_id = s.id) GROUP BY 1, 2
    ), waiting AS (
        SELECT s.live, s.currency, sum(s.net_minor) FILTER (WHERE s.state = 'CREATED') AS created,
               sum(s.net_minor) FILTER (WHERE s.state = 'PAYOUT_PENDING') AS leaving,
               sum(s.net_minor) FILTER (WHERE s.state = 'PAID') AS paid
        FROM settlement s GROUP BY 1, 2
    ), left_ledger AS (
        SELECT a.live, a.currency, coalesce(sum(p.amount_minor) FILTER (WHERE a.kind = 'payout_in_transit'), 0) AS transit,
               coalesce(sum(p.amount_minor) FILTER (WHERE a.kind = 'merchant_payable'), 0) AS payable,
               coalesce(sum(p.amount_minor) FILTER (WHERE a.kind = 'merchant_reserve'), 0) AS reserve,
               coalesce(sum(p.amount_minor) FILTER (WHERE a.kind = 'payout_in_transit' AND e.fact_name = 'payout.paid'), 0)
               - coalesce((SELECT sum(-x.amount_minor) FROM posting x JOIN journal_entry y ON y.id = x.entry_id
                           JOIN ledger_account z ON z.code = x.account_id
                           WHERE y.fact_name IN ('payout.returned', 'payout.left_again') AND z.kind = 'merchant_payable'
                               AND (z.live, z.currency) = (a.live, a.currency)
                               AND NOT EXISTS (SELECT FROM posting w JOIN ledger_account v ON v.code = w.account_id
                                               WHERE w.entry_id = y.id AND v.kind = 'payout_in_transit')), 0) AS paid
        FROM ledger_account a JOIN posting p ON p.account_id = a.code JOIN journal_entry e ON e.id = p.entry_id
        WHERE a.kind IN ('payout_in_transit', 'merchant_payable', 'merchant_reserve') GROUP BY 1, 2
    )
    SELECT live, currency, coalesce(u.minor, 0), coalesce(c.minor, 0), coalesce(r.minor, 0), coalesce(w.created, 0),
           coalesce(w.leaving, 0), coalesce(w.paid, 0), -g.payable, -g.reserve, -g.transit, g.paid
    FROM left_ledger g LEFT JOIN unsettled u USING (live, currency) LEFT JOIN carried c USING (live, currency)
    LEFT JOIN reserve r USING (live, currency) LEFT JOIN waiting w USING (live, currency)
    ORDER BY live DESC, currency"""


def stage_totals() -> list[StageTotal]:
    """What merchants are owed and were paid, by stage. Stages that share an account of the ledger are one line of two."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS)
        rows = cursor.fetchall()
    found = []
    for live, currency, unsettled, carried, reserve, created, leaving, paid, *ledger in rows:
        payable, held, transit, left = ledger
        for stage, minor, booked in (
            ("Not settled yet", unsettled, payable - carried),
            ("Carried over", carried, payable - unsettled),
            ("Held back", reserve, held),
            ("Settled, to be paid out", created, transit - leaving),
            ("Payout on its way", leaving, transit - created),
            ("Paid out", paid, left),
        ):
            found.append(StageTotal(live, currency, stage, int(minor), int(booked)))
    return found
