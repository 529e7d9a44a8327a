"""A camt.053 statement in several files: each page waits, all of them together are one statement, and what is missing is said."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from common.models import AuditRecord
from reconciliation.models import BankBalance, BankLine, Source, Statement
from reconciliation.services.imports import statement_import
from tests.factories import NOW
from tests.factories.agreed import new_bank_account
from tests.payments.verify.books import wrong
from tests.reconciliation.bank_files import IBAN, camt, entry
from tests.reconciliation.given import ACTOR

pytestmark = pytest.mark.django_db
DAY = "2026-03-02"
ENTRIES = {  # page -> its entries; the two last of the second and first of the third are twins without a reference
    1: entry("5.00", reference="B1") + entry("7.00", reference="B2"),
    2: entry("2.00", "DBIT", reference="B3") + entry("1.50", reference="NONREF", end_to_end="T"),
    3: entry("1.50", reference="NONREF", end_to_end="T") + entry("4.00", reference="B4"),
}
SUM = "1017.00"


@pytest.fixture(autouse=True)
def _bank() -> None:
    source = Source.objects.create(code="mybank", name="My bank", side="BANK", format="camt053")
    new_bank_account(source, IBAN, currency="EUR")


def page(number: int, *, last: int = 3, entries: str | None = None, closing: str = SUM, key: str = "S1") -> bytes:
    """The file of a page: only the first has the opening balance, only the last the closing one."""
    content = camt(
        ENTRIES[number] if entries is None else entries,
        opening=("1000.00", "CRDT", DAY),
        closing=(closing, "CRDT", DAY),
    ).decode()
    said = f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{'true' if number == last else 'false'}</LastPgInd></StmtPgntn>"
    content = content.replace("<Stmt><Id>S1</Id>", f"<Stmt><Id>{key}</Id>{said}")
    if number > 1:
        content = content.replace("OPBD", "ITBD")
    if number < last:
        content = content.replace("CLBD", "ITBD")
    return content.encode()


def taken(content: bytes) -> Statement:
    return statement_import(
        content=content, provider="mybank", account=None, live=False, day=None, actor=ACTOR, now=NOW
    ).statement


def states() -> dict[int, tuple[str, str]]:
    return {found.page["number"]: (found.state, found.reason) for found in Statement.objects.exclude(page=None)}


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
def test_in_whatever_order_they_come_the_last_makes_them_one_statement(order: tuple[int, ...]) -> None:
    first, second, third = order

    waiting = [taken(page(first)), taken(page(second))]

    assert [found.state for found in waiting] == ["WAITING", "WAITING"]
    assert not BankLine.objects.exists()
    whole = taken(page(third))

    assert states() == dict.fromkeys((1, 2, 3), ("IMPORTED", ""))
    assert (whole.line_count, whole.new_line_count, whole.controls, str(whole.day)) == (6, 6, "AGREED", DAY)
    lines = BankLine.objects.order_by("number")
    assert {line.statement_id for line in lines} == {whole.pk}
    assert [line.amount_minor for line in lines] == [500, 700, -200, 150, 150, 400]
    assert [line.occurrence for line in lines] == [1, 1, 1, 1, 2, 1]
    balance = BankBalance.objects.get()
    assert (balance.opening_minor, balance.closing_minor, balance.entry_count) == (100_000, 101_700, 6)
    assert {str(found.day) for found in Statement.objects.all()} == {DAY}
    assert wrong() == {}


@pytest.mark.parametrize(
    ("came", "said"),
    [
        ((1,), "page 1 of statement S1 of {} waits for the last page"),
        ((2,), "page 2 of statement S1 of {} waits for page 1 and the last page"),
        ((3,), "page 3 of statement S1 of {} waits for page 1 and page 2"),
        ((1, 3), "page 3 of statement S1 of {} waits for page 2"),
    ],
)
def test_what_is_missing_is_said(came: tuple[int, ...], said: str) -> None:
    statement = [taken(page(number)) for number in came][-1]

    assert (statement.state, statement.reason) == ("WAITING", said.format(IBAN))
    assert b"".join(statement.file.parts()) == page(came[-1])
    assert AuditRecord.objects.filter(action="statement.waiting").count() == len(came)


def test_the_same_page_again_changes_nothing() -> None:
    for number in (1, 1, 2):
        taken(page(number))
    assert {number: state for number, (state, _) in states().items()} == {1: "WAITING", 2: "WAITING"}
    taken(page(3))

    again = [
        statement_import(content=page(n), provider="mybank", account=None, live=False, day=None, actor=ACTOR, now=NOW)
        for n in (1, 2, 3)
    ]

    assert [found.repeated for found in again] == [True, True, True]
    assert (Statement.objects.count(), BankLine.objects.count()) == (3, 6)


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (page(3, closing="1017.01"), "the opening balance and the entries do not come to the closing balance"),
        (page(3, entries=entry("5,50")), "page 3: entry 5: '5,50' is not an amount of EUR"),
        (page(3).replace(b"CLBD", b"ITBD"), "the last no closing (CLBD) balance"),
    ],
)
def test_pages_that_do_not_add_up_are_refused_and_a_right_one_makes_it_good(last: bytes, problem: str) -> None:
    taken(page(1))
    taken(page(2))

    refused = taken(last)

    assert refused.state == "REFUSED"
    assert problem in refused.reason
    assert not BankLine.objects.exists()
    assert taken(page(3)).state == "IMPORTED"
    assert (BankLine.objects.count(), wrong()) == (6, {})


def test_pages_of_other_statements_are_not_mixed_up() -> None:
    taken(page(1))
    taken(page(2, key="S2"))

    third = taken(page(3))

    assert (third.state, third.reason) == ("WAITING", f"page 3 of statement S1 of {IBAN} waits for page 2")


def test_two_last_pages_are_refused() -> None:
    taken(page(1))
    taken(page(3))

    refused = taken(page(2, last=2))

    assert refused.state == "REFUSED"
    assert "do not agree which is the last" in refused.reason


def test_a_page_that_is_the_only_one_is_whole() -> None:
    assert taken(page(1, last=1, closing="1012.00")).state == "IMPORTED"
    assert (Statement.objects.get().page, BankLine.objects.count()) == (None, 2)


def test_the_command_says_that_it_waits(tmp_path: Any) -> None:
    (tmp_path / "page.xml").write_bytes(page(1))

    with pytest.raises(CommandError) as waits:
        call_command(
            "import_statement", str(tmp_path / "page.xml"), "--provider=mybank", "--test", stdout=io.StringIO()
        )

    assert waits.value.returncode == 1
    assert "waits for the last page" in str(waits.value)
