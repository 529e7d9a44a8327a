"""Bank files as banks really write them: each shape is read to the balances that it states, and one amount that is another is refused.

The files in tests/data/bank have the shapes of files that banks and others published; names, accounts and amounts are ours.
"""

from __future__ import annotations

import io
import re
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import mt940 as mt940_library
import pytest

from reconciliation.parsers.base import Entry, RefusedFile
from reconciliation.parsers.camt053 import Camt053Reader
from reconciliation.parsers.entries import EntryParser
from reconciliation.parsers.mt940 import Mt940Reader
from tests.reconciliation.bank_files import IBAN, camt, entry, mt940

FILES = Path(__file__).parent.parent / "data" / "bank"
ACCOUNTS = {
    "400100200": "EUR",
    "600200300": "EUR",
    "800456789": "CHF",
    "900456789": "USD",
    "1177000200030004": "HUF",
    "CH9300762011623852957": "CHF",
    "CZ6508000000192000145399": "CZK",
    "NL02ABNA0123456789": "EUR",
    "NL44RABO0123456789": "EUR",
    IBAN: "EUR",
}


class Stated(NamedTuple):
    """Opening and closing balance of each statement of a file as they stand in it, in minor units, and what its entries have to be."""

    balances: list[tuple[str, int, int, int]]  # key, opening, closing, entries
    amounts: list[int]
    booked: list[str]


STATED = {
    "header_lines.sta": Stated(
        [("211/1", 50_000, 46_782, 3), ("211/2", 46_782, 50_000, 1)], [-900, -1_159, -1_159, 3_218], ["2026-03-02"] * 4
    ),
    "blank_lines.sta": Stated(
        [("1/1", 44_429, 37_929, 1), ("2/1", 37_929, 37_929, 0), ("3/1", 37_929, 137_764, 2)],
        [-6_500, -165, 100_000],
        ["2026-03-02", "2026-03-04", "2026-03-04"],
    ),
    "padded_amounts.sta": Stated([("0", 100_000, 97_000, 3)], [-2_500, -1_000, 500], ["2026-03-02"] * 3),
    "structured.sta": Stated([("00084/001", -20_095, 201_155, 3)], [-80_000, 300_000, 1_250], ["2026-03-02"] * 3),
    "pages.sta": Stated(
        [("999/1", 0, 22_920, 2), ("999/2", 22_920, 15_940, 2)],
        [7_970, 14_950, -7_990, 1_010],
        ["2026-03-09", "2026-03-09", "2026-03-16", "2026-03-18"],
    ),
    "blank_entry_date.sta": Stated([("1/1", 1_737_667, 1_753_356, 2)], [-21_239, 36_928], ["2026-03-02"] * 2),
    "national_fields.sta": Stated([("00046", 62_731_130, 62_836_930, 2)], [-240_200, 346_000], ["2026-03-02"] * 2),
    "two_statements.02.xml": Stated(
        [("12", 1_815, 2_700, 1), ("254EURKEDAI", 2_700, 2_000, 1)], [885, -700], ["2026-03-02"] * 2
    ),
    "other_account.03.xml": Stated([("7", -1_000, 9_575, 1)], [10_575], ["2026-03-02"]),
    "batch.04.xml": Stated([("58", 7_596_015, 7_944_315, 1)], [348_300], ["2026-03-02"]),
    "zoned_days.06.xml": Stated(
        [("4", 32_332, 34_832, 4)],
        [-1_000, -500, 1_500, 2_500],
        ["2026-04-10", "2026-04-11", "2026-04-13", "2026-04-16"],
    ),
    "all_balances.08.xml": Stated([("315", 101, 404, 2)], [503, -200], ["2026-03-02"] * 2),
}
OTHER_AMOUNTS = {  # that of a booked entry: the file no longer adds up, wherever it is
    ".sta": re.compile(r"^:61:[0-9]{6}(?:[0-9]{4}| {4})?R?[CD][A-Z]?[0-9]*?([0-9])(?=,)", re.MULTILINE),
    ".xml": re.compile(r"<Amt Ccy=\"[A-Z]{3}\">[0-9]*?([0-9])(?=[.<][^>]*>(?:</Amt>)?<CdtDbtInd>[A-Z]+</CdtDbtInd>(?:<RvslInd>|<Sts>(?:BOOK|<Cd>BOOK)))"),
}  # fmt: skip


def read(content: bytes, name: str) -> tuple[Any, list[Any]]:
    found = (Camt053Reader if name.endswith(".xml") else Mt940Reader)(io.BytesIO(content), EntryParser(ACCOUNTS))
    return found, list(found)


def test_every_file_is_expected_to_say_something() -> None:
    assert {path.name for path in FILES.iterdir()} == set(STATED)


@pytest.mark.parametrize(("name", "stated"), STATED.items(), ids=STATED)
def test_what_a_bank_s_file_states_is_what_is_read(name: str, stated: Stated) -> None:
    reader, entries = read((FILES / name).read_bytes(), name)

    found = [(x.statement_key, x.opening_minor, x.closing_minor, x.entry_count) for x in reader.balances]
    assert found == stated.balances
    assert all(isinstance(x, Entry) for x in entries)
    assert [x.amount_minor for x in entries] == stated.amounts
    assert [x.booked_on.isoformat() for x in entries] == stated.booked
    assert reader.stated == reader.totals
    assert {x.currency for x in entries} == {ACCOUNTS[x.account_key] for x in reader.balances}


