"""VNPay and AMK tables, sheets, and tables that a mapping describes: read as declared, never guessed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter

from reconciliation.parsers import amk, vnpay
from reconciliation.parsers.base import Entry, Line, LineProblem, RefusedFile, Totals, Unread
from reconciliation.parsers.mapped import BadMapping, MappedParser, MappedReader, mapping_of, raw_rows
from reconciliation.parsers.sheets import sheet_rows
from reconciliation.parsers.table import Format, Rows, TableReader, csv_rows

DAY = date(2026, 3, 2)
VNPAY = (
    "H,VNPAY,ALL,2026-03-02\n" + ",".join(vnpay.FORMAT.header) + "\n"
    "pay,SHOP1,14001,EPG1,20260302091500,NCB,VND,10000000,110000,9890000,00\n"
    "refund,SHOP1,14002,RFD1,20260302233000,NCB,VND,-500000,0,-500000,00\n"
    "T,2,9500000,110000,9390000\n"
)
AMK = (
    "H,AMK,ALL,2026-03-02\n" + ",".join(amk.FORMAT.header) + "\n"
    "PAYMENT,M1,BT1,TX1,2026-03-02T09:15:00+07:00,T1,KHR,41000,410,40590,SUCCESS\n"
    "PAYMENT,M1,BT2,TX2,2026-03-02T09:15:00+07:00,T1,USD,10.50,0.10,10.40,SUCCESS\n"
    "T,2,41010.50,410.10,40600.40\n"
)


def read(rows: Rows, format: Format) -> tuple[TableReader, list[Any]]:
    reader = TableReader(rows, format, day=DAY)
    return reader, list(reader)


def sheet(rows: Sequence[Sequence[object]], *, sheets: int = 1) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm:ss"})
    for number in range(sheets):
        page = book.add_worksheet(f"Sheet{number + 1}")
        for at, row in enumerate(rows):
            for column, value in enumerate(row):
                page.write(at, column, value)
    book.close()
    return file.getvalue()


def vnpay_sheet(**instead: object) -> bytes:
    rows: list[list[object]] = [line.split(",") for line in VNPAY.splitlines()]
    rows[2][7:10] = [10_000_000, 110_000, 9_890_000]  # numbers, as people's sheets have them
    for name, value in instead.items():
        rows[2][vnpay.FORMAT.header.index(name)] = value
    return sheet(rows)


def test_vnpay_csv_and_xlsx_say_the_same() -> None:
    csv_reader, lines = read(csv_rows(io.BytesIO(VNPAY.encode())), vnpay.FORMAT)
    sheet_reader, same = read(sheet_rows(io.BytesIO(vnpay_sheet()), width=11), vnpay.FORMAT)

    assert lines == same
    assert lines == [
        Line(3, "PAYMENT", "SHOP1", "14001", "EPG1", datetime(2026, 3, 2, 2, 15, tzinfo=UTC), "VND", 100_000, 1_100, 98_900, "00"),
        Line(4, "REFUND", "SHOP1", "14002", "RFD1", datetime(2026, 3, 2, 16, 30, tzinfo=UTC), "VND", -5_000, 0, -5_000, "00"),
    ]  # fmt: skip
    assert csv_reader.totals == sheet_reader.totals == Totals(2, 9_500_000, 110_000, 9_390_000)


def test_amk_writes_riel_without_decimals() -> None:
    reader, lines = read(csv_rows(io.BytesIO(AMK.encode())), amk.FORMAT)

    assert [(x.currency, x.amount_minor, x.fee_minor, x.net_minor) for x in lines] == [
        ("KHR", 4_100_000, 41_000, 4_059_000),
        ("USD", 1_050, 10, 1_040),
    ]
    assert reader.stated == Totals(2, 4_101_050, 41_010, 4_060_040)


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("vnp_ResponseCode", 0, "vnp_ResponseCode '0' is not"),  # the sheet took the leading zero
        ("vnp_Amount", 10_000_000.5, "is not an amount times 100"),
        ("vnp_Amount", 1e22, "is not an amount times 100"),
        ("vnp_Amount", "=1+1", "is not an amount times 100"),
        ("vnp_Amount", "10,000,000", "is not an amount times 100"),
        ("vnp_Amount", 10_000_050, "VND has no such amounts"),
        ("vnp_PayDate", 20260302, "is not a time like 20260302120000"),
        ("vnp_TxnRef", "", "vnp_TxnRef '' is not a name"),
    ],
)
def test_a_cell_that_a_sheet_has_spoilt_is_set_aside(column: str, value: object, problem: str) -> None:
    content = vnpay_sheet(**{column: value, **({"vnp_Net": 9_890_050} if value == 10_000_050 else {})})

    reader, items = read(sheet_rows(io.BytesIO(content), width=11), vnpay.FORMAT)

    [unread] = [x for x in items if isinstance(x, Unread)]
    assert problem in unread.reason
    assert reader.totals.lines == 1


def repacked(content: bytes, **parts: bytes) -> bytes:
    """The archive with other parts in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, data in parts.items():
            new.writestr(name, data)
    return file.getvalue()


