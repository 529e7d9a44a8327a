"""A closed day stays as it is: the service says why, and the database refuses by itself whatever the service would let through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from common.approvals import approve
from common.database import constraint_of
from common.errors import Forbidden, InvalidState
from common.models import AuditRecord, Proposal, ProposalState
from merchants.models import ProviderAccount
from reconciliation.models import Break, CloseState, DayClose, Match, StatementLine
from reconciliation.selectors import closed_days
from reconciliation.services.closing import close_clean_days, day_close, propose_close, propose_reopen
from reconciliation.services.day_figures import day_figures
from reconciliation.services.nightly import close_recent_days
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, NOON, Listed, imported, listed, reconciled
from tests.reconciliation.people import person
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NEXT_MORNING + timedelta(hours=2)
NEXT_DAY = DAY + timedelta(days=1)


def account_of_old() -> ProviderAccount:
    return ProviderAccountFactory(created_at=NOW - timedelta(days=30))


def clean_day() -> ProviderAccount:
    account = account_of_old()
    sales = [sale_of(captured_transaction(account)) for _ in range(3)]
    imported(account, [listed(sale, provider_reference=f"F{n}") for n, sale in enumerate(sales)])
    reconciled(account)
    return account


def day_with_breaks() -> ProviderAccount:
    """One pair that agrees, a line too many (70.00) and a payment that is not listed (100.00)."""
    account = account_of_old()
    sale = sale_of(captured_transaction(account))
    sale_of(captured_transaction(account))
    imported(
        account, [listed(sale, provider_reference="F1"), Listed(account.account_key, "F404", "EPG404", minor=7_000)]
    )
    reconciled(account)
    return account


def closed(account: ProviderAccount, day: date = DAY) -> DayClose:
    return day_close(provider=account.provider, live=account.live, day=day, actor=ACTOR, now=LATER)


def of(account: ProviderAccount) -> dict[str, object]:
    return {"provider": account.provider, "live": account.live, "day": DAY}


def refused_by(write: Callable[[], object]) -> str:
    """The name of the rule by which the database refuses `write`, "" if it does not."""
    try:
        with transaction.atomic():
            write()
            transaction.set_rollback(True)
    except IntegrityError as exc:
        return constraint_of(exc)
    return ""


def sql(statement: str, *parameters: object) -> Callable[[], object]:
    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            assert cursor.rowcount > 0

    return write


def signed(account: ProviderAccount) -> DayClose:
    proposal = propose_close(**of(account), by=person("maker"), reason="Known", actor=ACTOR, now=LATER)  # type: ignore[arg-type]
    approve(proposal_id=proposal.pk, by=person("lead", "finance_lead"), reason="Seen", actor=ACTOR, now=LATER)
    return DayClose.objects.get(proposal=proposal)


def test_a_clean_day_closes_once() -> None:
    account = clean_day()

    first, again = closed(account), closed(account)

    assert (first.state, first.number, first.is_clean, first.carried) == (CloseState.CLOSED, 1, True, 0)
    assert first.figures["lines"] == 3
    assert first.figures["unexplained"] == {}
    assert again == first
    assert list(closed_days(provider="fpx", live=False)) == [first]
    assert AuditRecord.objects.get(action="day.closed").subject_id == "fpx:test:2026-03-02"


def test_eight_closings_at_once_make_one_row() -> None:
    account = clean_day()

    results = race(8, lambda _: closed(account))

    assert {row.pk for row in results} == {DayClose.objects.get().pk}


def test_a_day_that_is_not_clean_stays_open_and_says_why() -> None:
    account = day_with_breaks()

    with pytest.raises(InvalidState, match=r"2 breaks are open, unexplained: MYR -30\.00"):
        closed(account)
    with pytest.raises(InvalidState, match="not over"):
        day_close(**of(account), actor=ACTOR, now=NOW)  # type: ignore[arg-type]
    with pytest.raises(InvalidState, match=r"nobody has to sign|not been compared"):
        propose_close(
            **(of(account) | {"day": NEXT_DAY}), by=person("m"), reason="", actor=ACTOR, now=LATER + timedelta(days=2)
        )  # type: ignore[arg-type]

    assert not DayClose.objects.exists()
    assert not Proposal.objects.exists()


def test_a_day_is_not_clean_without_its_statement_or_its_comparison() -> None:
    account = account_of_old()
    other = account_of_old()
    imported(account, [listed(sale_of(captured_transaction(account)))])

    before = day_figures(**of(account))  # type: ignore[arg-type]
    reconciled(account)
    after = day_figures(**of(account))  # type: ignore[arg-type]

    assert (before.compared, before.not_compared, before.ready) == (False, 1, False)
    assert (after.missing, after.ready, after.clean) == ([other.account_key], True, False)
    assert close_clean_days(days=[("fpx", False, DAY)], actor=ACTOR, now=LATER) == []


def test_two_people_close_with_a_difference_and_the_breaks_go_on() -> None:
    account = day_with_breaks()

    row = signed(account)

    assert (row.state, row.is_clean, row.carried) == (CloseState.CLOSED, False, 2)
    assert row.figures["unexplained"] == {"MYR": -3_000}
    assert row.figures["kinds"] == {"MISSING_AT_PROVIDER": 1, "MISSING_IN_BOOKS": 1}
    assert set(Break.objects.values_list("day", "carried_from", "resolved_at")) == {(NEXT_DAY, DAY, None)}


def test_a_closing_needs_the_second_person_and_the_figures_that_were_signed() -> None:
    account = day_with_breaks()
    maker, lead = person("maker", "finance_lead"), person("lead", "finance_lead")
    with pytest.raises(Forbidden):
        propose_close(**of(account), by=person("ops", "operations"), reason="", actor=ACTOR, now=LATER)  # type: ignore[arg-type]
    proposal = propose_close(**of(account), by=maker, reason="Known", actor=ACTOR, now=LATER)  # type: ignore[arg-type]

    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=maker, reason="", actor=ACTOR, now=LATER)
    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=person("clerk"), reason="", actor=ACTOR, now=LATER)
    imported(account, [Listed(account.account_key, "F405", "EPG405")])
    reconciled(account, now=LATER)
    with pytest.raises(InvalidState, match="other figures"):
        approve(proposal_id=proposal.pk, by=lead, reason="", actor=ACTOR, now=LATER)

    proposal.refresh_from_db()
    assert proposal.state == ProposalState.VOID
    assert not DayClose.objects.exists()
    assert set(Break.objects.values_list("day", flat=True)) == {DAY}


def test_a_break_that_was_resolved_meanwhile_voids_the_signature() -> None:
    account = day_with_breaks()
    proposal = propose_close(**of(account), by=person("maker"), reason="Known", actor=ACTOR, now=LATER)  # type: ignore[arg-type]
    missing = Break.objects.get(kind="MISSING_AT_PROVIDER").operation
    assert missing is not None
    imported(account, [listed(missing, provider_reference="F2")])
    reconciled(account, now=LATER)

    with pytest.raises(InvalidState, match="void"):
        approve(proposal_id=proposal.pk, by=person("lead", "finance_lead"), reason="", actor=ACTOR, now=LATER)

    assert not DayClose.objects.exists()


def test_approving_twice_at_once_closes_once() -> None:
    account = day_with_breaks()
    proposal = propose_close(**of(account), by=person("maker"), reason="Known", actor=ACTOR, now=LATER)  # type: ignore[arg-type]
    leads = [person(f"lead{n}", "finance_lead") for n in range(4)]

    results = race(4, lambda n: approve(proposal_id=proposal.pk, by=leads[n], reason="", actor=ACTOR, now=LATER))

    assert sum(isinstance(result, Proposal) for result in results) == 1
    assert DayClose.objects.count() == 1


def test_the_database_refuses_a_closing_that_nobody_signed() -> None:
    account = day_with_breaks()
    values = (
        "INSERT INTO day_close (id, provider, live, day, number, state, is_clean, carried, figures, actor, reason, at, last_line_id)"
        " VALUES ('day_x', 'fpx', false, %s, %s, %s, %s, 0, '{}', 'x', '', now(), 0)"
    )

    assert refused_by(sql(values, DAY, 1, "CLOSED", True)) == "day_close_nothing_open"
    assert refused_by(sql(values, NEXT_DAY, 1, "CLOSED", False)) == "day_close_needs_approval"
    assert refused_by(sql(values, NEXT_DAY, 1, "CLOSED", True)) == ""
    assert refused_by(sql(values, NEXT_DAY, 2, "CLOSED", True)) == "day_close_in_turn"
    assert refused_by(sql(values, NEXT_DAY, 1, "REOPENED", False)) in ("day_close_in_turn", "day_close_needs_approval")
    assert refused_by(sql(values, NEXT_DAY, 1, "REOPENED", True)) in (
        "day_close_in_turn",
        "day_close_clean_carries_nothing",
    )
    signed(account)
    assert refused_by(sql(values, DAY, 2, "REOPENED", False)) == "day_close_needs_approval"
    assert refused_by(sql("UPDATE day_close SET state = 'REOPENED'")) == "day_close_append_only"
    assert refused_by(sql("DELETE FROM day_close")) == "day_close_append_only"


def test_nothing_of_a_closed_day_changes() -> None:
    account = clean_day()
    sale = sale_of(captured_transaction(account))
    run = reconciled(account, day=NEXT_DAY)
    closed(account)
    line = StatementLine.objects.order_by("id").first()
    assert line is not None
    add_line = (
        "INSERT INTO statement_line (statement_id, number, provider, account_key, provider_account_id, type, provider_reference, occurrence,"
        " our_reference, at, currency, amount_minor, fee_minor, net_minor, status_code) SELECT statement_id, 99, provider, account_key,"
        " provider_account_id, type, 'F99', 1, '', at, currency, amount_minor, fee_minor, net_minor, status_code FROM statement_line WHERE id = %s"
    )

    assert refused_by(sql(add_line, line.pk)) == "statement_line_day_open"
    late = Break.objects.create(
        run=run, provider="fpx", live=False, day=DAY, kind="MISSING_AT_PROVIDER", operation=sale, our_currency="MYR",
        our_minor=10_000, cause="x", first_seen_at=LATER, last_seen_at=LATER,
    )  # fmt: skip
    late.refresh_from_db()
    assert (late.day, late.carried_from) == (NEXT_DAY, DAY)
    assert refused_by(sql("UPDATE reconciliation_break SET day = %s WHERE id = %s", DAY, late.pk)) in (
        "reconciliation_break_day_open",
        "reconciliation_break_carried_forward",
    )


def test_a_line_of_a_closed_day_is_matched_only_where_it_was_handed_on() -> None:
    account = day_with_breaks()
    other = sale_of(captured_transaction(account))
    run = reconciled(account, day=NEXT_DAY)
    line = StatementLine.objects.get(provider_reference="F404")
    signed(account)
    claim = "INSERT INTO reconciliation_match (run_id, line_id, operation_id, rule) VALUES (%s, %s, %s, 'REFERENCE')"

    assert refused_by(sql(claim, run.pk, line.pk, other.pk)) == ""
    Break.objects.filter(line=line).update(resolved_at=LATER, resolved_by_run=run, resolution="EXPLAINED")
    assert refused_by(sql(claim, run.pk, line.pk, other.pk)) == "reconciliation_match_day_open"


def test_a_resolved_break_of_a_closed_day_is_not_touched() -> None:
    account = day_with_breaks()
    Break.objects.update(resolved_at=LATER, resolved_by_run=reconciled(account, day=NEXT_DAY), resolution="EXPLAINED")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM reconciliation_break ORDER BY id LIMIT 1")
        found = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO day_close (id, provider, live, day, number, state, is_clean, carried, figures, actor, reason, at, last_line_id)"
            " VALUES ('day_x', 'fpx', false, %s, 1, 'CLOSED', true, 0, '{}', 'x', '', now(), 0)",
            [DAY],
        )

    assert (
        refused_by(sql("UPDATE reconciliation_break SET cause = 'other' WHERE id = %s", found))
        == "reconciliation_break_day_open"
    )


def test_later_runs_go_on_with_what_was_handed_on() -> None:
    account = day_with_breaks()
    signed(account)
    missing = Break.objects.get(kind="MISSING_AT_PROVIDER").operation
    assert missing is not None
    late = sale_of(captured_transaction(account))

    imported(
        account,
        [listed(missing, provider_reference="F2", at=NEXT_MORNING)],
        day=NEXT_DAY,
        now=LATER + timedelta(days=1),
    )
    for day in (NEXT_DAY, DAY):
        reconciled(account, day=day, now=LATER + timedelta(days=1))

    open_breaks = set(Break.objects.filter(resolved_at=None).values_list("kind", "day", "carried_from", "operation"))
    assert open_breaks == {
        ("MISSING_IN_BOOKS", NEXT_DAY, DAY, None),
        ("MISSING_AT_PROVIDER", NEXT_DAY, DAY, late.pk),
    }
    assert Match.objects.filter(operation=missing).exists()


def test_opening_again_needs_two_and_leaves_a_trace() -> None:
    account = clean_day()
    maker, lead = person("maker", "finance_lead"), person("lead", "finance_lead")
    with pytest.raises(InvalidState, match="not closed"):
        propose_reopen(**of(account), by=maker, reason="", actor=ACTOR, now=LATER)  # type: ignore[arg-type]
    closed(account)
    late = [Listed(account.account_key, "F404", "EPG404")]
    refused = imported(account, late, now=LATER)
    assert (refused.state, refused.reason) == (
        "REFUSED",
        "2026-03-02 is closed: two people have to open it again first",
    )
    assert StatementLine.objects.count() == 3
    proposal = propose_reopen(**of(account), by=maker, reason="A file came", actor=ACTOR, now=LATER)  # type: ignore[arg-type]

    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=maker, reason="", actor=ACTOR, now=LATER)
    assert list(closed_days(provider="fpx", live=False).values_list("day", flat=True)) == [DAY]
    approve(proposal_id=proposal.pk, by=lead, reason="Yes", actor=ACTOR, now=LATER)
    assert not closed_days(provider="fpx", live=False).exists()
    assert imported(account, late, now=LATER).state == "IMPORTED"
    reconciled(account, now=LATER)

    with pytest.raises(InvalidState, match="1 breaks"):
        closed(account)
    history = DayClose.objects.order_by("number").values_list("number", "state", "reason")
    assert list(history) == [(1, "CLOSED", ""), (2, "REOPENED", "A file came")]


def test_a_statement_and_a_closing_at_once_leave_no_line_in_a_closed_day() -> None:
    for round_ in range(5):
        account = clean_day() if round_ == 0 else ProviderAccount.objects.get()
        day = DAY + timedelta(days=10 + round_)
        imported(account, [], day=day, now=LATER + timedelta(days=20))
        reconciled(account, day=day, now=LATER + timedelta(days=20))

        def act(number: int, account: ProviderAccount = account, day: date = day) -> object:
            if number:
                return day_close(provider="fpx", live=False, day=day, actor=ACTOR, now=LATER + timedelta(days=20))
            line = Listed(account.account_key, f"F{day}", "EPG404", at=NOON + (day - DAY))
            return imported(account, [line], day=day, now=LATER + timedelta(days=20))

        race(2, act)

        assert StatementLine.objects.filter(statement__day=day).exists() != DayClose.objects.filter(day=day).exists()


def test_the_night_closes_what_is_clean_and_leaves_the_rest_to_people() -> None:
    account = clean_day()
    imported(account, [Listed(account.account_key, "F404", "EPG404")], day=DAY - timedelta(days=1))
    reconciled(account, day=DAY - timedelta(days=1))

    first, again = close_recent_days(now=LATER), close_recent_days(now=LATER)

    assert [row.day for row in first] == [DAY]
    assert again == []


def test_the_command_says_what_is_open() -> None:
    account = day_with_breaks()

    with pytest.raises(CommandError) as refused:
        call_command("close_day", provider="fpx", date=DAY)
    assert refused.value.returncode == 1
    assert "2 breaks are open, unexplained: MYR -30.00" in str(refused.value)

    signed(account)
    call_command("close_day", provider="fpx", date=DAY)
    assert DayClose.objects.count() == 1
