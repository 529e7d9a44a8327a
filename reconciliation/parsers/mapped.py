"""A table of anybody's, CSV or XLSX, read by a mapping that somebody made for its source.

The mapping says everything: encoding, delimiter, rows to skip, the columns' names, which one holds what, how dates and numbers are written, what
says whether money came or went. Nothing is guessed from the file: `1.234,56`, `(100.00)` and `100.00-` are amounts only where the mapping says
so, and columns that are called otherwise refuse the file.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from common.money import UnknownCurrency, exponent
from reconciliation.parsers.base import MAX_UNREAD, Balance, Entry, Item, Line, LineProblem, RefusedFile, Totals, Unread
from reconciliation.parsers.bytes import LONGEST_LINE, pieces
from reconciliation.parsers.entries import COLUMNS, EntryParser, hundredths_of
from reconciliation.parsers.sheets import sheet_rows

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "windows-1252", "iso-8859-1")
DELIMITERS = (",", ";", "\t", "|")
THOUSANDS = ("", ",", ".", " ", "'")
NEGATIVES = ("minus", "parentheses", "trailing")
SIGNS = ("signed", "by_type", "two_columns")
PROVIDER_FIELDS = (
    "type",
    "account_key",
    "provider_reference",
    "our_reference",
    "at",
    "currency",
    "amount",
    "debit",
    "fee",
    "net",
    "status_code",
)
BANK_FIELDS = (
    "account_key",
    "reference",
    "end_to_end_id",
    "booked_on",
    "value_on",
    "currency",
    "amount",
    "debit",
    "counterparty",
    "narrative",
    "type_code",
)
_REQUIRED = {True: {"reference", "booked_on", "amount"}, False: {"provider_reference", "at", "amount"}}
_TYPES = frozenset({"PAYMENT", "REFUND", "CHARGEBACK", "REVERSAL", "FEE", "ADJUSTMENT"})
_NAMED = re.compile(r"[A-Za-z0-9_./:-]{1,60}")
# A sheet's moment is a number: midnight, and a fraction of nothing, are not written.
_SHEET_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2}:[0-9]{2})?")
_SHEET_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")


class BadMapping(Exception):
    """What of a mapping is wrong: field -> sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping. `columns`: field -> column name; `fixed`: field -> value for what no column holds; `header`: all columns of the file, in order."""

    bank: bool
    header: tuple[str, ...]
    columns: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(
        default_factory=dict
    )  # text of the type column -> LineType; "" for a file without one
    kind: str = "csv"  # or "xlsx"
    encoding: str = "utf-8"
    delimiter: str = ","
    skip_rows: int = 0  # before the columns' names
    skip_matching: str = ""  # rows whose text (cells joined by the delimiter) has one of these: "^Total|page"
    date_format: str = "%Y-%m-%d"
    decimal: str = "."
    thousands: str = ""
    negative: str = "minus"
    sign: str = "signed"


def mapping_of(given: Mapping[str, Any], *, bank: bool) -> Table:
    """A mapping from its stored form. Raises BadMapping naming each field at fault."""
    problems: dict[str, str] = {}
    known = {name for name in Table.__dataclass_fields__ if name != "bank"}
    for name in set(given) - known:
        problems[name] = "is not part of a mapping"
    values: dict[str, Any] = {name: given[name] for name in known if name in given}
    header = values.get("header")
    if not isinstance(header, list | tuple) or not header or not all(isinstance(x, str) and x for x in header):
        problems["header"] = "the columns' names are missing"
        header = []
    elif len(set(header)) != len(header):
        problems["header"] = "two columns have the same name"
    fields = BANK_FIELDS if bank else PROVIDER_FIELDS
    for part in ("columns", "fixed", "types"):
        if not isinstance(values.get(part, {}), Mapping):
            problems[part] = "is not a table of names"
            values[part] = {}
    columns, fixed = dict(values.get("columns") or {}), dict(values.get("fixed") or {})
    for name, column in columns.items():
        if name not in fields:
            problems[name] = "is not a field of such a line"
        elif column not in header:
            problems[name] = f"there is no column {column!r}"
    for name in sorted((_REQUIRED[bank]) - set(columns)):
        problems.setdefault(name, "has to be a column")
    if "currency" not in columns and not _currency(fixed.get("currency", "")):
        problems["currency"] = "is neither a column nor a currency"
    if "account_key" not in columns and not fixed.get("account_key"):
        problems["account_key"] = "is neither a column nor given"
    if not bank and (not values.get("types") or not set(values["types"].values()) <= _TYPES):
        problems["types"] = "say what each text of the type column means"
    for name, allowed in (
        ("kind", ("csv", "xlsx")),
        ("encoding", ENCODINGS),
        ("delimiter", DELIMITERS),
        ("decimal", (".", ",")),
        ("thousands", THOUSANDS),
        ("negative", NEGATIVES),
        ("sign", SIGNS),
    ):
        if values.get(name, allowed[0]) not in allowed:
            problems[name] = f"is one of {', '.join(map(repr, allowed))}"
    if values.get("thousands", "") == values.get("decimal", "."):
        problems["thousands"] = "is the decimal sign already"
    if values.get("sign") == "two_columns" and "debit" not in columns:
        problems["debit"] = "has to be a column"
    if values.get("sign") == "by_type" and bank:
        problems["sign"] = "a bank's line has no type"
    if not isinstance(values.get("skip_rows", 0), int) or not 0 <= values.get("skip_rows", 0) <= 100:
        problems["skip_rows"] = "is a number up to 100"
    skip = values.get("skip_matching", "")
    if not isinstance(skip, str) or len(skip) > 100 or (skip and not all(text.strip("^ ") for text in skip.split("|"))):
        problems["skip_matching"] = "is texts of 100 characters together with | between them, none of them empty"
    date_format = values.get("date_format", "%Y-%m-%d")
    try:
        sample = datetime(2026, 11, 26, 13, 14, 15).strftime(date_format)  # noqa: DTZ001 -- only its text is looked at
        if datetime.strptime(sample, date_format).date() != date(2026, 11, 26):  # noqa: DTZ007
            problems["date_format"] = "has to have day, month and year"
    except (ValueError, TypeError):
        problems["date_format"] = "is not a date format like %d/%m/%Y %H:%M:%S"
    if problems:
        raise BadMapping(problems)
    return Table(bank=bank, **values | {"header": tuple(header)})


class MappedParser:
    """Reads one row of a table. `accounts`, for a bank: account -> currency."""

    def __init__(
        self,
        table: Table,
        *,
        zone: ZoneInfo,
        day: date,
        account_key: str | None = None,
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        self.columns = table.header
        self._table = table
        self._zone = zone
        self._day = day
        self._account_key = account_key
        self._entries = EntryParser(accounts or {})
        self._position = {name: table.header.index(column) for name, column in table.columns.items()}
        self._number = _number_pattern(table)

    def read(self, number: int, values: Sequence[str]) -> Line | Entry:
        if len(values) != len(self.columns):
            raise LineProblem(f"{len(values)} columns instead of {len(self.columns)}")
        return self._entry(number, values) if self._table.bank else self._line(number, values)

    def _get(self, values: Sequence[str], name: str) -> str:
        at = self._position.get(name)
        return values[at].strip() if at is not None else self._table.fixed.get(name, "")

    def _line(self, number: int, values: Sequence[str]) -> Line:
        said = self._get(values, "type")
        type_ = self._table.types.get(said)
        if type_ is None:
            raise LineProblem(f"unknown type {said!r}")
        account_key = self._named(values, "account_key")
        if self._account_key not in (None, account_key):
            raise RefusedFile(f"line {number}: of account {account_key}, in a file of {self._account_key}")
        currency = self._get(values, "currency")
        amount = self._amount(values, currency)
        if self._table.sign == "by_type":
            if amount < 0:
                raise LineProblem("a negative amount, where the type says which way the money went")
            amount = -amount if type_ in ("REFUND", "CHARGEBACK") else amount
        fee = self._minor(self._get(values, "fee"), currency) if self._get(values, "fee") else 0
        net = self._get(values, "net")
        if net and self._minor(net, currency) != amount - fee:
            raise LineProblem(f"the net {net} is not the amount less the fee")
        good = {"PAYMENT": amount > 0, "REVERSAL": amount > 0, "REFUND": amount < 0, "CHARGEBACK": amount < 0}
        if not good.get(type_, amount != 0 if type_ == "ADJUSTMENT" else amount == 0 and fee != 0):
            raise LineProblem(f"the amount of a {type_.lower()} cannot be {self._get(values, 'amount')!r}")
        return Line(
            number=number,
            type=type_,
            account_key=account_key,
            provider_reference=self._named(values, "provider_reference"),
            our_reference=self._named(values, "our_reference") if self._get(values, "our_reference") else "",
            at=self._moment(self._get(values, "at")),
            currency=currency,
            amount_minor=amount,
            fee_minor=fee,
            net_minor=amount - fee,
            status_code=self._get(values, "status_code")[:10],
        )

    def _entry(self, number: int, values: Sequence[str]) -> Entry:
        """Put into the words that every bank's entry is read from."""
        currency = self._get(values, "currency")
        minor = self._amount(values, currency)
        booked = self._date(self._get(values, "booked_on"))
        if booked > self._day:
            raise LineProblem(f"booked on {booked}, after {self._day}")
        value_on = self._get(values, "value_on")
        digits = exponent(currency)
        text = str(abs(minor)).rjust(digits + 1, "0")
        fields = dict.fromkeys(COLUMNS, "") | {
            "ACCOUNT": self._get(values, "account_key"),
            "REFERENCE": self._get(values, "reference"),
            "END_TO_END_ID": self._get(values, "end_to_end_id"),
            "CREDIT_OR_DEBIT": "D" if minor < 0 else "C",
            "AMOUNT": f"{text[:-digits]}.{text[-digits:]}" if digits else text,
            "CURRENCY": currency,
            "BOOKED_ON": booked.isoformat(),
            "VALUE_ON": self._date(value_on).isoformat() if value_on else "",
            "TYPE": self._get(values, "type_code"),
            "COUNTERPARTY": self._get(values, "counterparty"),
            "NARRATIVE": self._get(values, "narrative"),
        }
        return self._entries.read(number, [fields[name] for name in COLUMNS])

    def _named(self, values: Sequence[str], name: str) -> str:
        text = self._get(values, name)
        if not _NAMED.fullmatch(text):
            raise LineProblem(f"{name.replace('_', ' ')} {text!r} is not a name or number")
        return text

    def _amount(self, values: Sequence[str], currency: str) -> int:
        amount = self._get(values, "amount")
        if self._table.sign != "two_columns":
            return self._minor(amount, currency)
        debit = self._get(values, "debit")
        came, went = (self._minor(text, currency) if text else 0 for text in (amount, debit))
        if came < 0 or went < 0 or (came and went):
            raise LineProblem(f"{amount!r} came and {debit!r} went: one of them, and not negative")
        return came - went

    def _minor(self, text: str, currency: str) -> int:
        found = self._number.fullmatch(text)
        if found is None:
            raise LineProblem(f"{text!r} is not an amount as declared")
        if not _currency(currency):
            raise LineProblem(f"unknown currency {currency!r}")
        digits = exponent(currency)
        whole = re.sub(r"[^0-9]", "", found["whole"])
        fraction = (found["fraction"] or "").rstrip("0")
        if len(fraction) > digits or len(whole) > 13:
            raise LineProblem(f"{text!r} is not an amount of {currency}")
        minor = int(whole + fraction.ljust(digits, "0"))
        return -minor if found["less"] else minor

    def _naive(self, text: str) -> datetime:
        table = self._table
        try:
            if table.kind == "xlsx" and table.date_format in _SHEET_FORMATS and _SHEET_MOMENT.fullmatch(text):
                return datetime.fromisoformat(text)
            return datetime.strptime(text, table.date_format)  # noqa: DTZ007 -- the zone is the source's
        except ValueError as exc:
            raise LineProblem(f"{text!r} is not a date as declared ({table.date_format})") from exc

    def _date(self, text: str) -> date:
        return self._naive(text).date()

    def _moment(self, text: str) -> datetime:
        """In the source's zone. An hour that its clock does not have, or has twice, is nobody's guess."""
        at = self._naive(text)
        if at.tzinfo is None:
            early, late = at.replace(tzinfo=self._zone, fold=0), at.replace(tzinfo=self._zone, fold=1)
            if early.utcoffset() != late.utcoffset():
                raise LineProblem(f"{text!r}: the clock was changed in that hour")
            at = early
        if at.astimezone(self._zone).date() != self._day:
            raise LineProblem(f"{text} is not on {self._day.isoformat()}")
        return at


