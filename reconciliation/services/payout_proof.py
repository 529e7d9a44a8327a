"""What the bank's statement says about payouts: a debit with the end-to-end id proves that one left, a credit with it that it came back.

Only lines of the account that the payout was paid from prove anything; what the bank says that it kept of one is its charges. Lines are claimed like every line of the bank comparison, once. One that names a
payout and does not fit (another account, amount or currency, a return of what never left) is claimed by nobody, no remittance either, and is a break that
says why. A debit that proves nothing and the credit that follows it take each other back: what the bank booked twice did not come back. Nor did what
people adjusted meanwhile: all lines of the id count, claimed or not, and a payout came back only if as much came in as had left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction as database
from django.db.models import F, Q, Sum
from django.db.models.functions import Sign

from common.changes import Actor
from common.crashpoints import crashpoint
from common.ids import new_id
from common.rows import Rows
from payments.ledger.post import post
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
    left_by_line,
    lock_payouts,
    payout_move,
    record_payout,
    returned_by_line,
)

_PREFIX = "PYT"  # of a payout's end-to-end id


@dataclass(frozen=True, slots=True)
class Proven:
    """How many payouts the lines of a run showed to be paid, and to have come back."""

    paid: int = 0
    returned: int = 0


def payouts_prove(*, run: ReconciliationRun, actor: Actor, now: datetime) -> Proven:
    """Match the unclaimed lines of the run's bank and mode with the payouts that they name, whatever their day. Debits before credits."""
    paid = returned = 0
    lines = BankLine.objects.filter(
        provider=run.provider, statement__live=run.live, bank_match=None, end_to_end_id__startswith=_PREFIX
    )
    for line in lines.order_by("amount_minor", "pk"):
        named = (
            Payout.objects.filter(end_to_end_id=line.end_to_end_id, live=run.live).values_list("pk", flat=True).first()
        )
        if named is None:
            continue
        with database.atomic():
            [payout] = lock_payouts([named])
            if (debit := _taken_back(line)) is not None:
                BankMatch.objects.create(group=_group(run, line, payout, now), bank_line=debit)
            elif why_not_proven(line, payout):
                continue
            elif line.amount_minor < 0:
                payout_left(payout, line, _group(run, line, payout, now), actor, now)
                paid += 1
            else:
                _group(run, line, payout, now)
                reason = line.narrative[:255] or "The bank returned it."
                payout_returned(payout, line, reason=reason, actor=actor, now=now)
                returned += 1
            crashpoint("payout.proven")
    return Proven(paid, returned)


def why_not_proven(line: BankLine, payout: Payout) -> str:
    """Why a line proves nothing about the payout that it names, a sentence; empty if it proves that it left or came back."""
    file, names = payout.file, f"It names the payout {payout.end_to_end_id}"
    if file is None:
        return f"{names}, which is with no bank."
    if (line.provider, line.account_key) != (file.source, file.account_key):
        return f"{names}, which is paid from {file.source} {file.account_key}."
    amounts = (abs(line.amount_minor), abs(line.amount_minor + line.charges_minor))  # the bank may have kept some of it
    if line.currency != payout.currency or payout.amount_minor not in amounts:
        took = line.amount_minor < -payout.amount_minor or 0 < line.amount_minor < payout.amount_minor
        hint = " If the bank took the difference, say on the payout's page that this line shows it."
        return f"{names}, which is {payout.amount.text()}.{hint if took and line.currency == payout.currency else ''}"
    shown = BankMatch.objects.filter(payout=payout).exists()
    if line.amount_minor > 0:
        if not shown:
            return f"{names}, which the bank has not shown to leave."
        if payout.state != PayoutState.PAID:
            return f"{names}, which came back before."
        return (
            f"{names}, which the bank has shown to leave once more."
            if still_out(payout, line.provider, line.account_key)
            else ""
        )
    if line.reversal:
        return f"{names}, and takes back what did not come in."
    if payout.state == PayoutState.SENT or (payout.state == PayoutState.PAID and not shown):
        return ""
    if not shown:
        return f"{names}, which came back, as two people said."
    if payout.state == PayoutState.RETURNED and still_out(payout, line.provider, line.account_key):
        return (
            f"{names}, which came back and then left once more: the merchant was owed it again, and may be paid twice. "
            "Say on the payout's page that this line shows it."
        )
    return f"{names}, which the bank has shown already."