SHEET1 = "xl/worksheets/sheet1.xml"
ENTITY = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><worksheet>&a;</worksheet>"
GAP = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="2000000000"><c r="A2000000000" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'
NO_TEXT = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="s"><v>999999</v></c></row></sheetData></worksheet>'


def damaged(content: bytes, name: str) -> bytes:
    """The archive with a part whose packed bytes are no longer what was packed."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        part = parts.getinfo(name)
    start = part.header_offset + 30 + len(name)
    return content[:start] + bytes([0xFF]) * 20 + content[start + 20 :]


SHEETS = {
    "zip bomb": (repacked(vnpay_sheet(), **{"xl/bomb.xml": bytes(50_000_000)}), "packed more than 200 to one"),
    "macros": (repacked(vnpay_sheet(), **{"xl/vbaProject.bin": b"x"}), "macros"),
    "links": (repacked(vnpay_sheet(), **{"xl/externalLinks/externalLink1.xml": b"x"}), "links to other files"),
    "zip slip": (repacked(vnpay_sheet(), **{"../evil.xml": b"x"}), "a part called"),
    "entity": (repacked(vnpay_sheet(), **{SHEET1: ENTITY}), "not a readable XLSX file"),
    "two sheets": (sheet([["H"]], sheets=2), "2 sheets instead of one"),
    "not a sheet": (repacked(vnpay_sheet(), **{"xl/workbook.xml": b"<x/>"}), "0 sheets instead of one"),
    "cut off": (vnpay_sheet()[:-200], "not an XLSX file"),
    "more rows than a sheet has": (repacked(vnpay_sheet(), **{SHEET1: GAP}), "more than 1,048,576 rows"),
    "a text that is not there": (repacked(vnpay_sheet(), **{SHEET1: NO_TEXT}), "not a readable XLSX file"),
    "a damaged part": (damaged(vnpay_sheet(), SHEET1), "not a readable XLSX file"),
    "an archive of something": (repacked(b"PK\x05\x06" + bytes(18), a=b"b"), "not a readable XLSX file"),
}


@pytest.mark.parametrize(("content", "problem"), SHEETS.values(), ids=SHEETS)
def test_a_sheet_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedFile, match=problem):
        list(sheet_rows(io.BytesIO(content)))


HEADER = ["Datum", "Art", "Konto", "Ref", "Unsere", "Betrag", "Gebuehr", "Info"]
PROVIDER = {
    "header": HEADER,
    "columns": {
        "at": "Datum",
        "type": "Art",
        "account_key": "Konto",
        "provider_reference": "Ref",
        "our_reference": "Unsere",
        "amount": "Betrag",
        "fee": "Gebuehr",
    },
    "fixed": {"currency": "EUR"},
    "types": {"Zahlung": "PAYMENT", "Erstattung": "REFUND"},
    "delimiter": ";",
    "encoding": "windows-1252",
    "skip_rows": 1,
    "skip_matching": "^Summe",
    "date_format": "%d.%m.%Y %H:%M",
    "decimal": ",",
    "thousands": ".",
}
MAPPED = (
    "Export Kartenabrechnung\r\n" + ";".join(HEADER) + "\r\n"
    "02.03.2026 12:00;Zahlung;K1;A1;EPG1;1.234,56;1,00;Müller\r\n"
    '02.03.2026 13:00;Erstattung;K1;A2;RFD1;-34,56;0;"a;b"\r\n'
    "Summe;;;;;1.200,00;1,00;\r\n"
)
BERLIN = ZoneInfo("Europe/Berlin")


def mapped(
    content: bytes, changes: dict[str, Any] | None = None, *, day: date = DAY, **options: Any
) -> tuple[MappedReader, list[Any]]:
    table = mapping_of(PROVIDER | (changes or {}), bank=False)
    reader = MappedReader(
        raw_rows(io.BytesIO(content), table), table, MappedParser(table, zone=BERLIN, day=day, **options)
    )
    return reader, list(reader)


def test_a_mapping_says_how_a_table_is_read() -> None:
    reader, lines = mapped(MAPPED.encode("cp1252"))

    assert lines == [
        Line(
            3, "PAYMENT", "K1", "A1", "EPG1", datetime(2026, 3, 2, 11, 0, tzinfo=UTC), "EUR", 123_456, 100, 123_356, ""
        ),
        Line(4, "REFUND", "K1", "A2", "RFD1", datetime(2026, 3, 2, 12, 0, tzinfo=UTC), "EUR", -3_456, 0, -3_456, ""),
    ]
    assert (reader.totals, reader.stated) == (Totals(2, 120_000, 100, 119_900), None)
    utf16 = mapped(MAPPED.encode("utf-16"), {"encoding": "utf-16"})[1]
    assert utf16 == lines


@pytest.mark.parametrize(
    ("declared", "text", "minor"),
    [
        ({}, "1.234,56", 123_456),
        ({}, "1234,56", 123_456),
        ({}, "-1.234.567,8", -123_456_780),
        ({"decimal": ".", "thousands": ","}, "1,234.56", 123_456),
        ({"negative": "parentheses"}, "(100,00)", -10_000),
        ({"negative": "parentheses"}, "100,00", 10_000),
        ({"negative": "trailing"}, "100,00-", -10_000),
        ({"thousands": " "}, "1 234,56", 123_456),
        ({}, "1,234.56", None),
        ({}, "1.23,45", None),
        ({}, "12.34", None),
        ({}, "(100,00)", None),
        ({}, "100,00-", None),
        ({"negative": "parentheses"}, "(100,00", None),
        ({"negative": "parentheses"}, "100,00)", None),
        ({"negative": "parentheses"}, "-100,00", None),
        ({}, "1E+06", None),
        ({}, "100,001", None),
        ({}, "١٠٠,00", None),
        ({}, "", None),
        ({}, "--1,00", None),
        ({}, "EUR 1,00", None),
    ],
)
def test_an_amount_is_one_only_as_declared(declared: dict[str, str], text: str, minor: int | None) -> None:
    table = mapping_of(PROVIDER | declared, bank=False)
    kind = "Erstattung" if (minor or 0) < 0 else "Zahlung"
    parser = MappedParser(table, zone=BERLIN, day=DAY)
    row = ["02.03.2026 12:00", kind, "K1", "A1", "E1", text, "0", ""]
    if minor is None:
        with pytest.raises(LineProblem):
            parser.read(3, row)
    else:
        line = parser.read(3, row)
        assert line.amount_minor == minor


@pytest.mark.parametrize(
    ("content", "changes", "problem"),
    [
        (MAPPED, {}, "not windows-1252|columns have to be"),
        (MAPPED.replace("Betrag;", ""), {"encoding": "utf-8"}, "the columns have to be"),
        (MAPPED.replace("Ref;Unsere", "Unsere;Ref"), {"encoding": "utf-8"}, "the columns have to be"),
        (MAPPED.replace("A1", "A\0"), {"encoding": "utf-8"}, "a NUL character"),
        ("\ufeff" + MAPPED, {"encoding": "utf-8"}, "a byte order mark"),
        (MAPPED.replace('"a;b"', '"a;b'), {"encoding": "utf-8"}, "line"),
        ("", {"encoding": "utf-8"}, "the file is empty"),
        ("only\n", {"encoding": "utf-8"}, "no row of column names"),
    ],
)
def test_a_mapped_file_refused(content: str, changes: dict[str, Any], problem: str) -> None:
    if not changes:
        content = content.replace("Gebuehr", "Gebühr")
    with pytest.raises(RefusedFile, match=problem):
        mapped(content.encode(), changes)


@pytest.mark.parametrize(
    ("skip", "read"),
    [
        ("^Summe", ["A1", "A2"]),
        ("^Summe|Müller", ["A2"]),
        ("^Summe|a;b", ["A1"]),
        ("^Summe|^Müller", ["A1", "A2"]),  # it is in the row, not at its beginning
        ("^Summe|.*.*.*.*.*.*.*.*x|(a+)+$", ["A1", "A2"]),  # texts as they stand, no expression that may take for ever
        ("^Summe|A1 ", ["A1", "A2"]),
    ],
)
def test_rows_are_skipped_by_texts(skip: str, read: list[str]) -> None:
    _, items = mapped(MAPPED.encode("windows-1252"), {"skip_matching": skip})

    assert [item.provider_reference for item in items if isinstance(item, Line)] == read
    assert [item for item in items if isinstance(item, Unread)] == []


def test_an_hour_that_the_clock_has_twice_or_not_at_all_is_set_aside() -> None:
    for day, text in ((date(2026, 10, 25), "25.10.2026 02:30"), (date(2026, 3, 29), "29.03.2026 02:30")):
        content = MAPPED.replace("02.03.2026 12:00", text).encode("cp1252")

        items = mapped(content, day=day)[1]

        assert isinstance(items[0], Unread)
        assert "the clock was changed in that hour" in items[0].reason


@pytest.mark.parametrize("fraction", ["", ".%f"])
def test_a_sheet_s_moment_may_be_midnight(fraction: str) -> None:
    """A cell of a date and one of its midnight are the same number, and the text of neither says a time."""
    moments = [datetime(2026, 3, 2, hour, 0, hour) for hour in (0, 9, 23)]  # noqa: DTZ001 -- a cell has no zone
    rows = [[at, "Zahlung", "K1", f"A{at.hour}", "EPG1", 5, 0, "x"] for at in moments]
    as_sheet = {"kind": "xlsx", "skip_rows": 0, "date_format": f"%Y-%m-%d %H:%M:%S{fraction}"}

    lines = mapped(sheet([HEADER, *rows]), as_sheet)[1]

    assert [line.at for line in lines] == [at.replace(tzinfo=BERLIN) for at in moments]
    [of_no_day] = mapped(sheet([HEADER, ["2026-13-02", *rows[0][1:]]]), as_sheet)[1]
    assert "is not a date as declared" in of_no_day.reason
    [without_time] = mapped(MAPPED.split("02.03.2026 13", 1)[0].replace(" 12:00", "").encode())[1]
    assert "is not a date as declared" in without_time.reason  # a text that should have said it


def test_a_bank_s_table_with_two_columns() -> None:
    table = mapping_of(
        {
            "header": ["Date", "Ref", "Paid in", "Paid out", "Text"],
            "columns": {
                "booked_on": "Date",
                "reference": "Ref",
                "amount": "Paid in",
                "debit": "Paid out",
                "narrative": "Text",
            },
            "fixed": {"account_key": "5140", "currency": "MYR"},
            "date_format": "%d/%m/%Y",
            "thousands": ",",
            "sign": "two_columns",
        },
        bank=True,
    )
    text = 'Date,Ref,Paid in,Paid out,Text\n02/03/2026,R1,"1,000.00",,Remittance\n02/03/2026,R2,,250.50,=cmd|calc\n02/03/2026,R3,1.00,2.00,\n'
    parser = MappedParser(table, zone=BERLIN, day=DAY, accounts={"5140": "MYR"})
    first, second, unread = list(MappedReader(raw_rows(io.BytesIO(text.encode()), table), table, parser))

    assert isinstance(first, Entry)
    assert (first.amount_minor, first.booked_on, first.reference) == (100_000, DAY, "R1")
    assert (second.amount_minor, second.narrative) == (-25_050, "=cmd|calc")  # inert; escaped where it is exported
    assert "one of them" in unread.reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"columns": {}}, "amount"),
        ({"columns": PROVIDER["columns"] | {"amount": "No such"}}, "amount"),  # type: ignore[operator]
        ({"columns": PROVIDER["columns"] | {"owner": "Art"}}, "owner"),  # type: ignore[operator]
        ({"fixed": {}}, "currency"),
        ({"fixed": {"currency": "XYZ"}}, "currency"),
        ({"types": {"Zahlung": "GIFT"}}, "types"),
        ({"header": ["A", "A"]}, "header"),
        ({"thousands": ","}, "thousands"),
        ({"date_format": "%d.%m"}, "date_format"),
        ({"skip_matching": "^Summe|"}, "skip_matching"),
        ({"skip_matching": "^"}, "skip_matching"),
        ({"skip_matching": "x" * 101}, "skip_matching"),
        ({"skip_matching": 1}, "skip_matching"),
        ({"encoding": "rot13"}, "encoding"),
        ({"sign": "two_columns"}, "debit"),
        ({"evil": 1}, "evil"),
    ],
)
def test_a_mapping_that_is_not_whole_names_its_fields(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadMapping) as bad:
        mapping_of(PROVIDER | changes, bank=False)

    assert field in bad.value.problems
