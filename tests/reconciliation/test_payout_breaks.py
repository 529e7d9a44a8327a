"""A payout that the bank has had for longer than it needs and has not shown is a break, which ends when the bank or two people have spoken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db import transaction as database

from common.database import constraint_of
from common.errors import InvalidState
from common.models import Proposal
from payments.models import Posting
from payments.models.ledger import AccountKind
from reconciliation.models import (
    BankLine,
    BankMatch,
    Break,
    Payout,
    PayoutBank,
    PayoutFile,
    ReconciliationRun,
    Remittance,
    Source,
)
from reconciliation.selectors import break_difference
from reconciliation.services.day_figures import day_figures
from reconciliation.services.payout_files import payout_file_make, payouts_send
from reconciliation.services.payouts import payout_confirm
from reconciliation.services.reconcile import reconcile_day
from reconciliation.services.resolutions import ADJUST, WRITE_OFF, propose_resolution
from reconciliation.whereabouts import Step, ways_of
from tests.console.conftest import SignIn
from tests.factories.agreed import new_calendar, payout_bank_agreed, source_agreed
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.paying import ACTOR, LATER, a_bank, bank_lines, maker, our_bank, released, to_bank, yes
from tests.reconciliation.test_settle import DAY, owed

pytestmark = pytest.mark.django_db
DUE = date(2026, 3, 6)  # sent on the third, the bank's time
NET = 9_830


def bank() -> Source:
    values = {"name": "My bank", "side": "BANK", "format": "camt053"}
    return Source.objects.get_or_create(code="mybank", defaults=values)[0]


def sent() -> Payout:
    """A payout that the bank has had since the third of March."""
    bank()
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=LATER)
    payout.refresh_from_db()
    assert payout.state == "SENT"
    return payout


def morning_after(day: date) -> datetime:
    """When the bank's statement of the day is due."""
    return datetime(day.year, day.month, day.day, 23, tzinfo=UTC) + timedelta(days=1)


def compared(day: date, source: str = "mybank", *, now: datetime | None = None) -> ReconciliationRun:
    """The bank's day, in the morning after it is due unless told otherwise."""
    return reconcile_day(provider=source, live=False, day=day, actor=ACTOR, now=now or morning_after(day))


def other_bank() -> Source:
    return Source.objects.create(code="other", name="Other bank", side="BANK", format="camt053")


def open_breaks() -> list[tuple[str, str | None, int | None]]:
    rows = Break.objects.filter(resolved_at=None).order_by("pk")
    return [(found.kind, found.payout_id, found.our_minor) for found in rows]


def test_it_is_a_break_from_its_due_day_on_and_only_once() -> None:
    payout = sent()

    assert compared(DUE - timedelta(days=1)).breaks_opened == 0
    assert open_breaks() == []

    assert [compared(day).breaks_opened for day in (DUE, DUE, DUE + timedelta(days=1))] == [1, 0, 0]

    found = Break.objects.get()
    assert (found.kind, found.payout, found.provider, found.day) == ("MISSING_AT_PROVIDER", payout, "mybank", DUE)
    assert (found.our_currency, found.our_minor, found.their_minor) == ("MYR", -NET, None)
    assert break_difference(found) == {"MYR": NET}
    assert found.cause == "We sent it to the bank, it is due, and the bank does not show it."
    figures = day_figures(provider="mybank", live=False, day=DUE)
    assert (figures.open_breaks, figures.unexplained) == (1, {"MYR": NET})
    assert wrong() == {}


def test_it_closes_itself_when_the_bank_shows_it() -> None:
    payout = sent()
    compared(DUE)
    bank_lines((payout.end_to_end_id, -payout.amount_minor))

    assert compared(DUE + timedelta(days=1)).breaks_closed == 1

    payout.refresh_from_db()
    found = Break.objects.get()
    assert (payout.state, found.resolution, open_breaks()) == ("PAID", "EXPLAINED", [])
    assert wrong() == {}


