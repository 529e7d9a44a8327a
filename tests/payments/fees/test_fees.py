"""The price of a payment: by tier, half up, within its bounds and the amount; the same in Python and in SQL; for later captures only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from common.changes import Actor
from common.errors import InvalidRequest
from common.models import AuditRecord
from common.money import Money
from merchants.models import ProviderAccount
from payments.ledger.fees import FEE_IN_SQL, Price, Tier, fee_of, flat_price
from payments.models import FeeCharge, FeePlan
from tests.factories import (
    NOW,
    ProviderAccountFactory,
    captured_transaction,
    new_transaction,
    sale_of,
    settle,
)
from tests.factories.agreed import plan_agreed
from tests.payments.verify.books import wrong

ACTOR = Actor("operator:aisha")
TIERS = (Tier(0, 150, 20), Tier(100_000, 100, 0))


@pytest.mark.parametrize(
    ("minor", "price", "parts"),
    [
        (10_000, flat_price(150, 20), (150, 20, 0)),
        (99_999, Price(TIERS), (1_500, 20, 0)),  # the last of the first tier: 1499.985
        (100_000, Price(TIERS), (1_000, 0, 0)),  # the whole amount at the second
        (33, flat_price(150, 0), (0, 0, 0)),  # 0.495
        (100, flat_price(150, 0), (2, 0, 0)),  # 1.5: half up
        (300, flat_price(150, 0), (5, 0, 0)),  # 4.5
        (10_000, Price((Tier(0, 150, 0),), minimum_minor=200), (150, 0, 50)),
        (10_000, Price((Tier(0, 150, 20),), maximum_minor=100), (150, 20, -70)),
        (10_000, Price((Tier(0, 150, 20),), minimum_minor=170, maximum_minor=170), (150, 20, 0)),
        (50, flat_price(0, 100), (0, 100, -50)),  # never more than the amount
        (50, Price((Tier(0, 0, 0),), minimum_minor=80), (0, 0, 50)),
    ],
)
def test_the_parts_of_a_fee(minor: int, price: Price, parts: tuple[int, int, int]) -> None:
    fee = fee_of(Money(minor, "MYR"), price)

    assert (fee.percentage_minor, fee.fixed_minor, fee.limit_minor) == parts


@st.composite
def prices(draw: st.DrawFn) -> Price:
    begins = [0, *sorted(draw(st.sets(st.integers(1, 10**9), max_size=4)))]
    tiers = [Tier(begin, draw(st.integers(0, 10_000)), draw(st.integers(0, 10**6))) for begin in begins]
    minimum = draw(st.integers(0, 10**6))
    maximum = draw(st.none() | st.integers(minimum, 10**7))
    return Price(tiers, minimum, maximum)


@settings(max_examples=200, deadline=None)
@given(minor=st.integers(1, 10**12), price=prices())
def test_a_fee_is_within_its_bounds_and_is_the_sum_of_its_parts(minor: int, price: Price) -> None:
    fee = fee_of(Money(minor, "MYR"), price)

    assert 0 <= fee.minor <= minor
    assert fee.minor == fee.percentage_minor + fee.fixed_minor + fee.limit_minor
    assert fee.minor >= min(price.minimum_minor, minor)
    assert price.maximum_minor is None or fee.minor <= price.maximum_minor
    tier = max((t for t in price.tiers if t.from_minor <= minor), key=lambda t: t.from_minor)
    exact = Fraction(minor * tier.basis_points, 10_000)
    assert Fraction(-1, 2) < exact - fee.percentage_minor <= Fraction(
        1, 2
    ) or exact - fee.percentage_minor == -Fraction(1, 2)
    assert fee.fixed_minor == tier.fixed_minor


@pytest.mark.django_db
@settings(max_examples=60, deadline=None)
@given(minors=st.lists(st.integers(1, 10**12), min_size=1, max_size=20), price=prices())
def test_python_and_sql_charge_the_same(minors: Sequence[int], price: Price) -> None:
    import json

    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT fee.* FROM unnest(%s::bigint[]) WITH ORDINALITY AS c (amount_minor, number)
                CROSS JOIN (SELECT %s::jsonb AS tiers, %s::bigint AS minimum_minor, %s::bigint AS maximum_minor) f
                CROSS JOIN LATERAL ({FEE_IN_SQL}) fee ORDER BY c.number""",
            [list(minors), json.dumps([asdict(t) for t in price.tiers]), price.minimum_minor, price.maximum_minor],
        )
        rows = cursor.fetchall()

    fees = [fee_of(Money(minor, "MYR"), price) for minor in minors]
    assert rows == [(fee.percentage_minor, fee.fixed_minor, fee.limit_minor) for fee in fees]


# -- plans ---------------------------------------------------------------------------------------------------------------


def plan_for(account: ProviderAccount, *tiers: Tier, **changes: Any) -> FeePlan:
    asked: dict[str, Any] = {"method": "fpx", "currency": "MYR", "now": NOW}
    return plan_agreed(merchant_id=account.merchant_id, live=account.live, tiers=tiers, **(asked | changes))


def charged(account: ProviderAccount, minor: int = 10_000, **changes: Any) -> FeeCharge:
    transaction = captured_transaction(account, amount=Money(minor, "MYR"), **changes)
    return FeeCharge.objects.get(entry__transaction=transaction)


@pytest.mark.django_db
def test_without_a_plan_the_account_s_price_holds() -> None:
    account = ProviderAccountFactory(fee_basis_points=150, fee_fixed_minor=20)
    plan_for(ProviderAccountFactory(), Tier(0, 900, 0))  # another merchant's

    charge = charged(account)

    assert (charge.plan, charge.percentage_minor, charge.fixed_minor, charge.limit_minor) == (None, 150, 20, 0)
    assert charge.entry.transaction.payments.get().fee_minor == 170  # type: ignore[union-attr]


