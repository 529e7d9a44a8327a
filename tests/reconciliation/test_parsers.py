"""A file is read whole or refused whole, with the number of every line at fault."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciliation.parsers import fpx, migs
from reconciliation.parsers.base import MAX_UNREAD, Line, RefusedFile, Totals, Unread
from reconciliation.parsers.table import Format, TableReader, csv_rows
from tests.reconciliation.given import DAY, Listed, fpx_file, migs_file

SALE = Listed("SE1", "F1", "EPG1", minor=10_000, fee=50)
BACK = Listed("SE1", "F2", "RFD1", minor=-2_550, fee=0, type="REFUND")
GOOD = fpx_file([SALE, BACK])


def reader_of(content: bytes, format: Format = fpx.FORMAT, *, account_key: str | None = None) -> TableReader:
    return TableReader(csv_rows(io.BytesIO(content)), format, day=DAY, account_key=account_key)


def test_fpx_lines_and_totals() -> None:
    reader = reader_of(GOOD, fpx.FORMAT)

    lines = list(reader)

    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    assert lines == [
        Line(3, "PAYMENT", "SE1", "F1", "EPG1", at, "MYR", 10_000, 50, 9_950, "00"),
        Line(4, "REFUND", "SE1", "F2", "RFD1", at, "MYR", -2_550, 0, -2_550, "00"),
    ]
    assert reader.totals == Totals(lines=2, amount=7_450, fee=50, net=7_400)


def test_migs_captures_are_payments_and_quoted_text_is_harmless() -> None:
    content = migs_file(
        [
            Listed("M1", "2001", "EPG1", minor=10_000, fee=150, type="PURCHASE", status="0"),
            Listed("M1", "2002", "CAP1", minor=20_000, fee=300, type="CAPTURE", currency="USD", status="0"),
            Listed("M1", "2003", "RFD1", minor=-500, fee=0, type="REFUND", status="0"),
        ]
    )
    reader = reader_of(content, migs.FORMAT)

    lines = list(reader)

    assert [(x.type, x.provider_reference, x.currency, x.net_minor) for x in lines] == [
        ("PAYMENT", "2001", "MYR", 9_850),
        ("PAYMENT", "2002", "USD", 19_700),
        ("REFUND", "2003", "MYR", -500),
    ]
    assert reader.totals == Totals(lines=3, amount=29_500, fee=450, net=29_050)


def test_a_day_without_lines_is_a_statement() -> None:
    reader = reader_of(fpx_file([]), fpx.FORMAT)

    assert list(reader) == []
    assert reader.totals == Totals()


def edited(old: str, new: str) -> bytes:
    text = GOOD.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


LINES = GOOD.decode().splitlines(keepends=True)
NOT_AN_AMOUNT = [
    "1.234,56", "1,234.56", "(100.00)", "100.00-", "1E+06", "100", "100.0", "100.000", "0100.00", "+100.00", " 100.00",
    "100.00 ", "RM100.00", "NaN", "Infinity", "１００.00", "-0.00", "",
]  # fmt: skip

REFUSED = {
    "empty": (b"", "line 1: the file is empty"),
    "header only": (LINES[0].encode(), "line 2: the columns have to be"),
    "no trailer": ("".join(LINES[:-1]).encode(), "line 4: the file ends without a trailer"),
    "column names only": ("".join(LINES[:2]).encode(), "line 2: the file ends without a trailer"),
    "truncated in the trailer": (GOOD[:-2], "line 5: '74.0' is not an amount"),
    "truncated in a line": ("".join(LINES[:3]).encode()[:-10], "line 3: the file ends without a trailer"),
    "after the trailer": (GOOD + LINES[2].encode(), "line 6: there is something after the trailer"),
    "two trailers": (GOOD + LINES[-1].encode(), "line 6: there is something after the trailer"),
    "blank line": (edited(LINES[3], "\n" + LINES[3]), "line 6: the trailer states a count of 2, the file has 3, 1 of them unreadable"),
    "trailer count": (edited("T,2,", "T,3,"), "line 5: the trailer states a count of 3, the lines have 2"),
    "trailer amount": (edited("T,2,74.50", "T,2,74.51"), "line 5: the trailer states amounts of 74.51, the lines have 74.50"),
    "trailer fee": (edited(",0.50,74.00\n", ",0.51,74.00\n"), "line 5: the trailer states fees of 0.51, the lines have 0.50"),
    "trailer net": (edited(",0.50,74.00\n", ",0.50,74.01\n"), "line 5: the trailer states nets of 74.01, the lines have 74.00"),
    "trailer columns": (edited("T,2,74.50,0.50,", "T,2,74.50,"), "line 5: no trailer"),
    "other provider": (edited("H,FPX", "H,MIGS"), "line 1: no header H,FPX"),
    "other day": (edited("H,FPX,ALL,2026-03-02", "H,FPX,ALL,2026-03-03"), "line 1: the file is of '2026-03-03'"),
    "day the other way round": (edited("ALL,2026-03-02", "ALL,02/03/2026"), "line 1: the file is of '02/03/2026'"),
    "unknown column": (edited("BUYER_BANK,", "BANK,"), "line 2: the columns have to be"),
    "missing column": (edited("BUYER_BANK,", ""), "line 2: the columns have to be"),
    "extra column": (edited(",STATUS", ",STATUS,NOTE"), "line 2: the columns have to be"),
    "columns re-ordered": (edited("AMOUNT,FEE", "FEE,AMOUNT"), "line 2: the columns have to be"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "line 1: a byte order mark"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "line 1: a byte order mark"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "line 1: a NUL byte"),
    "Windows-1252": (edited("TEST0001", "Caf\xe9").decode().encode("cp1252"), "not UTF-8"),
    "CRLF": (GOOD.replace(b"\n", b"\r\n"), "line 1: a carriage return"),
    "one carriage return": (edited("EPG1", "EP\rG1"), "line 3: a carriage return"),
    "NUL": (edited("EPG1", "EP\0G1"), "line 3: a NUL byte"),
    "open quotes": (edited("TEST0001", '"TEST0001'), "line 5: unexpected end of data"),
}  # fmt: skip

QUARANTINED = {
    "line break in quotes": (edited("TEST0001", '"TEST\n0001"'), "a line break inside quotes"),
    "unknown type": (edited("REFUND,", "REVERSAL,"), "line 4: unknown TXN_TYPE 'REVERSAL'"),
    "other currency": (edited("MYR", "USD"), "line 3: unknown CURRENCY 'USD'"),
    "negative payment": (edited("100.00,0.50,99.50", "-100.00,0.50,-100.50"), "line 3: AMOUNT -100.00 of a payment"),
    "positive refund": (edited("-25.50,0.00,-25.50", "25.50,0.00,25.50"), "line 4: AMOUNT 25.50 of a refund"),
    "nothing paid": (edited("100.00,0.50,99.50", "0.00,0.00,0.00"), "line 3: AMOUNT 0.00 of a payment"),
    "negative fee": (edited("100.00,0.50,99.50", "100.00,-0.50,100.50"), "line 3: a negative FEE"),
    "net does not follow": (edited("100.00,0.50,99.50", "100.00,0.50,99.51"), "line 3: NET 99.51 is not 100.00 less 0.50"),
    "leading zeros stripped": (edited(",00\n", ",0\n"), "line 3: STATUS '0' is not"),
    "reference as a float": (edited(",F1,", ",2.6E+15,"), "line 3: FPX_TXN_ID '2.6E+15' is not"),
    "no reference": (edited(",EPG1,", ",,"), "line 3: SELLER_EX_ORDER_NO '' is not"),
    "formula": (edited(",EPG1,", ",=cmd|' /C calc'!A0,"), "line 3: SELLER_EX_ORDER_NO"),
    "the day before": (edited("2026-03-02T12", "2026-03-01T12"), "line 3: 2026-03-01T12:00:00+08:00 is not on 2026-03-02"),
    "the next day there": (edited("2026-03-02T12:00:00+08:00", "2026-03-02T16:00:00Z"), "line 3: 2026-03-02T16:00:00Z is not on"),
    "time without offset": (edited("2026-03-02T12:00:00+08:00", "2026-03-02T12:00:00"), "line 3: '2026-03-02T12:00:00' is not a time"),
    "no such time": (edited("2026-03-02T12:00:00", "2026-03-02T25:00:00"), "line 3: '2026-03-02T25:00:00+08:00' is not a time"),
    "too few columns": (edited(",TEST0001,", ","), "line 3: 10 columns instead of 11"),
} | {
    f"amount {text!r}": (edited("100.00,0.50", f'"{text}",0.50'), f"line 3: {text!r} is not an amount")
    for text in NOT_AN_AMOUNT
}  # fmt: skip


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED)
def test_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedFile) as refused:
        list(reader_of(content))

    assert problem in str(refused.value)


@pytest.mark.parametrize(("content", "problem"), QUARANTINED.values(), ids=QUARANTINED)
def test_one_line_that_cannot_be_read_is_set_aside_and_the_rest_is_read(content: bytes, problem: str) -> None:
    reader = reader_of(content)

    items = list(reader)

    [unread] = [item for item in items if isinstance(item, Unread)]
    assert f"line {unread.number}: {unread.reason}".startswith(problem) or problem in unread.reason
    assert len([item for item in items if isinstance(item, Line)]) == reader.totals.lines == 1
    assert (reader.unread, reader.stated) == (1, Totals(lines=2, amount=7_450, fee=50, net=7_400))
    assert unread.cells == tuple(
        next(row for row in csv.reader(io.StringIO(content.decode())) if tuple(row) == unread.cells)
    )


def test_every_line_at_fault_is_named() -> None:
    content = edited("100.00,0.50", "100.0,0.50").replace(b"REFUND,", b"REVERSAL,")

    assert [(item.number, item.reason) for item in reader_of(content) if isinstance(item, Unread)] == [
        (3, "'100.0' is not an amount like 1234.50"),
        (4, "unknown TXN_TYPE 'REVERSAL'"),
    ]


def test_many_lines_that_cannot_be_read_are_another_format() -> None:
    content = fpx_file([replace(SALE, status="?") for _ in range(MAX_UNREAD + 1)])

    with pytest.raises(RefusedFile, match="More than 200 lines cannot be read: this is not FPX as declared"):
        list(reader_of(content))


def test_a_line_of_another_account_in_the_file_of_one() -> None:
    content = fpx_file([SALE, Listed("SE2", "F9", "EPG9")], account="SE1")

    with pytest.raises(RefusedFile, match="line 4: of account SE2, in a file of SE1"):
        list(reader_of(content, fpx.FORMAT, account_key="SE1"))


def test_the_file_of_another_account_or_of_one_taken_for_all() -> None:
    for whose in ("SE2", None):
        with pytest.raises(RefusedFile, match=f"line 1: the file is of account SE1, not of {whose or 'all accounts'}"):
            list(reader_of(fpx_file([], account="SE1"), fpx.FORMAT, account_key=whose))

    assert list(reader_of(fpx_file([], account="ALL"), fpx.FORMAT, account_key="SE1")) == []


def test_cut_off_anywhere_it_is_refused() -> None:
    whole_without_its_last_line_feed = len(GOOD) - 1

    for cut in range(whole_without_its_last_line_feed):
        with pytest.raises(RefusedFile):
            list(reader_of(GOOD[:cut], fpx.FORMAT))