@pytest.mark.parametrize("returned", [False, True])
def test_it_closes_itself_when_two_people_have_said_what_became_of_it(returned: bool) -> None:
    payout = sent()
    compared(DUE)

    yes(payout_confirm(payout_id=payout.pk, returned=returned, by=maker(), reason="By phone", actor=ACTOR, now=LATER))

    assert day_figures(provider="mybank", live=False, day=DUE).unexplained == {}
    compared(DUE + timedelta(days=1))
    assert open_breaks() == []
    assert wrong() == {}


def test_the_banks_lines_of_one_that_people_said_came_back_take_each_other_back() -> None:
    payout = sent()
    yes(payout_confirm(payout_id=payout.pk, returned=True, by=maker(), reason="By phone", actor=ACTOR, now=LATER))
    bank_lines((payout.end_to_end_id, -payout.amount_minor))
    compared(DUE)
    assert open_breaks() == [("MISSING_IN_BOOKS", None, None)]

    bank_lines((payout.end_to_end_id, payout.amount_minor))
    compared(DUE + timedelta(days=1))

    assert open_breaks() == []
    assert BankMatch.objects.values("group").distinct().count() == 1
    assert wrong() == {}


def test_a_line_that_names_it_and_does_not_fit_is_said() -> None:
    payout = sent()
    [line] = bank_lines((payout.end_to_end_id, -payout.amount_minor + 1))

    compared(DUE)

    assert open_breaks() == [("MISSING_IN_BOOKS", None, None), ("MISSING_AT_PROVIDER", payout.pk, -NET)]
    found = Break.objects.get(payout=payout)
    assert found.cause == f"The bank does not show that it left, only {line.reference}, which does not fit."
    assert [(near["item"], near["id"], near["difference"]) for near in found.nearest] == [
        ("bank_line", str(line.pk), 1)
    ]


def test_bank_holidays_give_it_time() -> None:
    source_agreed(bank().pk, calendar=new_calendar("MY", {"2026-03-06": "A holiday"}))
    payout = sent()

    compared(DUE)
    compared(DUE + timedelta(days=2))
    assert open_breaks() == []

    compared(date(2026, 3, 9))  # Monday
    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]


def test_another_bank_neither_opens_nor_closes_it() -> None:
    payout = sent()
    other_bank()

    compared(DUE, "other")
    assert open_breaks() == []
    compared(DUE)
    compared(DUE + timedelta(days=1), "other")

    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]


@pytest.mark.parametrize("days", [-4, -1, 1, 40])
def test_comparing_another_day_again_does_not_close_it(days: int) -> None:
    payout = sent()
    compared(DUE)

    run = compared(DUE + timedelta(days=days), now=morning_after(DUE + timedelta(days=max(days, 1))))

    assert (run.breaks_opened, run.breaks_closed) == (0, 0)
    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]


def test_holidays_that_are_agreed_on_later_do_not_close_it() -> None:
    payout = sent()
    compared(DUE)
    source_agreed("mybank", calendar=new_calendar("MY", {"2026-03-06": "A holiday"}))

    assert compared(DUE + timedelta(days=1)).breaks_closed == 0

    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]


def test_one_that_the_bank_refused_and_has_again_has_its_days_anew() -> None:
    bank()
    [payout] = released(to_bank())
    with a_bank() as answering:
        answering.answers = [400, 202]
        ours = our_bank(answering.url)
        payout_file_make(bank_id=ours.pk, actor=ACTOR, now=LATER)
        compared(DUE)
        assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]
        again = morning_after(DUE) + timedelta(hours=1)
        assert payouts_send(now=again - timedelta(minutes=1)) == payouts_send(now=again) == 1
    payout.refresh_from_db()
    assert (payout.state, payout.sent_at) == ("SENT", again)

    assert compared(DUE + timedelta(days=2)).breaks_closed == 1
    assert open_breaks() == []

    assert compared(DUE + timedelta(days=5)).breaks_opened == 1  # sent on the eighth, the bank's time
    assert Break.objects.get(resolved_at=None).day == DUE + timedelta(days=5)


