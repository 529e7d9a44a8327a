"""A file is applied whole and once; a line is kept once, whichever file brought it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from common.books import Asked, verify
from common.models import AuditRecord
from reconciliation.models import BankLine, Source, Statement, StatementFile, StatementLine
from reconciliation.services.imports import statement_import
from reconciliation.services.quarantine import line_fix
from tests.factories import MerchantFactory, ProviderAccountFactory
from tests.factories.agreed import new_bank_account
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.bank_files import IBAN, mt940
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file, imported
from tests.reconciliation.given_bank import BANK, NEXT, Booked, bank_account, bank_file, bank_imported, night
from tests.support.race import race

pytestmark = pytest.mark.django_db


def test_file_lines_and_totals_are_kept() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    lines = [Listed("SE1", "F1", "EPG1"), Listed("SE1", "F2", "RFD1", minor=-2_550, fee=0, type="REFUND")]

    statement = imported(account, lines)

    statement.refresh_from_db()
    assert (statement.state, statement.reason) == ("IMPORTED", "")
    assert (statement.line_count, statement.new_line_count) == (2, 2)
    assert (statement.amount_total, statement.fee_total, statement.net_total) == (7_450, 50, 7_400)
    assert statement.file.content() == fpx_file(lines, account="SE1")
    kept = StatementLine.objects.order_by("id").values_list(
        "number", "provider_account", "type", "provider_reference", "occurrence", "our_reference", "net_minor"
    )
    assert list(kept) == [
        (3, account.pk, "PAYMENT", "F1", 1, "EPG1", 9_950),
        (4, account.pk, "REFUND", "F2", 1, "RFD1", -2_550),
    ]
    assert AuditRecord.objects.get(subject_id=statement.pk).action == "statement.imported"


def test_the_same_file_again_changes_nothing_but_when_it_last_came() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    first = imported(account, [Listed("SE1", "F1", "EPG1")])

    again = imported(account, [Listed("SE1", "F1", "EPG1")], now=NEXT_MORNING + timedelta(hours=1))

    assert again.pk == first.pk
    again.refresh_from_db()
    assert again.received_at == NEXT_MORNING + timedelta(hours=1)
    assert again.imported_at == NEXT_MORNING
    assert (Statement.objects.count(), StatementLine.objects.count(), StatementFile.objects.count()) == (1, 1, 1)


def test_a_longer_file_adds_its_new_lines_only() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    imported(account, [Listed("SE1", "F1", "EPG1"), Listed("SE1", "F3", "EPG3")])

    longer = imported(account, [Listed("SE1", x, f"EPG{x[1]}") for x in ("F1", "F2", "F3", "F4")])

    assert (longer.line_count, longer.new_line_count) == (4, 2)
    assert list(
        StatementLine.objects.filter(statement=longer).order_by("id").values_list("provider_reference", flat=True)
    ) == [
        "F2",
        "F4",
    ]
    assert StatementLine.objects.count() == 4


def test_real_twins_are_both_kept_and_not_multiplied() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    twin = Listed("SE1", "F1", "EPG1")
    imported(account, [twin, twin])

    imported(account, [twin, twin, Listed("SE1", "F2", "EPG2")])

    kept = StatementLine.objects.order_by("id").values_list("provider_reference", "occurrence")
    assert list(kept) == [("F1", 1), ("F1", 2), ("F2", 1)]


def test_the_file_of_all_accounts_and_that_of_one_bring_a_line_once() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    imported(account, [Listed("SE1", "F1", "EPG1")])

    of_all = statement_import(
        content=fpx_file([Listed("SE1", "F1", "EPG1"), Listed("SE9", "F1", "EPG9")]),
        provider="fpx",
        account=None,
        live=False,
        day=DAY,
        actor=ACTOR,
        now=NEXT_MORNING,
    ).statement

    assert (of_all.line_count, of_all.new_line_count) == (2, 1)
    assert StatementLine.objects.get(account_key="SE9").provider_account is None


@pytest.mark.parametrize(
    "changes",
    [{"minor": 10_001}, {"fee": 51}, {"reference": "EPG2"}, {"at": Listed("", "", "").at + timedelta(seconds=1)}],
)
def test_a_file_that_contradicts_a_known_line_is_refused_whole(changes: dict[str, object]) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    line = Listed("SE1", "F1", "EPG1")
    first = imported(account, [line])

    refused = imported(account, [Listed("SE1", "F0", "EPG0"), replace(line, **changes)])  # type: ignore[arg-type]

    refused.refresh_from_db()
    assert (refused.state, refused.new_line_count, refused.line_count) == ("REFUSED", 0, 0)
    assert refused.reason == f"line 4: says something else of F1 than line 3 of {first.pk}"
    assert StatementLine.objects.count() == 1


def test_a_refused_file_is_kept_with_its_reason_and_tried_again() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    content = fpx_file([Listed("SE1", "F1", "EPG1")], account="SE1")
    take_in = {
        "content": content,
        "provider": "fpx",
        "account": account,
        "live": False,
        "actor": ACTOR,
        "now": NEXT_MORNING,
    }

    refused = statement_import(**take_in, day=DAY + timedelta(days=1)).statement  # type: ignore[arg-type]

    assert refused.state == "REFUSED"
    assert refused.reason == "line 1: the file is of '2026-03-02', not of 2026-03-03"
    assert refused.file.content() == content
    assert StatementLine.objects.count() == 0

    accepted = statement_import(**take_in, day=DAY).statement  # type: ignore[arg-type]

    accepted.refresh_from_db()
    assert accepted.pk == refused.pk
    assert (accepted.state, accepted.reason, accepted.day, accepted.new_line_count) == ("IMPORTED", "", DAY, 1)


def test_what_was_imported_can_not_be_changed() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    statement = imported(account, [Listed("SE1", "F1", "EPG1")])

    for change in (
        "UPDATE statement_line SET amount_minor = 1, net_minor = -49",
        "DELETE FROM statement_line",
        "DELETE FROM statement_file",
        "DELETE FROM statement",
        "UPDATE statement SET state = 'REFUSED', reason = 'x', imported_at = NULL, new_line_count = 0",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)

    assert StatementLine.objects.get().amount_minor == 10_000
    assert Statement.objects.get().state == statement.state


@pytest.mark.django_db(transaction=True)
def test_eight_imports_of_two_files_at_once_keep_each_line_once() -> None:
    account = ProviderAccountFactory(account_key="SE1", merchant=MerchantFactory())
    shorter = [Listed("SE1", f"F{n}", f"EPG{n}") for n in range(50)]
    longer = [Listed("SE1", f"F{n}", f"EPG{n}") for n in range(80)]

    results = race(8, lambda number: imported(account, longer if number % 2 else shorter).state)

    assert results == ["IMPORTED"] * 8
    assert Statement.objects.count() == 2
    assert StatementLine.objects.count() == 80


def test_a_file_that_nobody_would_read_is_turned_away_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ProviderAccountFactory(account_key="SE1")
    content = fpx_file([Listed("SE1", "F1", "EPG1")])
    monkeypatch.setattr("reconciliation.parsers.bytes.MAX_BYTES", len(content) - 1)
    file = tmp_path / "large.csv"
    file.write_bytes(content)

    with pytest.raises(CommandError, match="is larger than") as refused:
        call_command("import_statement", str(file), "--provider=fpx", f"--date={DAY}", "--test")

    assert refused.value.returncode == 2
    assert (Statement.objects.count(), StatementFile.objects.count()) == (0, 0)


def test_a_file_in_several_pieces_is_kept_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    monkeypatch.setattr("reconciliation.parsers.bytes.PIECE", 1_000)

    statement = imported(account, [Listed("SE1", f"F{n}", f"EPG{n}") for n in range(100)])

    assert statement.file.chunks.count() > 5
    assert statement.file.content() == fpx_file([Listed("SE1", f"F{n}", f"EPG{n}") for n in range(100)], account="SE1")
    assert bytes(statement.sha256) == hashlib.sha256(statement.file.content()).digest()


@pytest.mark.parametrize(
    ("day", "now", "begun"),
    [
        (DAY, datetime(2026, 3, 1, 15, 59, tzinfo=UTC), False),  # 23:59 of the day before in Kuala Lumpur
        (DAY, datetime(2026, 3, 1, 16, 0, tzinfo=UTC), True),
        (date(9999, 12, 31), NEXT_MORNING, False),
    ],
)
def test_a_day_that_has_not_begun_has_no_statement(day: date, now: datetime, begun: bool) -> None:
    account = ProviderAccountFactory(account_key="SE1")

    statement = imported(account, [], day=day, now=now)

    assert (statement.state, statement.reason) == (
        ("IMPORTED", "") if begun else ("REFUSED", f"{day} has not begun at FPX")
    )


def test_a_bank_s_day_that_has_not_begun_has_no_statement() -> None:
    bank_account()
    content = bank_file([Booked("B1", 100)], day=NEXT)

    early, refused = (
        statement_import(
            content=content, provider=BANK, account=None, live=False, day=None, actor=ACTOR, now=now
        ).statement
        for now in (night(DAY) - timedelta(hours=12), night(DAY) - timedelta(hours=11))
    )

    assert (early.state, early.reason) == ("REFUSED", f"{NEXT} has not begun at My bank")
    assert (refused.pk, refused.state, BankLine.objects.count()) == (early.pk, "REFUSED", 0)


def test_a_bank_may_number_its_entries_anew_each_day() -> None:
    bank_account()
    bank_imported([Booked("1", 10_000), Booked("2", -500)], day=DAY)

    next_day = bank_imported([Booked("1", 700), Booked("2", 900)], day=NEXT)
    again = bank_imported([Booked("1", 700), Booked("2", 900), Booked("3", 100)], day=NEXT)

    assert (next_day.new_line_count, again.new_line_count) == (2, 1)
    assert list(BankLine.objects.order_by("id").values_list("reference", "amount_minor")) == [
        ("1", 10_000), ("2", -500), ("1", 700), ("2", 900), ("3", 100),
    ]  # fmt: skip


CHARGE = ":61:2603020302D0,50NCHGNONREF\r\n:86:SERVICE CHARGE"


def swift(entries: Sequence[str], opening: str, closing: str, *, of: str = "260302", to: str = "260302") -> Statement:
    """A file of one statement, imported."""
    source, _ = Source.objects.get_or_create(code="swift", defaults={"name": "S", "side": "BANK", "format": "mt940"})
    if not source.bank_accounts.exists():
        new_bank_account(source, IBAN, currency="EUR")
    content = mt940(entries, opening=f"C{of}EUR{opening}", closing=f"C{to}EUR{closing}")
    statement = statement_import(
        content=content, provider="swift", account=None, live=False, day=None, actor=ACTOR, now=night(NEXT)
    ).statement
    assert statement.state == "IMPORTED", statement.reason
    return statement


def amounts() -> list[int]:
    return sorted(BankLine.objects.values_list("amount_minor", flat=True))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)])
def test_statements_of_one_day_that_follow_one_another_keep_what_looks_alike(order: Sequence[int]) -> None:
    """The same charge without a reference in each, and a reference that begins anew with other content."""
    follow = [
        ([CHARGE, ":61:2603020302C1,00NTRFNONREF//1"], "100,00", "100,50"),
        ([CHARGE], "100,50", "100,00"),
        ([CHARGE, ":61:2603020302C7,00NTRFNONREF//1"], "100,00", "106,50"),
    ]

    for each in order:
        swift(*follow[each])

    assert amounts() == [-50, -50, -50, 100, 700]
    assert violations() == set()


def test_a_longer_file_of_one_of_them_or_of_the_whole_day_brings_only_what_is_new() -> None:
    swift([CHARGE], "100,00", "99,50")
    swift([CHARGE], "99,50", "99,00")

    longer = swift([CHARGE, CHARGE, ":61:2603020302C5,00NTRFNONREF//9"], "99,50", "103,50")
    whole = swift([CHARGE, CHARGE, CHARGE, ":61:2603020302C5,00NTRFNONREF//9"], "100,00", "103,50")

    assert (longer.new_line_count, whole.new_line_count) == (2, 0)
    assert amounts() == [-50, -50, -50, 500]
    assert violations() == set()


def test_an_entry_without_a_date_is_the_same_in_a_file_of_more_days() -> None:
    undated = ":61:260227D1,00NTRFNONREF//R1"
    swift([undated], "100,00", "99,00", of="260301")

    assert swift([undated, CHARGE], "100,00", "98,50", of="260301", to="260303").new_line_count == 1


def test_what_is_put_right_in_the_second_of_them_is_not_what_the_first_has() -> None:
    first = swift([CHARGE], "100,00", "99,50")
    second = swift([CHARGE.replace("0302D", "0231D")], "99,50", "99,00")
    [waits] = second.quarantined_lines.all()
    right = ["2026-03-02" if cell == "2026-02-31" else cell for cell in waits.cells]

    fixed = line_fix(line_id=waits.pk, cells=right, actor=ACTOR, now=night(NEXT))

    second.refresh_from_db()
    assert (fixed.bank_line.statement_id, second.controls, second.new_line_count) == (second.pk, "AGREED", 1)
    assert list(BankLine.objects.order_by("id").values_list("statement", "occurrence", "amount_minor")) == [
        (first.pk, 1, -50),
        (second.pk, 2, -50),
    ]
    assert violations() == set()


def test_entries_that_do_not_come_to_the_balances_are_named() -> None:
    swift([CHARGE], "100,00", "99,50")
    swift([":61:2603020302C5,00NTRFNONREF//9"], "99,50", "104,50")
    assert violations() == set()

    with rules_lifted("bank_line"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM bank_line WHERE amount_minor = 500")

    assert violations() == {"bank_lines_come_to_their_balances", "statements_have_their_lines"}


def violations() -> set[str]:
    return {check.name for check, found in verify(Asked(now=night(NEXT))) if found.violations}


def test_a_bank_that_says_something_else_of_an_entry_of_that_day_is_refused() -> None:
    bank_account()
    bank_imported([Booked("1", 10_000)], day=DAY)

    with pytest.raises(AssertionError, match="says something else of 1 than line 1 of stm_"):
        bank_imported([Booked("1", 10_001)], day=DAY)

    assert BankLine.objects.get().amount_minor == 10_000
