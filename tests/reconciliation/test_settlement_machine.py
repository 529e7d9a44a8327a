"""Payments, refunds, chargebacks, returns and settlements in any order, in any mode of the clock: the equation holds to the minor unit."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from common.books import Asked
from common.money import Money
from payments.models import Posting
from payments.models.ledger import AccountKind
from reconciliation.models import Settlement, SettlementLine
from tests.factories import NOW, captured_transaction
from tests.payments.verify.books import wrong
from tests.reconciliation.test_settle import agreed, book_other, given_back, owed, priced, settled

NOBODY_PUBLISHES = Asked(now=NOW, unpublished_for=timedelta(days=365))
pytestmark = pytest.mark.django_db

# What happens, how many hours after the step before, and how much it is about.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "pay", "refund", "dispute", "won", "adjust", "late", "settle", "settle", "terms"]),
        st.integers(0, 40),
        st.integers(1, 60_000),
    ),
    min_size=4,
    max_size=14,
)


# Not shrunk: a step takes milliseconds, and what went wrong is read from the steps as they are.
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_in_any_order_the_books_and_the_settlements_agree(steps: list[tuple[str, int, int]]) -> None:
    account, now = priced(), NOW
    merchant, terms = account.merchant, 0
    for what, hours, minor in steps:
        now += timedelta(hours=hours)
        match what:
            case "pay":
                captured_transaction(account, amount=Money(minor, "MYR"), now=now)
            case "late":
                captured_transaction(account, amount=Money(minor, "MYR"), now=now - timedelta(days=2))
            case "refund":
                given_back(account, min(minor, 10_000), now=now)
            case "dispute":
                book_other(account, -minor, "dispute.charged_back", now=now)
            case "won":
                book_other(account, minor, "dispute.reversed", now=now)
            case "adjust":
                book_other(account, minor if minor % 2 else -minor, "break.adjusted", now=now)
            case "terms" if minor != terms:  # the same again is no change that two could agree on
                terms = minor
                days = 1 + minor % 3
                agreed(merchant, reserve_basis_points=minor % 2_000, reserve_days=days, minimum_payout_minor=minor)
            case "settle":
                settled(merchant, _day(now), now)
    settled(merchant, _day(now + timedelta(days=1)), now + timedelta(days=2))

    assert wrong(NOBODY_PUBLISHES) == {}
    booked = Posting.objects.filter(account__kind=AccountKind.MERCHANT_PAYABLE, account__merchant=merchant).exclude(
        entry__fact_name="settlement.created"
    )
    assert (
        SettlementLine.objects.filter(settlement__merchant=merchant).count()
        == booked.values("entry").distinct().count()
    )  # everything is settled, once
    earned = -sum(booked.values_list("amount_minor", flat=True))
    paid = sum(
        Settlement.objects.filter(merchant=merchant).exclude(state="CARRIED").values_list("net_minor", flat=True)
    )
    last = Settlement.objects.filter(merchant=merchant).order_by("-period_to").first()
    carried = last.net_minor if last and last.state == "CARRIED" else 0
    reserve = owed(merchant, AccountKind.MERCHANT_RESERVE)
    assert (earned, owed(merchant, AccountKind.PAYOUT_IN_TRANSIT)) == (paid + carried + reserve, paid)


def _day(now: object) -> date:
    return (now + timedelta(hours=8)).date()  # type: ignore[operator,no-any-return]