def test_it_stays_with_the_bank_that_has_it_when_payouts_are_made_from_another() -> None:
    payout = sent()
    other_bank()
    payout_bank_agreed(PayoutBank.objects.get(), source="other", account_key="9999")

    assert compared(DUE, "other").breaks_opened == 0
    assert compared(DUE).breaks_opened == 1
    assert compared(DUE + timedelta(days=1), "other").breaks_closed == 0

    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]
    assert Break.objects.get().provider == "mybank"
    assert wrong() == {}

    bank_lines((payout.end_to_end_id, -payout.amount_minor))
    assert compared(DUE + timedelta(days=2)).breaks_closed == 1
    assert open_breaks() == []
    assert wrong() == {}


@pytest.mark.parametrize("values", [{"provider": "other"}, {"account_key": "9999"}])
def test_a_line_of_another_account_proves_nothing_and_is_said(values: dict[str, str]) -> None:
    payout = sent()
    other_bank()
    source = values.get("provider", "mybank")
    [line] = bank_lines((payout.end_to_end_id, -NET), **values)

    compared(DUE, source)
    compared(DUE)

    payout.refresh_from_db()
    assert (payout.state, BankMatch.objects.count()) == ("SENT", 0)
    assert owed(payout.merchant, AccountKind.PAYOUT_IN_TRANSIT) == NET
    assert sorted(open_breaks()) == [("MISSING_AT_PROVIDER", payout.pk, -NET), ("MISSING_IN_BOOKS", None, None)]
    said = Break.objects.get(bank_line=line)
    assert said.provider == source
    assert said.cause == f"It names the payout {payout.end_to_end_id}, which is paid from mybank 514011112222."
    missed = Break.objects.get(payout=payout)
    shown = f"{source} {line.account_key} {line.reference}"
    assert missed.cause == f"The bank does not show that it left, only {shown}, which does not fit."
    assert [near["id"] for near in missed.nearest] == [str(line.pk)]
    assert wrong() == {}

    bank_lines((payout.end_to_end_id, -NET))
    compared(DUE + timedelta(days=1))
    compared(DUE + timedelta(days=1), source)

    assert open_breaks() == [("MISSING_IN_BOOKS", None, None)]  # paid twice, for all that we know
    said.refresh_from_db()
    assert said.resolved_at is None
    assert wrong() == {}


def test_two_people_may_say_that_another_account_has_paid_it() -> None:
    payout = sent()
    other_bank()
    [line, less] = bank_lines((payout.end_to_end_id, -NET), (payout.end_to_end_id, -NET + 1), provider="other")
    compared(DUE)
    compared(DUE, "other")
    ask: dict[str, Any] = {
        "payout_id": payout.pk,
        "by": maker(),
        "reason": "Their letter",
        "actor": ACTOR,
        "now": LATER,
    }
    for refused in ({"returned": False, "line_id": less.pk}, {"returned": True, "line_id": line.pk}):
        with pytest.raises(InvalidState, match="does not show the payout"):
            payout_confirm(**ask, **refused)

    proposal = yes(payout_confirm(**ask, returned=False, line_id=line.pk))

    assert proposal.summary.endswith(f"arrived, paid from other 514011112222 by {line.reference}")
    payout.refresh_from_db()
    assert (payout.state, payout.confirmed_by, payout.bank_match.group.proposal) == ("PAID", proposal, proposal)
    assert booked("bank:other/514011112222:test:MYR") == -NET
    assert (booked("bank:unproven:test:MYR"), owed(payout.merchant, AccountKind.PAYOUT_IN_TRANSIT)) == (0, 0)
    compared(DUE + timedelta(days=1))
    compared(DUE + timedelta(days=1), "other")
    assert list(Break.objects.filter(resolved_at=None).values_list("bank_line", flat=True)) == [less.pk]
    assert wrong() == {}

    [twice] = bank_lines((payout.end_to_end_id, -NET))
    compared(DUE + timedelta(days=2))

    said = Break.objects.get(bank_line=twice)
    assert said.cause == f"It names the payout {payout.end_to_end_id}, which the bank has shown already."
    assert booked("bank:mybank/514011112222:test:MYR") == 0
    assert wrong() == {}
    with rules_lifted("proposal"):
        Proposal.objects.filter(pk=proposal.pk).update(parameters={"bank_line": less.pk})
    assert set(wrong()) == {"payouts_are_proven"}


