"""A line that cannot be read is set aside, put right and read alone, or discarded by two people; never zero, never dropped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction

from common.approvals import approve
from common.books import Asked, verify
from common.errors import Forbidden, InvalidRequest, InvalidState
from common.models import AuditRecord, Proposal
from merchants.models import ProviderAccount
from reconciliation.models import (
    BankLine,
    DayClose,
    QuarantinedLine,
    Remittance,
    Source,
    Statement,
    StatementLine,
)
from reconciliation.services.closing import propose_close, propose_reopen
from reconciliation.services.imports import statement_import
from reconciliation.services.quarantine import columns_of, line_discard_propose, line_fix
from reconciliation.services.reconcile import reconcile_day
from tests.factories import ProviderAccountFactory
from tests.factories.agreed import new_bank_account
from tests.reconciliation.bank_files import IBAN, camt, entry
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file
from tests.support.race import race

pytestmark = pytest.mark.django_db
GOOD = [Listed("SE1", "F1", "EPG1"), Listed("SE1", "F2", "EPG2", minor=2_550), Listed("SE1", "F3", "EPG3", minor=100)]


def take(content: bytes, account: ProviderAccount | None = None, provider: str = "fpx") -> Statement:
    return statement_import(
        content=content, provider=provider, account=account, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    ).statement


def spoilt(text: bytes, *pairs: tuple[bytes, bytes]) -> bytes:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


BAD = ((b",25.50,", b",25.5O,"), (b",1.00,", b",1.O0,"))


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccountFactory(account_key="SE1")


def right(line: QuarantinedLine, **cells: str) -> list[str]:
    columns = columns_of(line.statement)
    return [cells.get(name, cell) for name, cell in zip(columns, line.cells, strict=True)]


def wrong() -> list[str]:
    return [f"{check.name}: {text}" for check, found in verify(Asked(now=NEXT_MORNING)) for text in found.violations]


def users(*permissions: str) -> list[User]:
    made = []
    for number in range(2):
        user = User.objects.create_user(f"person{number}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        made.append(User.objects.get(pk=user.pk))
    return made


def test_the_rest_is_read_and_the_lines_are_put_right_one_by_one(account: ProviderAccount) -> None:
    statement = take(spoilt(fpx_file(GOOD, account="SE1"), *BAD), account)

    assert (statement.state, statement.controls, statement.line_count) == ("IMPORTED", "WAITING", 3)
    assert (statement.new_line_count, statement.quarantined_count) == (1, 2)
    first, second = QuarantinedLine.objects.order_by("number")
    assert (first.number, first.reason) == (4, "'25.5O' is not an amount like 1234.50")
    assert wrong() == []

    line_fix(line_id=first.pk, cells=right(first, AMOUNT="25.50"), actor=ACTOR, now=NEXT_MORNING)

    statement.refresh_from_db()
    assert (statement.controls, statement.new_line_count) == ("WAITING", 2)
    assert StatementLine.objects.get(provider_reference="F2").amount_minor == 2_550
    line_fix(line_id=second.pk, cells=right(second, AMOUNT="1.00"), actor=ACTOR, now=NEXT_MORNING)

    statement.refresh_from_db()
    assert (statement.controls, statement.new_line_count, statement.net_total) == ("AGREED", 3, 12_500)
    assert list(Remittance.objects.order_by("part").values_list("part", "line_count", "net_minor")) == [
        (1, 1, 9_950),
        (2, 1, 2_500),
        (3, 1, 50),
    ]
    assert AuditRecord.objects.filter(action="quarantine.fixed", subject_id=statement.pk).count() == 2
    assert wrong() == []


def test_entries_in_a_currency_of_three_decimals_come_to_what_the_file_states() -> None:
    source = Source.objects.create(code="kwd", name="K", side="BANK", format="camt053")
    new_bank_account(source, IBAN, currency="KWD")
    lines = entry("1.005", currency="KWD") + entry("2.005", currency="KWD", reference="B2")
    unread = lines + entry("0.009", currency="KWD", reference="B3").replace("<Dt>2026-03-02<", "<Dt>2026-02-30<")
    opening = ("1000.000", "CRDT", "2026-03-02")

    plain = take(
        camt(lines, currency="KWD", opening=opening, closing=("1003.010", "CRDT", "2026-03-02")), provider="kwd"
    )
    waits = take(
        camt(unread, currency="KWD", opening=opening, closing=("1003.019", "CRDT", "2026-03-02")), provider="kwd"
    )
    assert (plain.controls, waits.controls, wrong()) == ("AGREED", "WAITING", [])

    [line] = waits.quarantined_lines.all()
    line_fix(
        line_id=line.pk, cells=right(line, BOOKED_ON="2026-03-02", VALUE_ON="2026-03-02"), actor=ACTOR, now=NEXT_MORNING
    )

    waits.refresh_from_db()
    assert (waits.controls, waits.net_total, wrong()) == ("AGREED", 3_019, [])


def test_the_last_line_has_to_bring_what_the_file_states(account: ProviderAccount) -> None:
    statement = take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()

    for cells, problem in (
        (right(line, AMOUNT="25.51", NET="25.01"), "states amounts of 126.50, the lines have 126.51"),
        (right(line, AMOUNT="25.5"), "It still cannot be read"),
        (right(line, AMOUNT="25.50")[:-1], "10 columns instead of 11"),
        (right(line, AMOUNT="25.50", SELLER_ID="SE2"), "of account SE2"),
        (right(line, AMOUNT="100.00", FPX_TXN_ID="F1", NET="99.50"), "amounts of"),
    ):
        with pytest.raises(InvalidRequest, match=problem):
            line_fix(line_id=line.pk, cells=cells, actor=ACTOR, now=NEXT_MORNING)

    line.refresh_from_db()
    statement.refresh_from_db()
    assert (line.state, statement.controls, statement.net_total) == ("OPEN", "WAITING", 10_000)
    assert (StatementLine.objects.count(), Remittance.objects.count()) == (2, 1)
    assert wrong() == []


def test_a_twin_that_was_unreadable_is_a_second_line_and_a_known_line_is_not(account: ProviderAccount) -> None:
    twin = Listed("SE1", "F1", "EPG1")
    content = fpx_file([twin, twin], account="SE1")
    at = content.rindex(b",100.00,")
    take(content[:at] + b",1OO.00," + content[at + len(b",100.00,") :], account)
    [line] = QuarantinedLine.objects.all()

    line_fix(line_id=line.pk, cells=right(line, AMOUNT="100.00"), actor=ACTOR, now=NEXT_MORNING)

    assert list(StatementLine.objects.order_by("id").values_list("provider_reference", "occurrence")) == [
        ("F1", 1),
        ("F1", 2),
    ]

    longer = fpx_file([twin, twin, Listed("SE1", "F9", "EPG9")], account="SE1")
    at = longer.index(b",100.00,")
    second = take(longer[:at] + b",1OO.00," + longer[at + len(b",100.00,") :], account)
    again = QuarantinedLine.objects.get(statement=second)
    line_fix(line_id=again.pk, cells=right(again, AMOUNT="100.00"), actor=ACTOR, now=NEXT_MORNING)

    second.refresh_from_db()
    assert (StatementLine.objects.count(), second.new_line_count, second.controls) == (3, 1, "AGREED")
    assert wrong() == []


def test_a_bank_s_entry_is_put_right_by_the_same_parser() -> None:
    source = Source.objects.create(code="mybank", name="My bank", side="BANK", format="camt053")
    new_bank_account(source, IBAN, currency="EUR")
    statement = take(
        camt(entry("5.00", reference="B7") + entry("1,00"), closing=("1006.00", "CRDT", "2026-03-02")),
        provider="mybank",
    )
    assert (statement.controls, BankLine.objects.count()) == ("WAITING", 1)
    [line] = QuarantinedLine.objects.all()
    with pytest.raises(InvalidRequest, match=r"states amounts of 6\.00, the lines have 7\.00"):
        line_fix(line_id=line.pk, cells=right(line, AMOUNT="2.00"), actor=ACTOR, now=NEXT_MORNING)

    line_fix(line_id=line.pk, cells=right(line, AMOUNT="1.00"), actor=ACTOR, now=NEXT_MORNING)

    statement.refresh_from_db()
    assert statement.controls == "AGREED"
    assert list(BankLine.objects.order_by("id").values_list("reference", "amount_minor")) == [("B7", 500), ("B1", 100)]
    assert wrong() == []


def test_discarding_needs_two_people_and_leaves_the_difference_visible(account: ProviderAccount) -> None:
    maker, second = users("fix_quarantinedline", "approve_quarantinedline")
    statement = take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()
    say: dict[str, Any] = {"actor": ACTOR, "now": NEXT_MORNING, "reason": "Asked the provider"}
    proposal = line_discard_propose(line_id=line.pk, by=maker, **say)
    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=maker, **say)
    line.refresh_from_db()
    assert line.state == "OPEN"

    approve(proposal_id=proposal.pk, by=second, **say)

    line.refresh_from_db()
    statement.refresh_from_db()
    assert (line.state, line.proposal_id, statement.controls) == ("DISCARDED", proposal.pk, "DIFFERS")
    assert wrong() == []
    with pytest.raises(InvalidState):
        line_fix(line_id=line.pk, cells=right(line, AMOUNT="25.50"), actor=ACTOR, now=NEXT_MORNING)


def test_a_line_of_a_closed_day_waits_until_the_day_is_open_again() -> None:
    account = ProviderAccountFactory(account_key="SE1", created_at=NEXT_MORNING - timedelta(days=30))
    maker, second = users("fix_quarantinedline", "approve_quarantinedline", "close_day", "approve_day")
    statement = take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()
    say: dict[str, Any] = {"actor": ACTOR, "now": NEXT_MORNING, "reason": "Asked the provider"}
    discard = line_discard_propose(line_id=line.pk, by=maker, **say)
    day: dict[str, Any] = {"provider": "fpx", "live": False, "day": DAY}
    reconcile_day(**day, actor=ACTOR, now=NEXT_MORNING)
    approve(proposal_id=propose_close(**day, by=maker, **say).pk, by=second, **say)
    before = list(Statement.objects.values()), list(QuarantinedLine.objects.values())
    kept = list(StatementLine.objects.values())

    for attempt in (
        lambda: line_fix(line_id=line.pk, cells=right(line, AMOUNT="25.50"), actor=ACTOR, now=NEXT_MORNING),
        lambda: line_discard_propose(line_id=line.pk, by=maker, **say),
        lambda: approve(proposal_id=discard.pk, by=second, **say),
    ):
        with pytest.raises(InvalidState, match=r"^The day is closed: open it again first\.$"):
            attempt()

    assert (list(Statement.objects.values()), list(QuarantinedLine.objects.values())) == before
    assert list(StatementLine.objects.values()) == kept
    assert Proposal.objects.get(pk=discard.pk).state == "OPEN"
    assert not AuditRecord.objects.filter(action__startswith="quarantine.").exists()
    approve(proposal_id=propose_reopen(**day, by=maker, **say).pk, by=second, **say)
    approve(proposal_id=discard.pk, by=second, **say)
    statement.refresh_from_db()
    assert statement.controls == "DIFFERS"


def test_a_proposal_to_discard_what_was_put_right_meanwhile_is_void(account: ProviderAccount) -> None:
    maker, second = users("fix_quarantinedline", "approve_quarantinedline")
    take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()
    say: dict[str, Any] = {"actor": ACTOR, "now": NEXT_MORNING, "reason": "x"}
    proposal = line_discard_propose(line_id=line.pk, by=maker, **say)
    line_fix(line_id=line.pk, cells=right(line, AMOUNT="25.50"), actor=ACTOR, now=NEXT_MORNING)

    with pytest.raises(InvalidState):
        approve(proposal_id=proposal.pk, by=second, **say)

    line.refresh_from_db()
    assert line.state == "FIXED"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE quarantined_line SET state = 'DISCARDED', decided_at = now()",
        "UPDATE quarantined_line SET state = 'FIXED', decided_at = now(), fixed_cells = '[]', fixed_by = 'x'",
        "UPDATE quarantined_line SET cells = '[]'",
        "UPDATE quarantined_line SET reason = ''",
        "DELETE FROM quarantined_line",
        "UPDATE statement SET controls = 'NONE'",
    ],
)
def test_the_database_keeps_what_was_set_aside(account: ProviderAccount, change: str) -> None:
    take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.django_db(transaction=True)
def test_eight_people_put_the_same_line_right_at_once() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()
    cells = right(line, AMOUNT="25.50")

    def fix(number: int) -> str:
        try:
            return line_fix(
                line_id=line.pk, cells=cells, actor=ACTOR, now=NEXT_MORNING + timedelta(seconds=number)
            ).state
        except InvalidState:
            return "decided"

    assert sorted(race(8, fix)) == ["FIXED"] + ["decided"] * 7
    assert (StatementLine.objects.count(), Remittance.objects.count()) == (3, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeat", range(4))
def test_a_line_put_right_while_its_day_is_closed_is_in_the_signed_figures_or_waits(repeat: int) -> None:
    account = ProviderAccountFactory(account_key="SE1", created_at=NEXT_MORNING - timedelta(days=30))
    maker, second = users("close_day", "approve_day")
    take(spoilt(fpx_file(GOOD, account="SE1"), BAD[0]), account)
    [line] = QuarantinedLine.objects.all()
    cells = right(line, AMOUNT="25.50")
    say: dict[str, Any] = {"actor": ACTOR, "now": NEXT_MORNING, "reason": "Known"}
    day: dict[str, Any] = {"provider": "fpx", "live": False, "day": DAY}
    reconcile_day(**day, actor=ACTOR, now=NEXT_MORNING)
    proposal = propose_close(**day, by=maker, **say)

    def act(number: int) -> object:
        if number:
            return line_fix(line_id=line.pk, cells=cells, actor=ACTOR, now=NEXT_MORNING)
        return approve(proposal_id=proposal.pk, by=second, **say)

    close, fix = race(2, act)

    refused = [result for result in (close, fix) if isinstance(result, InvalidState)]
    assert len(refused) == 1  # whoever came second
    line.refresh_from_db()
    closed = DayClose.objects.filter(state="CLOSED").exists()
    assert (line.state, closed) == (("OPEN", True) if refused == [fix] else ("FIXED", False))