def still_out(payout: Payout, source: str, account_key: str) -> bool:
    """Whether more of its debits than credits are on that account of ours, claimed by whatever it was or not, with the one that proved it."""
    proof = BankMatch.objects.filter(bank_line__isnull=False, group__bank_matches__payout=payout).values("bank_line")
    account = {"provider": source, "account_key": account_key, "currency": payout.currency}
    lines = BankLine.objects.filter(
        Q(pk__in=proof) | Q(end_to_end_id=payout.end_to_end_id, statement__live=payout.live, **account)
    )
    whole = lines.filter(
        Q(amount_minor__lte=-payout.amount_minor)
        | Q(amount_minor__gte=payout.amount_minor)
        | Q(amount_minor__gt=0, charges_minor__gte=payout.amount_minor - F("amount_minor"))
    )
    return bool((whole.aggregate(left=Sum(Sign("amount_minor")))["left"] or 0) < 0)


def misfits(lines: Iterable[BankLine], *, live: bool) -> dict[int, str]:
    """Of unclaimed lines those that name a payout, by their key, and why they do not prove it."""
    naming = [line for line in lines if line.end_to_end_id.startswith(_PREFIX)]
    payouts = Payout.objects.filter(end_to_end_id__in={line.end_to_end_id for line in naming}, live=live)
    named = {payout.end_to_end_id: payout for payout in payouts.select_related("file")}
    return {
        line.pk: why_not_proven(line, named[line.end_to_end_id]) or "It names a payout."
        for line in naming
        if line.end_to_end_id in named
    }


def _taken_back(line: BankLine) -> BankLine | None:
    """The unclaimed debit of the same account and id that the credit `line` takes back: nothing is left to be booked."""
    if line.amount_minor < 0:
        return None
    debits = BankLine.objects.filter(
        provider=line.provider, account_key=line.account_key, currency=line.currency, amount_minor=-line.amount_minor
    )
    return debits.filter(end_to_end_id=line.end_to_end_id, bank_match=None).order_by("pk").first()


def payout_left(
    payout: Payout,
    line: BankLine,
    group: MatchGroup,
    actor: Actor,
    now: datetime,
    *,
    reason: str = "",
    **values: Any,
) -> None:
    """The line that `group` claims proves that the locked payout left; people may have said so before. `values` are other columns of it."""
    if not BankMatch.objects.filter(payout=payout).exists():
        BankMatch.objects.create(group=group, payout=payout)
    rows, legs = Rows(), left_by_line(payout, line)
    if payout.state != PayoutState.PAID:
        payout_move(rows, payout, PayoutState.PAID, actor=actor, now=now, legs=legs, reason=reason, **values)
    else:
        payout.version += 1
        rows.update(
            Payout, payout.pk, {"version": payout.version - 1}, version=payout.version, updated_at=now, **values
        )
        changes = {"bank": [None, f"{line.provider}/{line.account_key}"]}
        fact_id = record_payout(rows, payout, "payout.proven", changes, actor, now, reason)
        post(rows, fact_id=fact_id, fact_name="payout.proven", transaction_id=None, legs=legs, now=now)
    rows.write()


def payout_returned(payout: Payout, line: BankLine, *, reason: str, actor: Actor, now: datetime, **values: Any) -> None:
    """The claimed line proves that the locked payout came back."""
    rows, legs = Rows(), returned_by_line(payout, line)
    payout_move(
        rows, payout, PayoutState.RETURNED, actor=actor, now=now, legs=legs, reason=reason,
        returned_line_id=line.pk, **values,
    )  # fmt: skip
    rows.write()


def _group(run: ReconciliationRun, line: BankLine, payout: Payout, now: datetime) -> MatchGroup:
    """The group of the line and the payout, with why they belong together. Claims the line."""
    compared: list[dict[str, Any]] = [
        {"field": "end_to_end_id", "ours": payout.end_to_end_id, "theirs": line.end_to_end_id, "agrees": True},
        {"field": "amount", "ours": str(payout.amount), "theirs": str(line.amount), "agrees": True},
    ]
    taken = (
        -line.amount_minor - payout.amount_minor if line.amount_minor < 0 else payout.amount_minor - line.amount_minor
    )
    charges = {"charges": taken} if taken else {}
    group = MatchGroup.objects.create(
        id=new_id("mtg"),
        comparison=Comparison.BANK,
        rule=MatchRule.REFERENCE,
        run=run,
        explanation={"compared": compared, "differences": charges, "payout": payout.pk},
        created_at=now,
    )
    BankMatch.objects.create(group=group, bank_line=line)
    return group