def test_a_line_that_is_matched_meanwhile_voids_what_was_proposed_of_it() -> None:
    payout = sent()
    other_bank()
    [line] = bank_lines((payout.end_to_end_id, -NET), provider="other")
    ask: dict[str, Any] = {
        "payout_id": payout.pk,
        "by": maker(),
        "reason": "Their letter",
        "actor": ACTOR,
        "now": LATER,
    }
    proposal = payout_confirm(**ask, returned=False, line_id=line.pk)
    bank_lines((payout.end_to_end_id, NET), provider="other")  # taken back
    compared(DUE, "other")

    with pytest.raises(InvalidState, match="matched already"):
        yes(proposal)

    payout.refresh_from_db()
    proposal.refresh_from_db()
    assert (payout.state, proposal.state) == ("SENT", "VOID")
    assert wrong() == {}


def booked(code: str) -> int:
    return sum(Posting.objects.filter(account=code).values_list("amount_minor", flat=True))


def test_money_that_comes_back_to_another_account_is_said() -> None:
    payout = sent()
    bank_lines((payout.end_to_end_id, -NET))
    compared(DUE)
    other_bank()
    [line] = bank_lines((payout.end_to_end_id, NET), provider="other")

    compared(DUE, "other")

    payout.refresh_from_db()
    assert (payout.state, owed(payout.merchant)) == ("PAID", 0)
    assert Break.objects.get(resolved_at=None).bank_line == line
    assert wrong() == {}


def test_a_line_that_names_a_payout_is_no_remittance() -> None:
    payout = sent()
    other_bank()
    statement = bank_lines(("x", 1), provider="fpx")[0].statement
    Remittance.objects.create(
        id="rmt_back", statement=statement, provider="fpx", account_key="A", live=False, day=DAY, due_on=DAY,
        currency="MYR", line_count=1, gross_minor=-NET, fee_minor=0, net_minor=-NET,
    )  # fmt: skip
    [line] = bank_lines((payout.end_to_end_id, -NET), provider="other")

    compared(DUE, "other")

    assert not BankMatch.objects.exists()
    assert Break.objects.get(bank_line=line).kind == "MISSING_IN_BOOKS"


def test_what_the_bank_booked_twice_and_took_back_did_not_come_back() -> None:
    payout = sent()
    bank_lines((payout.end_to_end_id, -NET), (payout.end_to_end_id, -NET))
    compared(DUE)
    assert [found.cause for found in Break.objects.filter(resolved_at=None)] == [
        f"It names the payout {payout.end_to_end_id}, which the bank has shown already."
    ]

    bank_lines((payout.end_to_end_id, NET))
    compared(DUE + timedelta(days=1))

    payout.refresh_from_db()
    assert (payout.state, owed(payout.merchant), open_breaks()) == ("PAID", 0, [])
    assert wrong() == {}


def adjusted(line: BankLine) -> None:
    found = Break.objects.get(bank_line=line, resolved_at=None)
    yes(propose_resolution(kind=ADJUST, break_id=found.pk, by=maker(), reason="Twice", actor=ACTOR, now=LATER))