@pytest.mark.parametrize("name", STATED)
def test_one_amount_that_is_another_is_refused(name: str) -> None:
    text = (FILES / name).read_text()
    found = list(OTHER_AMOUNTS[name[-4:]].finditer(text))

    assert len(found) == len(STATED[name].amounts)
    for digit in found:
        spoilt = text[: digit.start(1)] + str(int(digit[1]) % 9 + 1) + text[digit.end(1) :]
        with pytest.raises(RefusedFile, match="do not come to the closing balance"):
            read(spoilt.encode(), name)


@pytest.mark.parametrize("name", sorted(set(STATED) - {"blank_lines.sta"} - {x for x in STATED if x.endswith("xml")}))
def test_an_independent_reader_finds_the_same(name: str) -> None:
    """Not of blank_lines.sta, which it cannot read: a reference of eighteen characters."""
    content = (FILES / name).read_bytes()

    theirs = mt940_library.parse(content.decode())

    reader, entries = read(content, name)
    assert [abs(x.amount_minor) for x in entries] == [abs(int(x.data["amount"].amount * 100)) for x in theirs]
    closing = theirs.data["final_closing_balance"]
    assert (reader.balances[-1].closing_minor, closing.amount.currency) == (
        int(closing.amount.amount * 100),
        reader.balances[-1].currency,
    )


def test_who_paid_and_what_for_in_each_shape() -> None:
    def said(name: str) -> list[tuple[str, str, str]]:
        return [(x.counterparty, x.end_to_end_id, x.narrative) for x in read((FILES / name).read_bytes(), name)[1] if x]

    assert said("blank_lines.sta")[0][2].startswith("NL91ABNA0417164300 puan siti Payment for cloth")
    assert [x[:2] for x in said("padded_amounts.sta")] == [
        ("SYARIKAT SERUNI", "02-03-2026 12:00 0030000123456789"),
        ("ENCIK ALI", ""),
        ("ENCIK ABU", ""),
    ]
    assert said("structured.sta") == [
        ("CIK LIM", "", "Rent MarchSVWZ+Office one"),
        ("FPX SDN BHD", "SET-2026-03-02-7", "EREF+SET-2026-03-02-7SVWZ+FPX of the day"),
        ("", "", "Too much"),
    ]
    assert said("national_fields.sta")[1] == ("WARUNG SATU", "X", "Rent of March 01136508")
    assert said("two_statements.02.xml")[0] == ("Puan Siti", "SET-0001", "From the counter")
    assert said("other_account.03.xml") == [("Encik Abu", "", "RF18539007547034")]
    assert said("batch.04.xml")[0][2] == (
        "210000000003139471430009011 210000000003139471430009012 CREDIT OF SLIPS 02.03.2026"
    )


def test_entries_that_a_bank_calls_by_no_name_are_told_apart() -> None:
    """NONREF is no reference: two entries that have it are not one and the same."""
    for name, count in (("pages.sta", 4), ("blank_lines.sta", 3), ("other_account.03.xml", 1)):
        references = {x.reference for x in read((FILES / name).read_bytes(), name)[1]}

        assert len(references) == count
        assert all(x.startswith("made-") for x in references)


def test_an_entry_without_a_date_is_booked_within_its_statement() -> None:
    lines = [
        ":61:260227D1,00NTRFNONREF//R1",
        ":61:260302D2,00NTRFNONREF//R2",
        ":61:260309D3,00NTRFNONREF//R3",
    ]
    content = mt940(lines, opening="C260301EUR1000,00", closing="C260303EUR994,00")

    _, entries = read(content, "x.sta")

    assert [(x.booked_on.day, x.value_on) for x in entries] == [
        (1, date(2026, 2, 27)),
        (2, date(2026, 3, 2)),
        (1, date(2026, 3, 9)),
    ]


def test_a_sum_of_both_sides_may_be_their_net_and_nothing_else() -> None:
    def summed(said: str) -> bytes:
        return camt(
            entry("5.00") + entry("2.00", "DBIT", reference="B2"),
            closing=("1003.00", "CRDT", "2026-03-02"),
            summary=f"<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries><Sum>{said}</Sum></TtlNtries></TxsSummry>",
        )

    for said in ("7.00", "3.00"):
        assert [x.amount_minor for x in read(summed(said), "x.xml")[1]] == [500, -200]
    for said in ("5.00", "2.00", "0.00"):
        with pytest.raises(RefusedFile, match=f"states sum of {said}"):
            read(summed(said), "x.xml")


ONE = [":61:260302D1,00NTRFNONREF//R1"]
NOT_LET_PASS = {
    "a line before the first message": (b"Statement of March\r\n" + mt940([]), "belongs to no field"),
    "an entry before the first message": (b":61:260302D1,00NTRFNONREF\r\n" + mt940([]), ":61: before :20:"),
    "a line after the end": (mt940([]) + b"Total 1000,00\r\n", "belongs to no field"),
    "an amount on the line after an empty one": (
        mt940([":61:260302D1,00NTRFNONREF", "", "0,00"], closing="C260302EUR990,00"),
        "do not come to",
    ),
    "a header inside a balance": (mt940(ONE, closing="C260302EUR999,00\r\nKEDABEBB"), "is not a balance"),
}


@pytest.mark.parametrize(("content", "problem"), NOT_LET_PASS.values(), ids=NOT_LET_PASS)
def test_what_could_say_something_of_money_is_not_let_pass(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedFile) as refused:
        read(content, "x.sta")

    assert problem in str(refused.value)
