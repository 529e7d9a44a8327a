"""CSV (RFC 4180) and XLSX that a spreadsheet opens safely: text that it would take for a formula gets an apostrophe in CSV, and is text in XLSX."""

from __future__ import annotations

import csv
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import IO

from openpyxl.utils.exceptions import InvalidFileException
from xlsxwriter import Workbook

from common.money import Money, exponent

# What openpyxl and what is under it raise for a file that is damaged, or made to be.
UNREADABLE = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    EOFError,
    OSError,
    RuntimeError,
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Each row as a line, as soon as it is there."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    for row in rows:
        yield writer.writerow(row)


class _Echo:
    """What csv writes to: the line goes out instead of into a buffer."""

    def write(self, line: str) -> str:
        return line


def xlsx_file(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int | date | Money]]) -> IO[bytes]:
    """A workbook of one sheet, open at its beginning; memory stays the same however many rows. Amounts are numbers with their digits."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the caller's to close
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    with Workbook(file, options) as book:
        sheet = book.add_worksheet(title[:31])
        bold, days = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        amounts = {
            digits: book.add_format({"num_format": f"#,##0{'.' if digits else ''}{'0' * digits}"})
            for digits in range(5)
        }
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(columns) - 1, 0), 18)
        sheet.write_row(0, 0, columns, bold)
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                match value:
                    case Money():
                        sheet.write_number(number, place, float(value.decimal()), amounts[exponent(value.currency)])
                    case int():
                        sheet.write_number(number, place, value)
                    case date():
                        sheet.write_datetime(number, place, value, days)
                    case _:
                        sheet.write_string(number, place, value)
    file.seek(0)
    return file