@pytest.mark.django_db
def test_a_plan_is_the_price_of_later_captures() -> None:
    account = ProviderAccountFactory(fee_basis_points=150)
    waiting = new_transaction(account).transaction
    before = charged(account)
    plan = plan_for(account, *TIERS, minimum_minor=500, now=NOW + timedelta(minutes=1))

    early, after = charged(account, now=NOW), charged(account, now=NOW + timedelta(minutes=1))
    settle(sale_of(waiting), now=NOW + timedelta(minutes=2))  # asked for before, captured after

    assert (before.minor, before.plan) == (150, None)
    assert (early.minor, early.plan) == (150, None)
    assert (after.minor, after.limit_minor, after.plan) == (500, 330, plan)
    assert FeeCharge.objects.get(entry__transaction=waiting).plan == plan
    assert wrong() == {}


@pytest.mark.django_db
def test_a_plan_of_the_method_goes_before_one_of_all_and_both_keep_to_their_currency_and_mode() -> None:
    account = ProviderAccountFactory(fee_basis_points=150)
    live = ProviderAccountFactory(merchant=account.merchant, live=True, fee_basis_points=150)
    cards = ProviderAccountFactory(merchant=account.merchant, provider="migs", fee_basis_points=150)
    plan_for(account, Tier(0, 0, 11), method="")
    plan_for(account, Tier(0, 0, 22))
    plan_for(account, Tier(0, 0, 33), currency="USD", method="")

    assert [charged(each).minor for each in (account, cards, live)] == [22, 11, 150]
    dollars = captured_transaction(cards, amount=Money(10_000, "USD"))
    assert FeeCharge.objects.get(entry__transaction=dollars).minor == 33


@pytest.mark.django_db
def test_a_planned_price_waits_for_its_day_and_the_account_s_price_can_come_back() -> None:
    account = ProviderAccountFactory(fee_basis_points=150)
    plan_for(account, Tier(0, 0, 11))
    plan_for(account, Tier(0, 0, 22), valid_from=NOW + timedelta(days=2))
    plan_for(account, valid_from=NOW + timedelta(days=4))

    minors = [charged(account, now=NOW + timedelta(days=days)).minor for days in (1, 2, 3, 4)]

    assert minors == [11, 22, 22, 150]
    assert list(FeePlan.objects.order_by("version").values_list("version", flat=True)) == [1, 2, 3]
    record = AuditRecord.objects.filter(action="fee_plan.set").order_by("id").first()
    assert record is not None
    assert (record.actor, record.reason) == ("operator:agrees", "As agreed")


@pytest.mark.django_db
def test_a_free_payment_has_no_charge() -> None:
    account = ProviderAccountFactory(fee_basis_points=150)
    plan_for(account, Tier(0, 0, 0))

    transaction = captured_transaction(account)

    assert transaction.payments.get().fee_minor == 0
    assert not FeeCharge.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tiers", "changes"),
    [
        ([Tier(1, 0, 0)], {}),
        ([Tier(0, 0, 0), Tier(0, 1, 0)], {}),
        ([Tier(0, 0, 0), Tier(500, 0, 0), Tier(400, 0, 0)], {}),
        ([Tier(0, 10_001, 0)], {}),
        ([Tier(0, -1, 0)], {}),
        ([Tier(0, 0, -1)], {}),
        ([Tier(0, 0, 0)], {"minimum_minor": -1}),
        ([Tier(0, 0, 0)], {"minimum_minor": 2, "maximum_minor": 1}),
        ([Tier(0, 0, 0)], {"valid_from": NOW - timedelta(seconds=1)}),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(tiers: list[Tier], changes: dict[str, Any]) -> None:
    account = ProviderAccountFactory()

    with pytest.raises(InvalidRequest):
        plan_for(account, *tiers, **changes)

    assert not FeePlan.objects.exists()
    assert not AuditRecord.objects.filter(action="fee_plan.set").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "column",
    [
        'tiers = \'[{"from_minor": 5, "basis_points": 1, "fixed_minor": 1}]\'',
        "tiers = '{}'",
        'tiers = \'[{"from_minor": 0, "basis_points": 1}]\'',
        'tiers = \'[{"from_minor": 0, "basis_points": 10001, "fixed_minor": 0}]\'',
        "valid_from = created_at - interval '1 second'",
        "maximum_minor = minimum_minor - 1",
    ],
)
def test_the_database_refuses_it_too(column: str) -> None:
    plan = plan_for(ProviderAccountFactory(), Tier(0, 100, 0))
    name, value = column.split(" = ", 1)
    columns = [field.column for field in FeePlan._meta.concrete_fields]
    values = ", ".join({"id": "'fpl_x'", "version": "2", name: value}.get(each, each) for each in columns)

    with pytest.raises(IntegrityError, match="fee_plan_"), database.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO fee_plan ({', '.join(columns)}) SELECT {values} FROM fee_plan")
    with pytest.raises(IntegrityError, match="append-only"), database.atomic():
        FeePlan.objects.filter(pk=plan.pk).update(minimum_minor=1)


@pytest.mark.django_db
def test_a_plan_costs_no_round_trip() -> None:
    account = ProviderAccountFactory(fee_basis_points=150)
    without, with_plan = new_transaction(account).transaction, new_transaction(account).transaction

    with CaptureQueriesContext(connection) as before:
        settle(sale_of(without))
    plan_for(account, *TIERS)
    with CaptureQueriesContext(connection) as after:
        settle(sale_of(with_plan))

    assert len(after) == len(before)
