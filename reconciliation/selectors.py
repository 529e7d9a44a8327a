"""Reading reconciliation: how payments stand, and what is open."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from common.errors import NotFound
from common.models import ProposalState
from merchants.caller import Caller
from payments.models import Operation
from payments.providers.base import Kind
from payments.states import OperationState
from reconciliation.models import (
    Break,
    BreakKind,
    CloseState,
    DayClose,
    Match,
    Payout,
    PayoutState,
    Settlement,
    SettlementLine,
    SettlementState,
    Source,
)
from reconciliation.models.day import LAST
from reconciliation.settlement.calendar import business_day

PAYOUT_DAYS = timedelta(days=3)  # a bank needs no longer to show a payout
NOT_SHOWN = (PayoutState.PENDING_APPROVAL, PayoutState.CANCELLED)  # to merchants
State = Literal["MATCHED", "BREAK", "PENDING"]


def reconciliation_states(payment_ids: Collection[str]) -> dict[str, State]:
    """For each payment: BREAK if any of its operations is in an open break, MATCHED if all that moved money are matched, else PENDING.

    A fee that the provider should not have kept is no question about the payment.
    """
    states: dict[str, State] = dict.fromkeys(payment_ids, "PENDING")
    unmatched = set()
    operations = (
        Operation.objects.filter(payment__in=payment_ids)
        .annotate(
            matched=Exists(Match.objects.filter(operation=OuterRef("pk"))),
            broken=Exists(
                Break.objects.filter(operation=OuterRef("pk"), resolved_at=None).exclude(kind=BreakKind.FEE_MISMATCH)
            ),
        )
        .values_list("payment_id", "kind", "state", "matched", "broken")
    )
    for payment_id, kind, state, matched, broken in operations:
        moved_money = kind in (Kind.SALE, Kind.CAPTURE, Kind.REFUND) and state in (
            OperationState.SUCCEEDED,
            OperationState.CONFLICTED,
        )
        if broken:
            states[payment_id] = "BREAK"
        elif matched and states[payment_id] == "PENDING":
            states[payment_id] = "MATCHED"
        elif moved_money and not matched:
            unmatched.add(payment_id)
    for payment_id in unmatched:
        if states[payment_id] == "MATCHED":
            states[payment_id] = "PENDING"
    return states


def settlements_to_pay() -> QuerySet[Settlement]:
    """Settlements that nobody has proposed to pay out, or whose proposal came to nothing; the longest due first."""
    taken = Payout.objects.filter(settlement=OuterRef("pk")).exclude(state=PayoutState.CANCELLED)
    taken = taken.exclude(~Q(proposal__state=ProposalState.OPEN), state=PayoutState.PENDING_APPROVAL)
    open_ = Settlement.objects.filter(~Exists(taken), state=SettlementState.CREATED)
    return open_.select_related("merchant").order_by("pay_on", "pk")


def payouts_late(*, now: datetime) -> QuerySet[Payout]:
    """Payouts that the bank has had for three days or longer and has not shown, the oldest first."""
    return Payout.objects.filter(state=PayoutState.SENT, sent_at__lte=now - PAYOUT_DAYS).order_by("sent_at")


def payouts_with(source: Source, *, live: bool) -> QuerySet[Payout]:
    """Payouts that the bank has and has not shown yet, the oldest first."""
    sent = Payout.objects.filter(state=PayoutState.SENT, live=live, file__source=source.code)
    return sent.order_by("sent_at", "pk")


def payout_due_on(payout: Payout, source: Source) -> date:
    """The day of the bank by which it shows a payout that was sent; with a calendar, a business day."""
    sent_at = payout.sent_at or payout.updated_at
    due = (sent_at.astimezone(ZoneInfo(source.zone)) + PAYOUT_DAYS).date()
    return business_day(due, source.calendar.days) if source.calendar else due


def open_breaks(*, provider: str, day: date, live: bool | None = None) -> QuerySet[Break]:
    """The breaks of a provider's day that nobody and nothing has explained yet, by kind."""
    breaks = Break.objects.filter(provider=provider, day=day, resolved_at=None).select_related(
        "line", "operation", "bank_line", "remittance", "payout"
    )
    return (breaks if live is None else breaks.filter(live=live)).order_by("kind", "id")


def break_difference(found: Break) -> dict[str, int]:
    """Theirs less ours of one break, per currency in minor units. A line that fits several, or is listed twice, counts as it stands.

    An operation counts if we booked it; a fee above the one agreed on counts against us.
    """
    if found.kind == BreakKind.FEE_MISMATCH:
        return {found.their_currency: (found.our_minor or 0) - (found.their_minor or 0)}
    total: dict[str, int] = {}
    if found.their_minor is not None:
        total[found.their_currency] = found.their_minor
    moved = (OperationState.SUCCEEDED, OperationState.CONFLICTED)
    booked = found.operation is None or found.operation.state in moved or found.kind == BreakKind.AMOUNT_MISMATCH
    if found.our_minor is not None and booked and found.kind not in (BreakKind.DUPLICATE_LINE, BreakKind.AMBIGUOUS):
        total[found.our_currency] = total.get(found.our_currency, 0) - found.our_minor
    return total


def closed_days(*, provider: str, live: bool) -> QuerySet[DayClose]:
    """The closings that hold, the last day first; a day that was opened again is not among them."""
    return DayClose.objects.filter(LAST, provider=provider, live=live, state=CloseState.CLOSED).order_by("-day")


# -- settlements ---------------------------------------------------------------------------------------------------------


def settlement_rows(caller: Caller) -> QuerySet[Settlement]:
    """The caller's settlements, each with `shown_payouts`: the one that counts, if there is one."""
    payouts = Prefetch("payouts", Payout.objects.exclude(state__in=NOT_SHOWN), to_attr="shown_payouts")
    return Settlement.objects.filter(merchant_id=caller.merchant_id, live=caller.live).prefetch_related(payouts)


def settlement_row(caller: Caller, settlement_id: str) -> Settlement:
    """One of them, with its merchant. Raises NotFound."""
    settlement = settlement_rows(caller).select_related("merchant").filter(pk=settlement_id).first()
    if settlement is None:
        raise NotFound("There is no such settlement.")
    return settlement


def settlement_lines(settlement_id: str) -> QuerySet[SettlementLine, Any]:
    """The lines as named tuples: `id` and `created_at` are the journal entry's, so pages can follow them."""
    return (
        SettlementLine.objects.filter(settlement_id=settlement_id)
        .annotate(
            id=F("entry_id"),
            created_at=F("booked_at"),
            fact_name=F("entry__fact_name"),
            transaction_id=F("entry__transaction_id"),
            external_reference=F("entry__transaction__external_reference"),
            method=F("entry__transaction__method"),
        )
        .values_list(
            "id",
            "created_at",
            "fact_name",
            "transaction_id",
            "external_reference",
            "method",
            "gross_minor",
            "refund_minor",
            "dispute_minor",
            "fee_minor",
            "adjustment_minor",
            named=True,
        )
    )