def _is_skipped(text: str, skip: str) -> bool:
    """Whether `text` begins with one of the texts that have ^ before them, or has one of the others anywhere.

    No regular expressions: a person's own may take for ever on an innocent line.
    """
    each = skip.split("|") if skip else ()
    return any(text.startswith(wanted[1:]) if wanted.startswith("^") else wanted in text for wanted in each)


class MappedReader:
    """A reader (parsers.base.Reader) of one table. It states no totals, so there is nothing to compare."""

    stated: Totals | None = None
    balances: tuple[Balance, ...] = ()

    def __init__(self, rows: Iterator[tuple[int, list[str]]], table: Table, parser: MappedParser) -> None:
        self.parser = parser
        self.totals = Totals()
        self.unread = 0
        self._rows = rows
        self._table = table

    def __iter__(self) -> Iterator[Item]:
        table = self._table
        lines = amount = fee = net = 0
        headed = False
        for number, row in self._rows:
            if number <= table.skip_rows:
                continue
            if not headed:
                if tuple(cell.strip() for cell in row) != table.header:
                    raise RefusedFile(f"line {number}: the columns have to be {table.delimiter.join(table.header)}")
                headed = True
                continue
            if not any(row) or _is_skipped(table.delimiter.join(row), table.skip_matching):
                continue
            try:
                item = self.parser.read(number, row)
            except LineProblem as exc:
                self.unread += 1
                if self.unread > MAX_UNREAD:
                    raise RefusedFile(f"line {number}: {exc}", f"More than {MAX_UNREAD} lines cannot be read.") from exc
                yield Unread(number, tuple(row), str(exc))
                continue
            lines += 1
            amount += hundredths_of(item.amount_minor, item.currency)
            if isinstance(item, Line):
                fee += hundredths_of(item.fee_minor, item.currency)
                net += hundredths_of(item.net_minor, item.currency)
            else:
                net += hundredths_of(item.amount_minor, item.currency)
            yield item
        if not headed:
            raise RefusedFile("the file has no row of column names")
        self.totals = Totals(lines, amount, fee, net)


