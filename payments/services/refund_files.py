"""Reading a file of refunds: CSV or XLSX with a header, one refund a row. Nothing is guessed and nothing is looked up here.

Columns by name, in any order: `transaction` (the transaction's id or the merchant's own reference), and if wanted `amount` (empty: all that
is left) and `reason`. Another column, another encoding than UTF-8 or more rows than a batch may have refuse the whole file.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from openpyxl import load_workbook

from common.cards import contains_card_number
from common.errors import CardDataNotAllowed, InvalidRequest
from common.spreadsheets import UNREADABLE

MAX_ROWS = 10_000
MAX_BYTES = 5_000_000
_MAX_UNZIPPED = 100_000_000
_COLUMNS = ("transaction", "amount", "reason")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One row as it was given. `number` is its row in the file, the header being row 1."""

    number: int
    transaction: str
    amount: str = ""
    reason: str = ""


def read_refunds(name: str, content: bytes) -> list[Wanted]:
    """The rows of the file. `name` tells by its end whether it is CSV or XLSX. Raises InvalidRequest, CardDataNotAllowed."""
    if len(content) > MAX_BYTES:
        raise InvalidRequest(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
    if name.lower().endswith(".xlsx"):
        rows = _xlsx(content)
    elif name.lower().endswith(".csv"):
        rows = _csv(content)
    else:
        raise InvalidRequest("The file has to be a .csv or an .xlsx.")
    return _wanted(rows)


def _wanted(rows: Iterable[tuple[int, list[str]]]) -> list[Wanted]:
    found: list[Wanted] = []
    header: list[str] | None = None
    for number, cells in rows:
        if not any(cells):
            continue
        if header is None:
            header = _header(cells)
            continue
        if len(found) == MAX_ROWS:
            raise InvalidRequest(f"A batch has at most {MAX_ROWS:,} refunds; split the file.")
        if any(cells[len(header) :]):
            raise InvalidRequest(f"Row {number} has more cells than the header.")
        if any(contains_card_number(cell) for cell in cells):
            raise CardDataNotAllowed(f"Row {number} holds a card number. Remove it and upload the file again.")
        values = dict(zip(header, cells, strict=False))
        found.append(
            Wanted(
                number,
                values["transaction"].strip()[:100],
                values.get("amount", "").strip()[:40],
                values.get("reason", "").strip()[:255],
            )
        )
    if not found:
        raise InvalidRequest("There is no refund in the file.")
    return found


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells if cell.strip()]
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown or "transaction" not in names or len(set(names)) != len(names):
        raise InvalidRequest(
            f"The first row has to name the columns: transaction, amount, reason. Found: {', '.join(names)[:200]}."
        )
    return names


def _csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequest("The file is not UTF-8. Save it as CSV UTF-8.") from exc
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as exc:
        raise InvalidRequest(f"Line {reader.line_num} cannot be read as CSV: {exc}.") from exc


def _xlsx(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The first sheet. Formulas are read as the values that were saved with them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > _MAX_UNZIPPED:
                raise InvalidRequest("The file is too large when it is unpacked.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            if number > MAX_ROWS * 2:
                raise InvalidRequest(f"A batch has at most {MAX_ROWS:,} refunds; split the file.")
            yield number, [_cell(value, number) for value in row]
    except UNREADABLE as exc:
        raise InvalidRequest("The file cannot be read as an XLSX workbook.") from exc


def _cell(value: Any, number: int) -> str:
    """Numbers digit for digit as the sheet shows them; what is no text or number is refused."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"Row {number} has a cell that is neither text nor a number.")
    return repr(int(value)) if float(value).is_integer() else repr(value)
