"""Reading a declared table: a header `H`, a row of column names, lines, and a trailer `T` with their count and sums.

One format is declared per provider, and anything else is refused with its line number, never guessed: another encoding, other line ends,
other columns, another way to write a number, sums that do not add up. The rows come from a CSV file or from a sheet.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from common.money import exponent
from reconciliation.parsers.base import (
    MAX_UNREAD,
    NAME,
    Balance,
    Item,
    Line,
    LineProblem,
    RefusedFile,
    Totals,
    Unread,
    disagreements,
    text_of,
)
from reconciliation.parsers.bytes import check_text, text_lines

ALL = "ALL"  # instead of an account, in the header
_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,12})\.([0-9]{2})")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_POSITIVE, _NEGATIVE, _EITHER = frozenset({"PAYMENT", "REVERSAL"}), frozenset({"REFUND", "CHARGEBACK"}), "ADJUSTMENT"
FEE_MAY_COME_BACK = frozenset({"REFUND", "REVERSAL", "FEE", "ADJUSTMENT"})
WITHOUT_A_PAYMENT = frozenset({"FEE", "ADJUSTMENT"})

Rows = Iterator[tuple[int, list[str]]]  # the number of the row's (last) line in the file, and its cells


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what."""

    type: str
    account_key: str
    provider_reference: str
    our_reference: str
    at: str
    currency: str
    amount: str
    fee: str
    net: str
    status_code: str


def hundredths(text: str, currency: str = "") -> int:
    """`1234.50`, whatever the currency. Raises LineProblem."""
    found = _AMOUNT.fullmatch(text)
    if found is None or text == "-0.00":
        raise LineProblem(f"{text!r} is not an amount like 1234.50")
    sign, whole, cents = found.groups()
    return int(sign + whole + cents)


def moment(text: str, zone: ZoneInfo) -> datetime:
    """RFC 3339 with an offset. Raises LineProblem."""
    try:
        at = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        raise LineProblem(f"{text!r} is not a time like 2026-03-02T12:00:00+08:00")
    return at


@dataclass(frozen=True, slots=True)
class Format:
    """One provider's table. `header` lists all columns in their order; `types` translates the type column into ours (LineType)."""

    name: str
    zone: ZoneInfo
    header: tuple[str, ...]
    columns: Columns
    types: Mapping[str, str]
    currencies: frozenset[str]  # of at most two decimals
    status_code: re.Pattern[str]
    amount: Callable[[str, str], int] = hundredths  # (text, currency or "" for a sum of the trailer) -> hundredths
    moment: Callable[[str, ZoneInfo], datetime] = moment


class TableParser:
    """Reads one line of a `Format`. `account_key` is whose file it is, None for a file of all accounts."""

    def __init__(self, format: Format, *, day: date, account_key: str | None = None) -> None:
        self.columns = format.header
        self._format = format
        self._day = day
        self._account_key = account_key
        self._position = {name: index for index, name in enumerate(format.header)}

    def read(self, number: int, values: Sequence[str]) -> Line:
        if len(values) != len(self.columns):
            raise LineProblem(f"{len(values)} columns instead of {len(self.columns)}")
        format, columns, position = self._format, self._format.columns, self._position
        type_ = format.types.get(values[position[columns.type]])
        if type_ is None:
            raise LineProblem(f"unknown {columns.type} {values[position[columns.type]]!r}")
        account_key = _named(values, position, columns.account_key, NAME)
        if self._account_key not in (None, account_key):
            raise RefusedFile(f"line {number}: of account {account_key}, in a file of {self._account_key}")
        currency = values[position[columns.currency]]
        if currency not in format.currencies:
            raise LineProblem(f"unknown {columns.currency} {currency!r}")
        amount = format.amount(values[position[columns.amount]], currency)
        fee = format.amount(values[position[columns.fee]], currency)
        net = format.amount(values[position[columns.net]], currency)
        if not _sign_of_type(type_, amount, fee):
            raise LineProblem(f"{columns.amount} {text_of(amount)} of a {type_.lower()}")
        if fee < 0 and type_ not in FEE_MAY_COME_BACK:
            raise LineProblem(f"a negative {columns.fee}")
        if net != amount - fee:
            raise LineProblem(f"{columns.net} {text_of(net)} is not {text_of(amount)} less {text_of(fee)}")
        unit = 10 ** (2 - exponent(currency))
        if amount % unit or fee % unit:
            raise LineProblem(f"{currency} has no such amounts")
        ours = values[position[columns.our_reference]]
        return Line(
            number=number,
            type=type_,
            account_key=account_key,
            provider_reference=_named(values, position, columns.provider_reference, NAME),
            our_reference=""
            if not ours and type_ in WITHOUT_A_PAYMENT
            else _named(values, position, columns.our_reference, NAME),
            at=self._at(values[position[columns.at]]),
            currency=currency,
            amount_minor=amount // unit,
            fee_minor=fee // unit,
            net_minor=net // unit,
            status_code=_named(values, position, columns.status_code, format.status_code),
        )

    def _at(self, text: str) -> datetime:
        at = self._format.moment(text, self._format.zone)
        if at.astimezone(self._format.zone).date() != self._day:
            raise LineProblem(f"{text} is not on {self._day.isoformat()}")
        return at


