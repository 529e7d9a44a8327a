"""What the bank's statement says about payouts: a debit with the end-to-end id proves that one left, a credit with it that it came back.

Lines are claimed like every line of the bank comparison, once. A line that names a payout and does not fit (another amount or currency, a return of
what never left) is claimed by nobody and stays a break. Of a payout that two people said came back, the bank's two lines take each other back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction as database

from common.changes import Actor
from common.crashpoints import crashpoint
from common.ids import new_id
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from reconciliation.models import (
    BankLine,
    BankMatch,
    Comparison,
    MatchGroup,
    MatchRule,
    Payout,
    PayoutState,
    ReconciliationRun,
)
from reconciliation.services.payout_moves import (
    bank_ref,
    lock_payouts,
    paid_legs,
    payout_move,
    record_payout,
    returned_legs,
)


@dataclass(frozen=True, slots=True)
class Proven:
    """How many payouts the lines of a run showed to be paid, and to have come back."""

    paid: int = 0
    returned: int = 0


def payouts_prove(*, run: ReconciliationRun, actor: Actor, now: datetime) -> Proven:
    """Match the unclaimed lines of the run's bank and mode with the payouts that they name, whatever their day. Debits before credits."""
    paid = returned = 0
    lines = BankLine.objects.filter(
        provider=run.provider, statement__live=run.live, bank_match=None, end_to_end_id__startswith="PYT"
    )
    for line in lines.order_by("amount_minor", "pk"):
        named = (
            Payout.objects.filter(end_to_end_id=line.end_to_end_id, live=run.live).values_list("pk", flat=True).first()
        )
        if named is None:
            continue
        with database.atomic():
            [payout] = lock_payouts([named])
            if _proves_paid(line, payout):
                _claim_paid(run, line, payout, actor, now)
                paid += 1
            elif _proves_returned(line, payout):
                _claim_returned(run, line, payout, actor, now)
                returned += 1
            elif (left := _left_and_came_back(line, payout)) is not None:
                BankMatch.objects.create(group=_group(run, line, payout, now), bank_line=left)
            crashpoint("payout.proven")
    return Proven(paid, returned)


def _proves_paid(line: BankLine, payout: Payout) -> bool:
    fits = (line.currency, -line.amount_minor) == (payout.currency, payout.amount_minor) and not line.reversal
    sent = payout.state == PayoutState.SENT or (payout.state == PayoutState.PAID and payout.confirmed_by_id is not None)
    return fits and sent and not BankMatch.objects.filter(payout=payout).exists()


def _proves_returned(line: BankLine, payout: Payout) -> bool:
    fits = (line.currency, line.amount_minor) == (payout.currency, payout.amount_minor)
    return fits and payout.state == PayoutState.PAID and BankMatch.objects.filter(payout=payout).exists()


def _left_and_came_back(line: BankLine, payout: Payout) -> BankLine | None:
    """The unclaimed debit that the credit `line` takes back, of a payout that people said came back: nothing is left to be booked."""
    if (line.currency, line.amount_minor) != (payout.currency, payout.amount_minor) or payout.confirmed_by_id is None:
        return None
    if payout.state != PayoutState.RETURNED:
        return None
    debits = BankLine.objects.filter(
        provider=line.provider, account_key=line.account_key, currency=line.currency, amount_minor=-line.amount_minor
    )
    return debits.filter(end_to_end_id=line.end_to_end_id, bank_match=None).order_by("pk").first()


def _claim_paid(run: ReconciliationRun, line: BankLine, payout: Payout, actor: Actor, now: datetime) -> None:
    group = _group(run, line, payout, now)
    BankMatch.objects.create(group=group, payout=payout)
    rows = Rows()
    bank = bank_ref(payout, _ledger_name(line))
    if payout.state == PayoutState.PAID:  # two people had said so: the bank says it too
        _book_proof(rows, payout, bank, actor, now)
    else:
        payout_move(rows, payout, PayoutState.PAID, actor=actor, now=now, legs=paid_legs(payout, bank))
    rows.write()


def _claim_returned(run: ReconciliationRun, line: BankLine, payout: Payout, actor: Actor, now: datetime) -> None:
    _group(run, line, payout, now)
    rows, legs = Rows(), returned_legs(payout, bank_ref(payout, _ledger_name(line)))
    payout_move(
        rows,
        payout,
        PayoutState.RETURNED,
        actor=actor,
        now=now,
        legs=legs,
        reason=line.narrative[:255] or "The bank returned it.",
        returned_line_id=line.pk,
    )
    rows.write()


def _book_proof(rows: Rows, payout: Payout, bank: AccountRef, actor: Actor, now: datetime) -> None:
    payout.version += 1
    rows.update(Payout, payout.pk, {"version": payout.version - 1}, version=payout.version, updated_at=now)
    fact_id = record_payout(rows, payout, "payout.proven", {"bank": [None, bank.code]}, actor, now)
    legs = [Leg(bank_ref(payout), payout.amount_minor), Leg(bank, -payout.amount_minor)]
    post(rows, fact_id=fact_id, fact_name="payout.proven", transaction_id=None, legs=legs, now=now)


def _group(run: ReconciliationRun, line: BankLine, payout: Payout, now: datetime) -> MatchGroup:
    """The group of the line and the payout, with why they belong together. Claims the line."""
    compared: list[dict[str, Any]] = [
        {"field": "end_to_end_id", "ours": payout.end_to_end_id, "theirs": line.end_to_end_id, "agrees": True},
        {"field": "amount", "ours": str(payout.amount), "theirs": str(line.amount), "agrees": True},
    ]
    group = MatchGroup.objects.create(
        id=new_id("mtg"),
        comparison=Comparison.BANK,
        rule=MatchRule.REFERENCE,
        run=run,
        explanation={"compared": compared, "payout": payout.pk},
        created_at=now,
    )
    BankMatch.objects.create(group=group, bank_line=line)
    return group


def _ledger_name(line: BankLine) -> str:
    return f"{line.provider}/{line.account_key}"