def test_the_credit_for_what_was_booked_twice_and_adjusted_is_no_return() -> None:
    payout = sent()
    _, twice = bank_lines((payout.end_to_end_id, -NET), (payout.end_to_end_id, -NET))
    compared(DUE)
    adjusted(twice)

    [back] = bank_lines((payout.end_to_end_id, NET))
    compared(DUE + timedelta(days=1))

    payout.refresh_from_db()
    assert (payout.state, owed(payout.merchant)) == ("PAID", 0)
    said = Break.objects.get(resolved_at=None)
    assert (said.bank_line, said.kind) == (back, "MISSING_IN_BOOKS")
    assert said.cause == f"It names the payout {payout.end_to_end_id}, which the bank has shown to leave once more."
    adjusted(back)
    assert (owed(payout.merchant), open_breaks(), wrong()) == (0, [], {})

    bank_lines((payout.end_to_end_id, NET))  # and then it does come back
    compared(DUE + timedelta(days=2))
    payout.refresh_from_db()
    assert (payout.state, owed(payout.merchant), open_breaks(), wrong()) == ("RETURNED", NET, [], {})


def test_a_debit_of_what_came_back_is_said_to_have_left_once_more() -> None:
    payout = sent()
    bank_lines((payout.end_to_end_id, -NET), (payout.end_to_end_id, NET))
    compared(DUE)
    [again] = bank_lines((payout.end_to_end_id, -NET))

    compared(DUE + timedelta(days=1))

    said = Break.objects.get(resolved_at=None)
    assert said.bank_line == again
    assert said.cause == (
        f"It names the payout {payout.end_to_end_id}, which came back and then left once more: "
        "the merchant was owed it again, and may be paid twice. Say on the payout's page that this line shows it."
    )
    ask: dict[str, Any] = {"payout_id": payout.pk, "by": maker(), "reason": "Seen", "actor": ACTOR, "now": LATER}
    proposal = yes(payout_confirm(**ask, returned=False, line_id=again.pk))

    assert proposal.summary.endswith(f"left once more by {again.reference}: the merchant is owed it no longer")
    payout.refresh_from_db()
    assert (payout.state, payout.settlement.state, payout.ended_at, owed(payout.merchant)) == ("PAID", "PAID", None, 0)
    assert booked("bank:mybank/514011112222:test:MYR") == -NET
    assert compared(DUE + timedelta(days=2)).breaks_closed == 1
    assert (open_breaks(), wrong()) == ([], {})
    with pytest.raises(InvalidState, match="does not show the payout"):
        payout_confirm(**ask, returned=False, line_id=again.pk)

    bank_lines((payout.end_to_end_id, NET))
    compared(DUE + timedelta(days=3))
    payout.refresh_from_db()
    assert (payout.state, owed(payout.merchant), open_breaks(), wrong()) == ("RETURNED", NET, [], {})


def test_a_debit_of_one_that_people_said_came_back_may_be_said_to_have_paid_it() -> None:
    payout = sent()
    ask: dict[str, Any] = {"payout_id": payout.pk, "by": maker(), "reason": "Seen", "actor": ACTOR, "now": LATER}
    yes(payout_confirm(**ask, returned=True))
    [line] = bank_lines((payout.end_to_end_id, -NET))
    compared(DUE)

    yes(payout_confirm(**ask, returned=False, line_id=line.pk))

    payout.refresh_from_db()
    assert (payout.state, payout.bank_match.group.bank_matches.count(), owed(payout.merchant)) == ("PAID", 2, 0)
    assert booked("bank:mybank/514011112222:test:MYR") == -NET
    compared(DUE + timedelta(days=1))
    assert (open_breaks(), wrong()) == ([], {})


def test_what_is_sent_from_another_bank_is_missed_there() -> None:
    bank()
    other_bank()
    ours = our_bank()
    payout_bank_agreed(ours, source="other", account_key="9999")
    [payout] = released(to_bank())
    payouts_send(now=LATER)

    assert compared(DUE).breaks_opened == 0
    assert compared(DUE, "other").breaks_opened == 1

    assert (Break.objects.get().provider, Break.objects.get().payout) == ("other", payout)
    file = PayoutFile.objects.get()
    assert (file.source, file.account_key) == ("other", "9999")