class TableReader:
    """A reader (parsers.base.Reader) of one table."""

    stated: Totals | None = None
    balances: tuple[Balance, ...] = ()

    def __init__(self, rows: Rows, format: Format, *, day: date, account_key: str | None = None) -> None:
        self.parser = TableParser(format, day=day, account_key=account_key)
        self.totals = Totals()
        self.unread = 0
        self._rows = rows
        self._format = format
        self._day = day
        self._account_key = account_key

    def __iter__(self) -> Iterator[Item]:
        rows, read, name = self._rows, self.parser.read, self._format.name
        check_head(self._format, self._day, self._account_key, next(rows, (1, None))[1], next(rows, (2, None))[1])
        unit = {currency: 10 ** (2 - exponent(currency)) for currency in self._format.currencies}
        count = amount = fee = net = 0
        number, trailer = 2, None
        for at, row in rows:
            before, number = number, at
            if trailer is not None:
                raise RefusedFile(f"line {number}: there is something after the trailer")
            if row and row[0] == "T":
                trailer = row
                continue
            try:
                if number != before + 1:
                    raise LineProblem("a line break inside quotes")
                line = read(number, row)
            except LineProblem as exc:
                self.unread += 1
                if self.unread > MAX_UNREAD:
                    raise RefusedFile(
                        f"line {number}: {exc}",
                        f"More than {MAX_UNREAD} lines cannot be read: this is not {name} as declared.",
                    ) from exc
                yield Unread(number, tuple(row), str(exc))
                continue
            scale = unit[line.currency]
            count += 1
            amount += line.amount_minor * scale
            fee += line.fee_minor * scale
            net += line.net_minor * scale
            yield line
        self.totals = Totals(count, amount, fee, net)
        self._check_trailer(number, trailer)

    def _check_trailer(self, number: int, row: list[str] | None) -> None:
        """With lines that were not read only the count can be compared; the sums have to wait for them."""
        if row is None:
            raise RefusedFile(f"line {number}: the file ends without a trailer")
        try:
            stated = stated_by(self._format, row)
        except LineProblem as exc:
            raise RefusedFile(f"line {number}: {exc}") from exc
        if self.unread:
            problems = []
            if stated.lines != self.totals.lines + self.unread:
                found = self.totals.lines + self.unread
                problems = [f"states a count of {stated.lines}, the file has {found}, {self.unread} of them unreadable"]
        else:
            problems = disagreements(stated, self.totals)
        if problems:
            raise RefusedFile(*(f"line {number}: the trailer {problem}" for problem in problems))
        self.stated = stated


def check_head(
    format: Format, day: date, account_key: str | None, first: list[str] | None, second: list[str] | None
) -> None:
    """Raises RefusedFile unless these are the first two rows of such a file. One of all accounts may be taken for one of them, never the reverse."""
    match first:
        case ["H", code, account, of_day] if code == format.name and NAME.fullmatch(account):
            if of_day != day.isoformat():
                raise RefusedFile(f"line 1: the file is of {of_day!r}, not of {day.isoformat()}")
            if account not in (account_key, ALL):
                raise RefusedFile(f"line 1: the file is of account {account}, not of {account_key or 'all accounts'}")
        case _:
            raise RefusedFile(f"line 1: no header H,{format.name},<account or ALL>,<date>")
    if second != list(format.header):
        raise RefusedFile(f"line 2: the columns have to be {','.join(format.header)}")


def stated_by(format: Format, row: Sequence[str]) -> Totals:
    """What the trailer states. Raises LineProblem."""
    if len(row) != 5 or row[0] != "T" or not _COUNT.fullmatch(row[1]):
        raise LineProblem("no trailer T,<lines>,<amounts>,<fees>,<nets>")
    return Totals(int(row[1]), *(format.amount(text, "") for text in row[2:]))


def csv_rows(file: BinaryIO) -> Rows:
    """The rows of an UTF-8 CSV file. Raises RefusedFile for what is not text of this kind."""
    check_text(file)
    rows = csv.reader(text_lines(file, "utf-8"), strict=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as exc:
        raise RefusedFile(f"line {rows.line_num}: {exc}") from exc


def _named(values: Sequence[str], position: Mapping[str, int], column: str, pattern: re.Pattern[str]) -> str:
    text = values[position[column]]
    if not pattern.fullmatch(text):
        raise LineProblem(f"{column} {text!r} is not a name or number")
    return text


def _sign_of_type(type_: str, amount: int, fee: int) -> bool:
    if type_ in _POSITIVE:
        return amount > 0
    if type_ in _NEGATIVE:
        return amount < 0
    return amount != 0 if type_ == _EITHER else amount == 0 and fee != 0
