"""What a merchant is owed becomes settlements: everything once, exact, however late it commits, and nothing that has not closed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.books import Asked
from common.changes import Actor, Subject, record_change
from common.events import EVENT_OF_FACT, render_body
from common.ids import new_id
from common.models import AuditRecord, Fact
from common.money import Money
from common.rows import Rows
from merchants.models import Merchant, ProviderAccount
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg, Parties
from payments.models import JournalEntry, Operation, Posting, ReviewItem
from payments.models.ledger import AccountKind
from payments.providers.base import Outcome
from payments.services.refunds import refund_request
from payments.states import Decision
from reconciliation.models import (
    Comparison,
    Match,
    MatchGroup,
    MatchRule,
    ReconciliationRun,
    Settlement,
    SettlementLine,
    SettlementState,
    SettlementTerms,
)
from reconciliation.services.settle import books, settle_book, settlement_move
from reconciliation.services.terms import NewTerms
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, sale_of, settle
from tests.factories.agreed import terms_agreed
from tests.payments.deciding import decided
from tests.payments.verify.books import wrong
from tests.reconciliation.given import NOON, imported, listed, reconciled

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 2)  # NOW is noon of it in Kuala Lumpur
AFTER = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # half past midnight of the next day there
ACTOR = Actor("system:test")
LATER_ASKED = Asked(now=NOW + timedelta(minutes=1))


def priced(**values: Any) -> ProviderAccount:
    return ProviderAccountFactory(fee_basis_points=150, fee_fixed_minor=20, **values)


def agreed(merchant: Merchant, **values: Any) -> SettlementTerms:
    """New terms of the merchant, in test mode and MYR."""
    return terms_agreed(merchant.pk, NewTerms(**values))


def settled(merchant: Merchant, day: date = DAY, now: datetime = AFTER) -> list[Settlement]:
    return [made for book in books(merchant.code) for made in settle_book(book, day=day, actor=ACTOR, now=now)]


def given_back(account: ProviderAccount, minor: int, *, paid: int = 10_000, now: datetime = NOW) -> None:
    """A payment of which `minor` is given back."""
    transaction = captured_transaction(account, amount=Money(paid, "MYR"), now=now)
    refund_request(transaction_id=transaction.pk, amount=Money(minor, "MYR"), reason="r", actor=ACTOR, now=now)
    operation = Operation.objects.get(payment__transaction=transaction, kind="REFUND")
    Operation.objects.filter(pk=operation.pk).update(state="SENT", sent_at=now)
    settle(operation, now=now)


def book_other(account: ProviderAccount, minor: int, fact: str, *, now: datetime = NOW) -> None:
    """Book something else: `minor` more (or less) is owed to the merchant."""
    parties = Parties(account.merchant_id, account.pk, account.live)
    rows = Rows()
    fact_id = record_change(
        rows,
        subject=Subject("other", new_id("oth"), 1, account.merchant_id, account.live),
        fact=fact,
        payload={},
        changes={},
        actor=ACTOR,
        now=now,
    )
    legs = [Leg(parties.payable("MYR"), -minor), Leg(parties.receivable("MYR"), minor)]
    post(rows, fact_id=fact_id, fact_name=fact, transaction_id=None, legs=legs, now=now)
    rows.write()


def owed(merchant: Merchant, kind: AccountKind = AccountKind.MERCHANT_PAYABLE) -> int:
    """What an account of the merchant holds for it, as the ledger says."""
    code = AccountRef(kind, "MYR", False, merchant_id=merchant.pk).code
    return -sum(Posting.objects.filter(account=code).values_list("amount_minor", flat=True))


def test_a_period_becomes_one_settlement_that_explains_every_sen() -> None:
    account = priced()
    captured_transaction(account)  # 100.00, fee 1.70
    given_back(account, 2_500)
    book_other(account, -3_000, "dispute.charged_back")
    book_other(account, 1_000, "dispute.reversed")
    book_other(account, 7, "break.adjusted")

    [made] = settled(account.merchant)

    assert (made.day, made.period_from, made.period_to) == (DAY, NOW, datetime(2026, 3, 2, 16, 0, tzinfo=UTC))
    assert (made.line_count, made.gross_minor, made.refund_minor, made.fee_minor) == (6, 20_000, 2_500, 340)
    assert (made.fee_percentage_minor, made.fee_fixed_minor, made.fee_limit_minor, made.fee_other_minor) == (
        300,
        40,
        0,
        0,
    )
    assert (made.dispute_minor, made.adjustment_minor, made.carried_over_minor) == (2_000, 7, 0)
    assert (made.net_minor, made.state, made.pay_on) == (15_167, "CREATED", date(2026, 3, 3))
    assert owed(account.merchant) == 0
    assert owed(account.merchant, AccountKind.PAYOUT_IN_TRANSIT) == 15_167
    fact = Fact.objects.get(subject_id=made.pk)
    assert (fact.name, fact.sequence, fact.payload["amount"], fact.payload["fees"]) == (
        "settlement.created",
        1,
        "151.67",
        "3.40",
    )
    body = render_body(
        event_id=fact.pk, event_type=EVENT_OF_FACT[fact.name], created_at=NOW, sequence=1, data=fact.payload
    )
    assert b'"gross":200.00' in body
    assert AuditRecord.objects.get(subject_id=made.pk).actor == "system:test"
    assert made.entry is not None
    assert made.entry.fact_id == fact.pk


def test_the_same_day_again_makes_nothing_new() -> None:
    account = priced()
    captured_transaction(account)
    settled(account.merchant)
    before = (Fact.objects.count(), Posting.objects.count(), SettlementLine.objects.count())
    captured_transaction(account, now=AFTER)

    assert settled(account.merchant) == []
    assert settled(account.merchant, now=AFTER + timedelta(days=3)) == []

    assert SettlementLine.objects.count() == before[2]
    assert Settlement.objects.count() == 1


def test_a_day_that_goes_on_is_settled_again_for_what_came_since() -> None:
    account = priced()
    captured_transaction(account)
    noon, one, two = (NOW + timedelta(hours=hours) for hours in (0.5, 1, 2))
    [first] = settled(account.merchant, now=noon)
    captured_transaction(account, now=one)

    [second] = settled(account.merchant, now=two)

    assert settled(account.merchant, now=two) == []
    assert [(s.day, s.line_count, s.period_to) for s in (first, second)] == [(DAY, 1, noon), (DAY, 1, two)]
    assert second.period_from == first.period_to
    captured_transaction(account, now=two + timedelta(hours=1))
    [rest] = settled(account.merchant)
    assert (rest.day, rest.line_count, settled(account.merchant)) == (DAY, 1, [])


def test_what_commits_late_is_in_the_next_settlement() -> None:
    account = priced()
    captured_transaction(account)
    settled(account.merchant)
    captured_transaction(
        account, now=NOW - timedelta(hours=1)
    )  # booked before the cut-off, committed after the settlement

    [made] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))

    assert (made.gross_minor, made.line_count) == (10_000, 1)
    assert made.lines.get().booked_at < made.period_from
    assert owed(account.merchant) == 0


def test_what_is_booked_at_the_cut_off_belongs_to_the_next_period() -> None:
    account = priced()
    cut_off = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    captured_transaction(account, now=cut_off - timedelta(microseconds=1))
    captured_transaction(account, now=cut_off)

    [made] = settled(account.merchant)

    assert made.line_count == 1
    [following] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    assert (following.period_from, following.line_count) == (cut_off, 1)


def test_days_that_were_missed_are_settled_one_by_one() -> None:
    account = priced()
    captured_transaction(account)
    settled(account.merchant)
    for days in (1, 3):
        captured_transaction(account, now=NOW + timedelta(days=days))

    made = settled(account.merchant, DAY + timedelta(days=5), AFTER + timedelta(days=5))

    assert [(each.day, each.gross_minor) for each in made] == [
        (DAY + timedelta(days=1), 10_000),
        (DAY + timedelta(days=3), 10_000),
    ]


def test_a_day_that_has_not_ended_is_settled_as_far_as_it_got() -> None:
    account = priced()
    captured_transaction(account)
    captured_transaction(account, now=NOW + timedelta(hours=3))

    [made] = settled(account.merchant, now=NOW + timedelta(hours=1))

    assert (made.line_count, made.period_to) == (1, NOW + timedelta(hours=1))
    [rest] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    assert (rest.line_count, rest.period_from) == (1, NOW + timedelta(hours=1))


def test_a_negative_net_is_carried_over_until_there_is_enough() -> None:
    account = priced()
    given_back(account, 10_000)
    [made] = settled(account.merchant)
    assert (made.net_minor, made.state, made.entry) == (-170, "CARRIED", None)
    assert owed(account.merchant) == -170
    captured_transaction(account, amount=Money(100, "MYR"), now=NOW + timedelta(days=1))  # fee 0.22

    [still] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))

    assert (still.carried_over_minor, still.net_minor, still.state, still.carried_from) == (-170, -92, "CARRIED", made)
    captured_transaction(account, now=NOW + timedelta(days=2))
    [paid] = settled(account.merchant, DAY + timedelta(days=2), AFTER + timedelta(days=2))
    assert (paid.carried_over_minor, paid.net_minor, paid.state) == (-92, 9_738, "CREATED")
    assert owed(account.merchant) == 0
    assert owed(account.merchant, AccountKind.PAYOUT_IN_TRANSIT) == 9_738


def test_less_than_the_minimum_payout_is_carried_over() -> None:
    account = priced()
    agreed(account.merchant, minimum_payout_minor=19_661)
    captured_transaction(account)
    [small] = settled(account.merchant)
    captured_transaction(account, now=NOW + timedelta(days=1))

    [enough] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))

    assert (small.net_minor, small.state) == (9_830, "CARRIED")
    assert (enough.carried_over_minor, enough.net_minor, enough.state) == (9_830, 19_660, "CARRIED")
    agreed(account.merchant, minimum_payout_minor=19_660)
    book_other(account, 1, "break.adjusted", now=NOW + timedelta(days=2))
    [paid] = settled(account.merchant, DAY + timedelta(days=2), AFTER + timedelta(days=2))
    assert (paid.net_minor, paid.state, owed(account.merchant)) == (19_661, "CREATED", 0)


def test_what_was_carried_over_leaves_when_the_minimum_is_lowered_though_nothing_new_is_booked() -> None:
    account = priced()
    agreed(account.merchant, minimum_payout_minor=10_000)
    captured_transaction(account)
    [small] = settled(account.merchant)
    day, night = DAY + timedelta(days=1), AFTER + timedelta(days=1)
    assert (small.state, settled(account.merchant, day, night)) == ("CARRIED", [])

    agreed(account.merchant, minimum_payout_minor=9_830)
    [paid] = settled(account.merchant, day + timedelta(days=3), night + timedelta(days=3))

    assert (paid.line_count, paid.carried_from, paid.net_minor, paid.state) == (0, small, 9_830, "CREATED")
    assert (paid.day, paid.period_from) == (day + timedelta(days=3), small.period_to)
    assert (owed(account.merchant), owed(account.merchant, AccountKind.PAYOUT_IN_TRANSIT)) == (0, 9_830)
    assert settled(account.merchant, day + timedelta(days=4), night + timedelta(days=4)) == []
    assert wrong() == {}


def test_a_debt_that_was_carried_over_makes_no_settlement_by_itself() -> None:
    account = priced()
    given_back(account, 10_000)
    settled(account.merchant)

    assert settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1)) == []
    assert Settlement.objects.get().net_minor == -170


def test_a_reserve_is_held_back_and_released_once_when_its_days_are_over() -> None:
    account = priced()
    agreed(account.merchant, reserve_basis_points=333, reserve_days=2)
    given_back(account, 2_500)

    [made] = settled(account.merchant)

    assert (made.reserve_held_minor, made.net_minor) == (250, 7_080)  # 3.33 % of 75.00, half up; 100 - 25 - 1.70 - 2.50
    assert made.reserve_release_on == DAY + timedelta(days=2)
    assert owed(account.merchant, AccountKind.MERCHANT_RESERVE) == 250
    assert settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1)) == []
    [released] = settled(account.merchant, DAY + timedelta(days=4), AFTER + timedelta(days=4))
    assert (released.day, released.reserve_released_minor, released.net_minor) == (DAY + timedelta(days=2), 250, 250)
    assert owed(account.merchant, AccountKind.MERCHANT_RESERVE) == 0
    assert owed(account.merchant, AccountKind.PAYOUT_IN_TRANSIT) == 7_330
    assert settled(account.merchant, DAY + timedelta(days=9), AFTER + timedelta(days=9)) == []


def test_a_reserve_never_makes_a_settlement_negative() -> None:
    account = priced()
    agreed(account.merchant, reserve_basis_points=10_000, reserve_days=1)
    captured_transaction(account)

    [made] = settled(account.merchant)

    assert (made.reserve_held_minor, made.net_minor, made.state) == (9_830, 0, "CARRIED")
    assert (owed(account.merchant), owed(account.merchant, AccountKind.MERCHANT_RESERVE)) == (0, 9_830)


def test_modes_currencies_and_merchants_are_settled_apart() -> None:
    account = priced()
    live = priced(merchant=account.merchant, live=True)
    other = priced()
    captured_transaction(account)
    captured_transaction(live)
    captured_transaction(priced(merchant=account.merchant, provider="migs"), amount=Money(5_000, "USD"))
    captured_transaction(other)

    made = settled(account.merchant)

    assert [(each.live, each.currency, each.gross_minor) for each in made] == [
        (False, "MYR", 10_000),
        (False, "USD", 5_000),
        (True, "MYR", 10_000),
    ]
    assert not Settlement.objects.filter(merchant=other.merchant).exists()


def test_weekly_terms_close_on_their_day_in_the_merchants_zone() -> None:
    account = priced()
    Merchant.objects.filter(pk=account.merchant_id).update(time_zone="America/New_York")
    agreed(account.merchant, cycle="WEEKLY", weekday=1, cut_off=time(17, 0), pay_after_days=2)
    captured_transaction(account)  # Sunday, 1 March, 23:00 in New York

    assert settled(account.merchant, date(2026, 3, 1), datetime(2026, 3, 2, 12, tzinfo=UTC)) == []
    [made] = settled(account.merchant, date(2026, 3, 5), datetime(2026, 3, 6, tzinfo=UTC))

    assert (made.day, made.period_to) == (DAY, datetime(2026, 3, 2, 22, 0, tzinfo=UTC))
    assert made.pay_on == date(2026, 3, 4)


def test_only_what_a_statement_has_proven_is_settled_where_the_terms_say_so() -> None:
    account = priced()
    agreed(account.merchant, only_proven=True)
    proven, unproven = captured_transaction(account), captured_transaction(account)
    imported(account, [listed(sale_of(proven), provider_reference="F1")])
    reconciled(account)

    [made] = settled(account.merchant)

    assert made.lines.get().entry.transaction == proven
    assert owed(account.merchant) == 9_830
    imported(
        account,
        [listed(sale_of(unproven), provider_reference="F2", at=NOON + timedelta(days=1))],
        day=DAY + timedelta(days=1),
    )
    reconciled(account, day=DAY + timedelta(days=1))
    [later] = settled(account.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    assert later.lines.get().entry.transaction == unproven


@pytest.mark.parametrize("end", [Outcome.SUCCEEDED, Outcome.DECLINED])
def test_what_people_took_as_paid_is_proven_by_a_statement_too(end: Outcome) -> None:
    account = priced()
    agreed(account.merchant, only_proven=True)
    operation = sale_of(new_transaction(account).transaction)
    if end is not Outcome.SUCCEEDED:
        settle(operation, end)
    settle(operation, amount=Money(9_000, "MYR"), provider_reference="F1")  # 100.00 was asked for, or it had ended
    decided(ReviewItem.objects.get(), Decision.ACCEPT)
    assert owed(account.merchant) == 8_845

    assert settled(account.merchant) == []

    assert (SettlementLine.objects.count(), owed(account.merchant)) == (0, 8_845)
    operation.refresh_from_db()
    run = ReconciliationRun.objects.create(
        id="run_1", provider="fpx", live=False, day=DAY, actor="system:test", started_at=NOW
    )
    group = MatchGroup.objects.create(
        id="mtg_1", comparison=Comparison.LEDGER, rule=MatchRule.REFERENCE, run=run, created_at=NOW
    )
    Match.objects.create(operation=operation, group=group, rule=MatchRule.REFERENCE)
    [made] = settled(account.merchant)
    assert (made.net_minor, made.line_count) == (8_845, 1)


# -- what the database itself refuses --------------------------------------------------------------------------------


@pytest.fixture
def made() -> Settlement:
    account = priced()
    captured_transaction(account)
    return settled(account.merchant)[0]


def refused(match: str, sql: str, *parameters: object) -> None:
    with pytest.raises(IntegrityError, match=match), database.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    "column", ["net_minor", "gross_minor", "carried_over_minor", "reserve_held_minor", "day", "pay_on"]
)
def test_the_amounts_of_a_settlement_never_change(made: Settlement, column: str) -> None:
    refused("not changed afterwards", f"UPDATE settlement SET {column} = {column} + 1")


def test_an_entry_is_claimed_once(made: Settlement) -> None:
    line = made.lines.get()
    refused("settlement_line_pkey", _copy("stl_other"))
    assert SettlementLine.objects.get() == line


def _copy(settlement: str, entry: str = "entry_id") -> str:
    return (
        "INSERT INTO settlement_line (entry_id, settlement_id, booked_at, gross_minor, refund_minor, dispute_minor,"
        f" fee_minor, adjustment_minor) SELECT {entry}, '{settlement}', booked_at, 0, 0, 0, 0, 0 FROM settlement_line"
    )


def test_a_line_is_not_added_to_a_settlement_that_is_made(made: Settlement) -> None:
    refused("lines come before it", _copy(made.pk, f"'{made.entry_id}'"))


def test_a_line_needs_an_entry_that_is_there(made: Settlement) -> None:
    refused("entry_id jrn_none of settlement_line is not in journal_entry", _copy("stl_other", "'jrn_none'"))


def test_a_settlement_without_its_lines_does_not_commit(made: Settlement) -> None:
    columns = [field.column for field in Settlement._meta.concrete_fields]
    changed = {"id": "'stl_x'", "day": "day + 1", "period_to": "period_to + interval '1 day'", "entry_id": "NULL"}
    values = ", ".join(changed.get(column, column) for column in columns)

    refused("do not add up", f"INSERT INTO settlement ({', '.join(columns)}) SELECT {values} FROM settlement")


def test_the_parts_make_the_net(made: Settlement) -> None:
    columns = [field.column for field in Settlement._meta.concrete_fields]
    changed = {
        "id": "'stl_x'",
        "day": "day + 1",
        "period_to": "period_to + interval '1 day'",
        "entry_id": "NULL",
        "net_minor": "net_minor + 1",
    }
    values = ", ".join(changed.get(column, column) for column in columns)

    refused("net_is_the_sum", f"INSERT INTO settlement ({', '.join(columns)}) SELECT {values} FROM settlement")


@pytest.mark.parametrize("state", ["PAID", "RETURNED", "CARRIED"])
def test_only_listed_moves_are_made(made: Settlement, state: str) -> None:
    refused("cannot go from CREATED", "UPDATE settlement SET state = %s", state)


def test_a_move_leaves_its_fact_and_audit_record(made: Settlement) -> None:
    rows = Rows()
    settlement_move(rows, made, SettlementState.PAYOUT_PENDING, fact="settlement.payout_sent", actor=ACTOR, now=AFTER)
    rows.write()

    made.refresh_from_db()
    assert (made.state, made.version) == ("PAYOUT_PENDING", 2)
    assert list(Fact.objects.filter(subject_id=made.pk).order_by("sequence").values_list("name", "sequence")) == [
        ("settlement.created", 1),
        ("settlement.payout_sent", 2),
    ]
    assert JournalEntry.objects.filter(fact_name="settlement.payout_sent").count() == 0
