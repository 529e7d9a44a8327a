"""From a source to the reader of its files: what the setting says, in the words of the pure parsers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, BinaryIO

from reconciliation.models import BankAccount, FileFormat, Source
from reconciliation.parsers import amk, fpx, migs, vnpay
from reconciliation.parsers.base import LineParser, Reader
from reconciliation.parsers.camt053 import Camt053Reader
from reconciliation.parsers.entries import EntryParser
from reconciliation.parsers.mt940 import Mt940Reader
from reconciliation.parsers.table import Format, TableParser, TableReader, csv_rows
from reconciliation.sources import zone_of

_TABLES: Mapping[str, Format] = {
    FileFormat.FPX: fpx.FORMAT,
    FileFormat.MIGS: migs.FORMAT,
    FileFormat.VNPAY: vnpay.FORMAT,
    FileFormat.AMK: amk.FORMAT,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose file it should be, and of which of the source's days (None, for a bank: whatever days it has)."""

    source: Source
    live: bool
    day: date | None
    account_key: str | None = None  # None: of all accounts


def open_reader(expected: Expected, file: BinaryIO) -> Reader:
    """The reader of the file. It may raise RefusedFile while it is iterated over."""
    source, table = expected.source, table_of(expected.source)
    if table is not None:
        return TableReader(csv_rows(file), table, day=_day(expected), account_key=expected.account_key)
    if source.format == FileFormat.CAMT053:
        return Camt053Reader(file, _entry_parser(expected))
    return Mt940Reader(file, _entry_parser(expected), encoding=source.encoding)


def line_parser(expected: Expected) -> LineParser:
    """What reads one line of such a file by itself."""
    table = table_of(expected.source)
    if table is not None:
        return TableParser(table, day=_day(expected), account_key=expected.account_key)
    return _entry_parser(expected)


def _day(expected: Expected) -> date:
    if expected.day is None:
        raise ValueError("a provider's statement is of a day")
    return expected.day


def table_of(source: Source) -> Format | None:
    """The declared table of a source that sends one."""
    table = _TABLES.get(source.format)
    return replace(table, zone=zone_of(source)) if table else None


def _entry_parser(expected: Expected) -> EntryParser:
    accounts = BankAccount.objects.filter(source=expected.source, live=expected.live)
    if expected.account_key is not None:
        accounts = accounts.filter(account_key=expected.account_key)
    return EntryParser(dict[str, Any](accounts.values_list("account_key", "currency")))
