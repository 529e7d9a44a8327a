"""The rows of an XLSX file's only sheet, as text, in constant memory and never more than its size lets expect.

An XLSX file is a ZIP archive of XML files: it is looked at before anything is unpacked. Macros, links to other files, entities, several sheets and
archives that grow out of proportion are refused. A formula is text, not its result. Numbers lose leading zeros in a sheet, and nobody puts
them back.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

from defusedxml import DefusedXmlException
from openpyxl import load_workbook

from common.spreadsheets import UNREADABLE
from reconciliation.parsers.base import RefusedFile

MAX_UNPACKED = 1024 * 1024 * 1024
MAX_SHARED = 64 * 1024 * 1024  # the sheet's table of texts, which has to be held
MAX_RATIO = 200
MAX_PARTS = 500
MAX_ROWS = 1_048_576  # more no sheet has; a row is numbered by its file, and all that it passes over count
_HARMLESS = 1024 * 1024  # below it a ratio says nothing
_FORBIDDEN = ("vbaproject.bin", "externallinks/", "activex/", "embeddings/")


def sheet_rows(file: BinaryIO, *, width: int = 0) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells). Empty cells at the end are left out; lines shorter than `width` get them back. Raises RefusedFile."""
    _check_archive(file)
    file.seek(0)
    try:
        book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        if len(book.worksheets) != 1 or len(book.sheetnames) != 1:
            raise RefusedFile(f"the file has {len(book.sheetnames)} sheets instead of one")
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size is not believed
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number > MAX_ROWS:
                raise RefusedFile(f"more than {MAX_ROWS:,} rows, which no sheet has")
            cells = [_text(value) for value in row]
            while cells and cells[-1] == "":
                cells.pop()
            if cells and cells[0] not in ("H", "T"):
                cells += [""] * (width - len(cells))
            yield number, cells
    except DefusedXmlException as exc:
        raise RefusedFile(f"a document type or an entity, which no sheet has ({type(exc).__name__})") from exc
    except UNREADABLE as exc:
        raise RefusedFile(f"not a readable XLSX file: {exc}") from exc


def _check_archive(file: BinaryIO) -> None:
    file.seek(0)
    try:
        parts = zipfile.ZipFile(file).infolist()
    except zipfile.BadZipFile as exc:
        raise RefusedFile(f"not an XLSX file: {exc}") from exc
    if len(parts) > MAX_PARTS or len({part.filename for part in parts}) != len(parts):
        raise RefusedFile("an archive of too many or of equal parts")
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise RefusedFile(f"more than {MAX_UNPACKED} bytes unpacked")
    for part in parts:
        name = part.filename.lower().replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/"):
            raise RefusedFile(f"a part called {part.filename!r}")
        if part.flag_bits & 1:
            raise RefusedFile("an encrypted archive")
        if any(word in name for word in _FORBIDDEN):
            raise RefusedFile(f"macros, embedded objects or links to other files ({part.filename})")
        if part.file_size > _HARMLESS and part.file_size > MAX_RATIO * max(part.compress_size, 1):
            raise RefusedFile(f"{part.filename} is packed more than {MAX_RATIO} to one")
        if name.endswith("sharedstrings.xml") and part.file_size > MAX_SHARED:
            raise RefusedFile(f"more than {MAX_SHARED} bytes of texts")


def _text(value: Any) -> str:
    """As it would stand in a CSV file. A float that no decimal text can stand for is left as Python writes it, which no amount is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