def test_one_that_a_bank_refused_is_missed_at_the_other_bank_that_has_it_now() -> None:
    bank()
    other_bank()
    [payout] = released(to_bank())
    with a_bank() as answering:
        answering.answers = [400, 202]
        ours = our_bank(answering.url)
        payout_file_make(bank_id=ours.pk, actor=ACTOR, now=LATER)
        compared(DUE)
        payouts_send(now=morning_after(DUE) - timedelta(minutes=1))
        payout_bank_agreed(ours, source="other", account_key="9999")
        payouts_send(now=morning_after(DUE))
    due = DUE + timedelta(days=5)

    run = compared(due, "other")

    assert (run.breaks_opened, run.breaks_closed) == (1, 1)
    found = Break.objects.get(resolved_at=None)
    assert (found.provider, found.payout, found.day) == ("other", payout, due)
    assert day_figures(provider="other", live=False, day=due).unexplained == {"MYR": NET}
    assert wrong() == {}


def test_it_is_not_written_off_and_nothing_is_proposed() -> None:
    payout = sent()
    compared(DUE)
    found = Break.objects.get()
    before = Proposal.objects.count()

    with pytest.raises(InvalidState, match="it arrived, or that it came back"):
        propose_resolution(kind=WRITE_OFF, break_id=found.pk, by=maker(), reason="x", actor=ACTOR, now=LATER)

    assert Proposal.objects.count() == before
    assert open_breaks() == [("MISSING_AT_PROVIDER", payout.pk, -NET)]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({}, "reconciliation_break_open_once"),
        ({"kind": "AMOUNT_MISMATCH"}, "reconciliation_break_of_a_payout_alone"),
        ({"payout_id": None}, "reconciliation_break_of_something"),
    ],
)
def test_the_database_refuses(values: dict[str, Any], constraint: str) -> None:
    sent()
    compared(DUE)
    row = Break.objects.values().get()
    del row["id"]

    with pytest.raises(IntegrityError) as refused, database.atomic():
        Break.objects.create(**row | values)

    assert constraint_of(refused.value) == constraint


def test_whose_bank_a_file_is_does_not_change() -> None:
    sent()
    file = PayoutFile.objects.get()

    with pytest.raises(IntegrityError) as refused, database.atomic():
        PayoutFile.objects.update(source="other")
    assert constraint_of(refused.value) == "payout_file_fixed_columns"

    row = PayoutFile.objects.values().get() | {"id": "pyf_2", "message_id": "PYF2", "account_key": "99"}
    with pytest.raises(IntegrityError) as refused, database.atomic():
        PayoutFile.objects.create(**row)
    assert constraint_of(refused.value) == "payout_file_of_its_bank"

    assert list(PayoutFile.objects.values_list("pk", "source", "account_key")) == [(file.pk, "mybank", "514011112222")]


def test_the_queue_and_the_page_show_it_and_so_does_where_the_money_is(sign_in: SignIn) -> None:
    payout = sent()
    compared(DUE)
    found, client = Break.objects.get(), sign_in("finance")
    queue, page = "/admin/reconciliation/break/", f"/admin/reconciliation/break/{found.pk}/change/"

    for query, shown in (
        ("about=payouts", True),
        ("about=payments", False),
        ("about=bank", False),
        (f"q={payout.end_to_end_id}", True),
    ):
        assert (page in client.get(f"{queue}?{query}").content.decode()) is shown, query
    text = client.get(page).content.decode()
    assert payout.end_to_end_id in text
    assert "say there that it arrived or came back" in text
    assert "Write off" not in text
    assert client.get(f"{queue}{found.pk}/match/").status_code == 200
    assert client.get(f"{queue}export/").status_code == 200
    [transaction] = payout.merchant.transactions.all()
    [last] = [link for link in ways_of([transaction.pk], today=DUE)[transaction.pk].links if link.step == Step.PAID_OUT]
    assert (last.done_on, last.break_id) == (None, found.pk)
    assert (
        f'href="{page}">Break</a>'
        in client.get(f"/admin/payments/transaction/{transaction.pk}/change/").content.decode()
    )
