"""A camt.053 statement in several files: each page waits, all of them together are one statement, and what is missing is said."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.db import transaction as database

from common.database import constraint_of
from common.errors import InvalidState, NotFound
from common.models import AuditRecord
from reconciliation.models import BankBalance, BankLine, Source, Statement
from reconciliation.services.imports import statement_import
from reconciliation.services.pages import page_discard
from tests.factories import NOW
from tests.factories.agreed import new_bank_account
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
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


def page(
    number: int, *, last: int = 3, entries: str | None = None, closing: str = SUM, key: str = "S1", day: str = DAY
) -> bytes:
    """The file of a page: only the first has the opening balance, only the last the closing one."""
    content = camt(
        (ENTRIES[number] if entries is None else entries).replace(DAY, day),
        opening=("1000.00", "CRDT", day),
        closing=(closing, "CRDT", day),
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


def test_each_page_says_what_it_waits_for_now() -> None:
    for number in (1, 2):
        taken(page(number, last=4))
    fourth = taken(page(4, last=4, entries=""))

    said = {n: ("WAITING", f"page {n} of statement S1 of {IBAN} waits for page 3") for n in (1, 2, 4)}
    assert states() == said

    page_discard(statement_id=fourth.pk, reason="odd", actor=ACTOR, now=NOW)

    said = {n: ("WAITING", f"page {n} of statement S1 of {IBAN} waits for the last page") for n in (1, 2)}
    assert states() == said | {4: ("REFUSED", f"discarded by {ACTOR.name}: odd")}


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


def test_a_page_beyond_the_last_one_is_refused_and_in_nobodys_way() -> None:
    taken(page(1))
    last = taken(page(3))

    refused = taken(page(5, last=5, entries=""))

    said = f"the pages of statement S1 of {IBAN} do not agree which is the last: {last.pk} says page 3"
    assert (refused.state, refused.reason) == ("REFUSED", said)
    assert taken(page(2)).state == "IMPORTED"
    refused.refresh_from_db()
    assert (refused.state, BankLine.objects.count(), wrong()) == ("REFUSED", 6, {})


def test_a_new_last_page_takes_the_place_of_all_with_higher_numbers() -> None:
    wrong_one = taken(page(5, last=5, entries=""))
    assert [taken(page(number)).state for number in (1, 3)] == ["WAITING", "WAITING"]
    third = Statement.objects.get(page__number=3)

    whole = taken(page(2))

    wrong_one.refresh_from_db()
    assert (wrong_one.state, wrong_one.reason) == ("REFUSED", f"replaced by {third.pk}")
    assert (whole.state, whole.new_line_count, BankLine.objects.count(), wrong()) == ("IMPORTED", 6, 6, {})


def test_a_replaced_page_waits_no_longer_and_does_not_come_back() -> None:
    old = taken(page(1, entries=entry("5.00", reference="B1") + entry("8.00", reference="B2")))

    good = taken(page(1))

    old.refresh_from_db()
    assert (old.state, old.reason) == ("REFUSED", f"replaced by {good.pk}")
    again = taken(page(1, entries=entry("5.00", reference="B1") + entry("8.00", reference="B2")))
    assert (again.pk, again.state) == (old.pk, "REFUSED")
    assert again.reason == f"page 1 of statement S1 of {IBAN} was replaced by {good.pk}"
    taken(page(2))
    assert taken(page(3)).state == "IMPORTED"
    assert [line.amount_minor for line in BankLine.objects.order_by("number")][:2] == [500, 700]
    old.refresh_from_db()
    good.refresh_from_db()
    assert (old.state, good.state, wrong()) == ("REFUSED", "IMPORTED", {})


def test_the_database_lets_one_page_of_a_number_wait() -> None:
    kept = taken(page(1))
    row = Statement.objects.values().get(pk=kept.pk)
    other = {"id": "stm_other", "sha256": bytes(32)}

    def refused(**values: Any) -> str:
        with pytest.raises(IntegrityError) as caught, database.atomic():
            Statement.objects.create(**row | other | values)
        return constraint_of(caught.value)

    assert refused() == "statement_one_page_of_a_number_waits"
    assert refused(page=row["page"] | {"last": True, "day": "2027-03-02"}) == "statement_one_page_of_a_number_waits"
    assert refused(page=None) == "statement_waits_as_a_page"
    for name in ("account", "key", "number"):
        said = {known: value for known, value in row["page"].items() if known != name}
        assert refused(page=said) == "statement_waits_as_a_page"
    assert Statement.objects.get() == kept
    for number, same in enumerate(({"number": 2}, {"key": "S2"}, {"account": "MY2"})):
        Statement.objects.create(
            **row | {"id": f"stm_{number}", "sha256": bytes([number + 1] * 32), "page": row["page"] | same}
        )
    Statement.objects.create(**row | other | {"state": "REFUSED"})


def test_each_move_of_a_page_is_recorded() -> None:
    old = taken(page(1, entries=entry("9.00")))
    good = taken(page(1))
    taken(page(2))
    whole = taken(page(3))

    def moves(of: Statement) -> list[tuple[str, str, Any]]:
        records = AuditRecord.objects.filter(subject_id=of.pk).order_by("pk")
        return [(found.action, found.reason, found.changes.get("state")) for found in records][1:]

    assert moves(old) == [("statement.refused", f"replaced by {good.pk}", ["WAITING", "REFUSED"])]
    assert moves(good) == [("statement.imported", f"with {whole.pk}", ["WAITING", "IMPORTED"])]
    assert moves(whole) == []


@pytest.mark.parametrize(
    "changed",
    [
        page(1, entries=entry("5.00", reference="C1") + entry("7.00", reference="C2")),  # the same money once more
        page(2, entries=""),  # only its balance says of which day it is
        page(3, closing="1018.00"),
        page(2, last=2),
        page(4, last=4, entries=entry("1.00", reference="B5")),
    ],
    ids=["corrected", "without entries", "last", "fewer pages", "more pages"],
)
def test_another_content_of_an_imported_statement_is_for_a_person(changed: bytes) -> None:
    for number in (1, 2, 3):
        whole = taken(page(number))
    before = list(BankLine.objects.order_by("pk").values())

    refused = taken(changed)

    assert refused.state == "REFUSED"
    assert refused.reason == (
        f"page {refused.page['number']} of statement S1 of {IBAN} has other content than what was imported with {whole.pk}: "
        "a person has to look at it"
    )
    assert list(BankLine.objects.order_by("pk").values()) == before
    assert (BankBalance.objects.count(), wrong()) == (1, {})


def test_an_id_that_the_bank_uses_again_is_another_statement() -> None:
    for number in (1, 2, 3):
        taken(page(number))
    again = {1: entry("3.00", reference="D1"), 2: entry("4.00", reference="D2", end_to_end="T")}

    first = taken(page(1, last=2, entries=again[1], day="2025-03-02"))
    whole = taken(page(2, last=2, entries=again[2], closing="1007.00", day="2025-03-02"))

    assert first.reason == f"page 1 of statement S1 of {IBAN} waits for the last page"
    assert (whole.state, str(whole.day), whole.new_line_count) == ("IMPORTED", "2025-03-02", 2)
    assert (BankLine.objects.count(), BankBalance.objects.count(), wrong()) == (8, 2, {})


def test_a_statement_that_was_imported_twice_is_found() -> None:
    for number in (1, 2, 3):
        first = taken(page(number))
    for number in (1, 2, 3):
        entries = ENTRIES[number].replace("Ref>B", "Ref>D")
        second = taken(page(number, entries=entries, day="2025-03-02"))
    assert (first.state, second.state) == ("IMPORTED", "IMPORTED")
    assert wrong() == {}

    with rules_lifted("bank_balance"):
        BankBalance.objects.filter(statement=second).update(closed_on=DAY)

    ids = sorted([first.pk, second.pk])
    said = f"statement S1 of {IBAN} to {DAY} was imported 2 times: {', '.join(ids)}"
    assert wrong() == {"statements_of_pages_are_imported_once": [said]}


def test_a_page_that_was_discarded_is_in_nobodys_way() -> None:
    odd = taken(page(2, last=2))

    discarded = page_discard(statement_id=odd.pk, reason="of another account", actor=ACTOR, now=NOW)

    why = f"discarded by {ACTOR.name}: of another account"
    assert (discarded.state, discarded.reason) == ("REFUSED", why)
    record = AuditRecord.objects.filter(subject_id=odd.pk).latest("pk")
    assert (record.actor, record.action, record.reason) == (ACTOR.name, "statement.refused", why)
    assert [taken(page(number)).state for number in (1, 3, 2)] == ["WAITING", "WAITING", "IMPORTED"]
    assert (BankLine.objects.count(), wrong()) == (6, {})


def test_only_what_waits_is_discarded() -> None:
    for number in (1, 2, 3):
        whole = taken(page(number))
    refused = taken(page(2, entries=entry("6.00")))
    before = list(Statement.objects.order_by("pk").values()), AuditRecord.objects.count()

    for statement in (whole, refused):
        with pytest.raises(InvalidState, match="Only a page that waits"):
            page_discard(statement_id=statement.pk, reason="no", actor=ACTOR, now=NOW)
    with pytest.raises(NotFound):
        page_discard(statement_id="stm_none", reason="no", actor=ACTOR, now=NOW)

    assert (list(Statement.objects.order_by("pk").values()), AuditRecord.objects.count()) == before


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
