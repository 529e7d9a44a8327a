"""From a source to the reader of its files: what the setting says, in the words of the pure parsers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, BinaryIO

from reconciliation.models import BankAccount, FileFormat, Side, Source, SourceMapping
from reconciliation.parsers import amk, fpx, migs, vnpay
from reconciliation.parsers.base import LineParser, Reader, RefusedFile
from reconciliation.parsers.bytes import ZIP
from reconciliation.parsers.camt053 import Camt053Pages, Camt053Reader, Page, page_of
from reconciliation.parsers.entries import EntryParser
from reconciliation.parsers.mapped import MappedParser, MappedReader, Table, mapping_of, raw_rows
from reconciliation.parsers.mt940 import Mt940Reader
from reconciliation.parsers.sheets import sheet_rows
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
        rows = sheet_rows(file, width=len(table.header)) if _is_sheet(source, file) else csv_rows(file)
        return TableReader(rows, table, day=_day(expected), account_key=expected.account_key)
    if source.format == FileFormat.MAPPED:
        mapped = mapped_table(source)
        return MappedReader(raw_rows(file, mapped), mapped, _mapped_parser(expected, mapped))
    if source.format == FileFormat.CAMT053:
        return Camt053Reader(file, _entry_parser(expected))
    return Mt940Reader(file, _entry_parser(expected), encoding=source.encoding)


def page_in(expected: Expected, file: BinaryIO) -> Page | None:
    """Which page of a statement the file is, if it is one of several. Raises RefusedFile."""
    return page_of(file, _entry_parser(expected)) if expected.source.format == FileFormat.CAMT053 else None


def open_pages(expected: Expected, files: Sequence[BinaryIO]) -> Reader:
    """The reader of a statement's pages, in their order."""
    return Camt053Pages(files, _entry_parser(expected))


def line_parser(expected: Expected) -> LineParser:
    """What reads one line of such a file by itself."""
    table = table_of(expected.source)
    if table is not None:
        return TableParser(table, day=_day(expected), account_key=expected.account_key)
    if expected.source.format == FileFormat.MAPPED:
        return _mapped_parser(expected, mapped_table(expected.source))
    return _entry_parser(expected)


def mapped_table(source: Source) -> Table:
    """The source's mapping, of the version that it names. Raises RefusedFile if nobody has made one."""
    mapping = SourceMapping.objects.filter(source=source, version=source.mapping_version).first()
    if mapping is None:
        raise RefusedFile(f"nobody has described the columns of {source.name} yet")
    return mapping_of(mapping.mapping, bank=source.side == Side.BANK)


def _mapped_parser(expected: Expected, table: Table) -> MappedParser:
    source = expected.source
    accounts = _accounts(expected) if table.bank else None
    return MappedParser(
        table, zone=zone_of(source), day=_day(expected), account_key=expected.account_key, accounts=accounts
    )


def _is_sheet(source: Source, file: BinaryIO) -> bool:
    """VNPay sends either; the first bytes of the file say which, and nothing else is either."""
    file.seek(0)
    return source.format == FileFormat.VNPAY and file.read(len(ZIP)) == ZIP


def _day(expected: Expected) -> date:
    if expected.day is None:
        raise ValueError("a provider's statement is of a day")
    return expected.day


def table_of(source: Source) -> Format | None:
    """The declared table of a source that sends one."""
    table = _TABLES.get(source.format)
    return replace(table, zone=zone_of(source)) if table else None


def _entry_parser(expected: Expected) -> EntryParser:
    return EntryParser(_accounts(expected))


def _accounts(expected: Expected) -> dict[str, str]:
    accounts = BankAccount.objects.filter(source=expected.source, live=expected.live)
    if expected.account_key is not None:
        accounts = accounts.filter(account_key=expected.account_key)
    return dict[str, Any](accounts.values_list("account_key", "currency"))
