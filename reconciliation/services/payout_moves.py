"""Writing a payout's move: its new state and its settlement's, with fact, audit record and postings, in one statement.

What a payout takes out of `payout_in_transit` goes where the money went: to the merchant's account, to our bank account when its statement shows
it, or to "bank, unproven" when only people say so. What comes back is owed to the merchant again, for the next settlement. What the bank took for it is ours
to bear: the merchant was to get the whole net, and is owed it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from common.changes import Actor, Subject, record_change
from common.errors import InvalidState, NotFound
from common.queue import nudge_coalesced
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from payments.models.ledger import AccountKind
from reconciliation.models import BankLine, Payout, PayoutState, Settlement, SettlementState
from reconciliation.models.payout import PAYOUT_MOVES
from reconciliation.services.payloads import payout_payload
from reconciliation.services.settle import settlement_move

UNPROVEN = "unproven"  # the bank account of the ledger on which payouts stand that the bank's statement has not shown

_SETTLEMENT = {
    PayoutState.APPROVED: SettlementState.PAYOUT_PENDING,
    PayoutState.PAID: SettlementState.PAID,
    PayoutState.RETURNED: SettlementState.RETURNED,
    PayoutState.CANCELLED: SettlementState.CREATED,
}


def lock_payouts(payout_ids: Collection[str]) -> list[Payout]:
    """These payouts with their settlements, locked, settlements first, in the order of their ids. Raises NotFound."""
    settlements = Settlement.objects.filter(payouts__in=payout_ids).order_by("pk")
    found = {each.pk: each for each in settlements.select_for_update(of=("self",), no_key=True)}
    payouts = list(Payout.objects.select_for_update(no_key=True).filter(pk__in=payout_ids).order_by("pk"))
    if len(payouts) != len(set(payout_ids)):
        raise NotFound("There is no such payout.")
    for payout in payouts:
        payout.settlement = found[payout.settlement_id]
    return payouts


def payout_move(
    rows: Rows,
    payout: Payout,
    to: PayoutState,
    *,
    actor: Actor,
    now: datetime,
    legs: Sequence[Leg] = (),
    reason: str = "",
    **values: Any,
) -> None:
    """Add a move of the locked payout to `rows`; `values` are other columns of it. Raises InvalidState (not such a move)."""
    before = PayoutState(payout.state)
    fact = PAYOUT_MOVES.get((before, to))
    if fact is None:
        raise InvalidState(f"The payout is {payout.get_state_display().lower()}.", state=before)
    values |= _times(to, now)
    if to in (PayoutState.CANCELLED, PayoutState.RETURNED):
        values["reason"] = reason[:255]
    payout.state, payout.updated_at = to, now
    payout.version += 1
    for name, value in values.items():
        setattr(payout, name, value)
    rows.update(
        Payout,
        payout.pk,
        {"version": payout.version - 1},
        state=to,
        version=payout.version,
        updated_at=now,
        **values,
    )
    fact_id = record_payout(rows, payout, fact, {"state": [before, to]}, actor, now, reason)
    if legs:
        post(rows, fact_id=fact_id, fact_name=fact, transaction_id=None, legs=legs, now=now)
    becomes = _SETTLEMENT.get(to)
    if becomes is not None and payout.settlement.state != becomes:
        moved = f"settlement.{becomes.lower()}" if becomes != SettlementState.CREATED else "settlement.payout_cancelled"
        settlement_move(rows, payout.settlement, becomes, fact=moved, actor=actor, now=now, reason=reason)
    nudge_coalesced("notifications.relay_outbox")


def record_payout(
    rows: Rows,
    payout: Payout,
    fact: str,
    changes: dict[str, list[Any]],
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> str:
    """Add the fact and the audit record of the payout's present version. Returns the fact's id."""
    return record_change(
        rows,
        subject=Subject("payout", payout.pk, payout.version, payout.merchant_id, payout.live),
        fact=fact,
        payload=payout_payload(payout),
        changes=changes,
        actor=actor,
        now=now,
        reason=reason,
    )


def paid_legs(payout: Payout, paid_from: AccountRef) -> list[Leg]:
    """What was on its way has left `paid_from`."""
    return [Leg(_transit(payout), payout.amount_minor), Leg(paid_from, -payout.amount_minor)]


def returned_legs(payout: Payout) -> list[Leg]:
    """It never left: the merchant is owed it again."""
    return [Leg(_transit(payout), payout.amount_minor), _owed(payout)]


def left_by_line(payout: Payout, line: BankLine) -> list[Leg]:
    """The bank's line shows that it left: from what is on its way, from where it stood when only people had said so, or from what is owed again."""
    before = {PayoutState.PAID: bank_ref(payout), PayoutState.RETURNED: _owed(payout).account}
    return _by_line(payout, line, Leg(before.get(PayoutState(payout.state), _transit(payout)), payout.amount_minor))


def returned_by_line(payout: Payout, line: BankLine) -> list[Leg]:
    """The bank's line shows that it came back: the merchant is owed all of it."""
    return _by_line(payout, line, _owed(payout))


def _by_line(payout: Payout, line: BankLine, counter: Leg) -> list[Leg]:
    """The bank has booked the line; what it is more or less than the payout, the bank has taken."""
    charges = AccountRef(AccountKind.BANK_CHARGES, payout.currency, payout.live)
    bank = bank_ref(payout, f"{line.provider}/{line.account_key}")
    legs = (counter, Leg(bank, line.amount_minor), Leg(charges, -counter.minor - line.amount_minor))
    return [leg for leg in legs if leg.minor]


def _owed(payout: Payout) -> Leg:
    owed = AccountRef(AccountKind.MERCHANT_PAYABLE, payout.currency, payout.live, merchant_id=payout.merchant_id)
    return Leg(owed, -payout.amount_minor)


def bank_ref(payout: Payout, name: str = UNPROVEN) -> AccountRef:
    return AccountRef(AccountKind.BANK, payout.currency, payout.live, bank_account=name)


def _transit(payout: Payout) -> AccountRef:
    return AccountRef(AccountKind.PAYOUT_IN_TRANSIT, payout.currency, payout.live, merchant_id=payout.merchant_id)


def _times(to: PayoutState, now: datetime) -> dict[str, datetime]:
    column = {
        PayoutState.SENT: "sent_at",
        PayoutState.PAID: "paid_at",
        PayoutState.RETURNED: "ended_at",
        PayoutState.CANCELLED: "ended_at",
    }.get(to)
    return {column: now} if column else {}
