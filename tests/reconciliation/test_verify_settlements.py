"""The equation of settlement: what was settled, held back, carried over and not settled yet is what the ledger says; a planted lie is named."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from common.books import verify
from merchants.models import Merchant
from reconciliation.models import Settlement
from tests.factories import NOW, captured_transaction
from tests.payments.verify.books import SETTLEMENTS, proven_elsewhere, wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.test_settle import AFTER, DAY, LATER_ASKED, agreed, book_other, given_back, priced, settled
from tests.support.once import given_once

pytestmark = pytest.mark.django_db
LATER = LATER_ASKED
TABLES = ("settlement", "settlement_line", "settlement_reserve_release", "posting", "journal_entry", "fact")


@pytest.fixture(scope="module")
def _merchant(django_db_setup: None, django_db_blocker: Any) -> Iterator[Merchant]:
    with given_once(django_db_blocker, build_merchant) as made:
        yield made


@pytest.fixture
def merchant(_merchant: Merchant, db: None) -> Merchant:
    return deepcopy(_merchant)


def build_merchant() -> Merchant:
    """Four days: a reserve held and released, a negative net carried over and made good, something not settled yet; both modes."""
    account = priced()
    live = priced(merchant=account.merchant, live=True)
    agreed(account.merchant, reserve_basis_points=500, reserve_days=1)
    captured_transaction(account)
    captured_transaction(live)
    given_back(account, 2_500)
    settled(account.merchant)
    book_other(account, -60_000, "dispute.charged_back", now=NOW + timedelta(days=1))
    settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    for _ in range(8):
        captured_transaction(account, now=NOW + timedelta(days=2))
    settled(account.merchant, DAY + timedelta(days=2), AFTER + timedelta(days=2))
    captured_transaction(account, now=NOW + timedelta(days=3))
    return account.merchant


def test_days_of_settlement_are_right(merchant: Merchant) -> None:
    assert wrong(LATER) == {}

    examined = {check.name: found.examined for check, found in verify(LATER) if proven_elsewhere(check, SETTLEMENTS)}
    assert examined.keys() == VIOLATIONS.keys()
    assert all(examined.values()), examined


def test_two_settlements_of_one_day_follow_one_another_in_whatever_order_they_lie() -> None:
    account = priced()
    agreed(account.merchant, minimum_payout_minor=50_000)
    noon, evening = (NOW + timedelta(hours=hours) for hours in (2, 8))  # of a day that has not ended
    captured_transaction(account)
    [first] = settled(account.merchant, DAY, noon)
    captured_transaction(account, now=noon + timedelta(hours=1))
    [second] = settled(account.merchant, DAY, evening)
    assert (first.day, first.state, second.day) == (DAY, "CARRIED", DAY)
    assert (second.carried_from_id, second.carried_over_minor) == (first.pk, first.net_minor)

    with rules_lifted("settlement"):
        Settlement.objects.filter(pk=first.pk).update(updated_at=evening)  # it lies behind the other one now
    with connection.cursor() as cursor:  # and is read as it lies, as a large table would be
        cursor.execute(
            "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off"
        )

    assert wrong(LATER) == {}


FIRST = "(SELECT id FROM settlement WHERE day = '2026-03-02' AND NOT live AND reserve_held_minor > 0)"
SECOND = "(SELECT id FROM settlement WHERE day = '2026-03-03' AND NOT live)"
LAST = "(SELECT id FROM settlement WHERE day = '2026-03-04' AND NOT live)"
LINE = f"(SELECT min(entry_id) FROM settlement_line WHERE settlement_id = {LAST})"

# Name of the check -> how to break its rule, and which others must see the same thing.
VIOLATIONS: dict[str, tuple[str, set[str]]] = {
    "settlement_lines_add_up": (
        f"UPDATE settlement_line SET settlement_id = {FIRST} WHERE entry_id = {LINE}",
        {"settlement_fees_are_what_was_charged"},
    ),
    "settlement_lines_are_what_was_booked": (
        f"UPDATE settlement_line SET gross_minor = gross_minor + 1 WHERE entry_id = {LINE}",
        {"settlement_lines_add_up"},
    ),
    "settlement_fees_are_what_was_charged": (
        "UPDATE settlement SET fee_fixed_minor = fee_fixed_minor + 1, fee_limit_minor = fee_limit_minor - 1",
        set(),
    ),
    "what_is_owed_is_not_settled_yet": (
        f"DELETE FROM settlement_line WHERE entry_id = {LINE}",
        {
            "settlement_lines_add_up",
            "settlement_fees_are_what_was_charged",
            "stages_add_up_to_the_ledger",
            "settlements_leave_nothing_behind",
        },
    ),
    "settlements_leave_nothing_behind": (
        f"UPDATE settlement SET claimed_up_to = (SELECT max(id) FROM posting) WHERE id = {LAST}",
        set(),
    ),
    "settlements_follow_one_another": (
        f"UPDATE settlement SET carried_over_minor = carried_over_minor + 1, net_minor = net_minor + 1 WHERE id = {LAST}",
        {"payouts_in_transit_are_what_was_settled", "stages_add_up_to_the_ledger"},
    ),
    "reserves_are_what_is_held_back": (
        f"UPDATE settlement SET reserve_held_minor = reserve_held_minor + 5, fee_minor = fee_minor - 5,fee_other_minor = fee_other_minor - 5 WHERE id = {LAST}",
        {"settlement_lines_add_up", "stages_add_up_to_the_ledger"},
    ),
    "reserves_are_released_whole": (
        "UPDATE settlement_reserve_release SET amount_minor = amount_minor - 1",
        {"reserves_are_what_is_held_back"},
    ),
    "payouts_in_transit_are_what_was_settled": (
        f"UPDATE settlement SET state = 'PAID' WHERE id = {FIRST}",
        {"payouts_are_what_was_settled", "stages_add_up_to_the_ledger"},
    ),
    "every_settlement_version_has_its_fact": (
        f"UPDATE settlement SET version = 2 WHERE id = {FIRST}",
        set(),
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_lie_is_named(merchant: Merchant, name: str) -> None:
    statement, also = VIOLATIONS[name]
    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0

    assert set(wrong(LATER)) == {name, *also}


def test_a_settlement_of_another_merchants_entry_is_named(merchant: Merchant) -> None:
    other = priced()
    captured_transaction(other)
    settled(other.merchant)
    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE settlement_line SET settlement_id = {FIRST} WHERE settlement_id IN"
            " (SELECT id FROM settlement WHERE merchant_id = %s)",
            [other.merchant_id],
        )

    assert "settlement_lines_are_what_was_booked" in wrong(LATER)


def test_money_that_left_without_a_settlement_is_named(merchant: Merchant) -> None:
    """A posting to what is owed under our own fact's name, as a bug would make it."""
    account = merchant.provider_accounts.get(live=False)
    book_other(account, -5_000, "settlement.created")

    assert {"what_is_owed_is_not_settled_yet"} <= set(wrong(LATER))