def raw_rows(file: BinaryIO, table: Table) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of everything in the file, as encoding and delimiter say. Raises RefusedFile."""
    if table.kind == "xlsx":
        yield from sheet_rows(file, width=len(table.header))
        return
    rows = csv.reader(decoded_lines(file, table.encoding), delimiter=table.delimiter, strict=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as exc:
        raise RefusedFile(f"line {rows.line_num}: {exc}") from exc


def decoded_lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The lines of a text, decoded piece by piece, each ending in a line feed. Raises RefusedFile."""
    decoder, rest, number = codecs.getincrementaldecoder(encoding)(errors="strict"), "", 0
    try:
        for piece in pieces(file):
            *lines, rest = (rest + decoder.decode(piece)).split("\n")
            for line in lines:
                number += 1
                yield _checked(line, number)
            if len(rest) > LONGEST_LINE:
                raise RefusedFile(f"line {number + 1}: longer than {LONGEST_LINE} characters")
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as exc:
        raise RefusedFile(f"after line {number}: not {encoding}") from exc
    if rest:
        yield _checked(rest, number + 1)
    elif number == 0:
        raise RefusedFile("line 1: the file is empty")


def _checked(line: str, number: int) -> str:
    if "\0" in line or "\ufeff" in line:
        raise RefusedFile(f"line {number}: a NUL character or a byte order mark")
    return line.removesuffix("\r") + "\n"


def _number_pattern(table: Table) -> re.Pattern[str]:
    grouped = rf"[0-9]{{1,3}}(?:{re.escape(table.thousands)}[0-9]{{3}})+|" if table.thousands else ""
    number = rf"(?P<whole>{grouped}[0-9]+)(?:{re.escape(table.decimal)}(?P<fraction>[0-9]{{1,5}}))?"
    around = {
        "minus": ("(?P<less>-)?", ""),
        "parentheses": (r"(?P<less>\()?", r"(?(less)\))"),
        "trailing": ("", "(?P<less>-)?"),
    }
    before, after = around[table.negative]
    return re.compile(before + number + after)


def _currency(text: str) -> bool:
    try:
        exponent(text)
    except UnknownCurrency:
        return False
    return text == text.upper()
