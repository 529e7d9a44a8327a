"""Reading a statement file: whole or not at all.

Both formats here are the same kind of file: a header `H`, a row of column names, lines, a trailer `T` with their count and sums. One
format is declared per provider, and anything else is refused with its line number, never guessed: another encoding, other line
ends, other columns, another way to write a number, a date outside the day, sums that do not add up. Reading is streaming; nothing
that was read may be used before the reader has come to its end. Pure: no Django, no database.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from _csv import Reader

MAX_BYTES = 256 * 1024 * 1024
_MAX_PROBLEMS = 20

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,12})\.([0-9]{2})")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class RefusedFile(Exception):
    """The file is not what was declared. `problems` are sentences that begin with "line N: " wherever a line is at fault."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Problem(Exception):
    """What is wrong with one line."""


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


@dataclass(frozen=True, slots=True)
class Format:
    """One provider's file. `header` lists all columns in their order; `types` translates the type column into ours."""

    name: str
    zone: ZoneInfo
    header: tuple[str, ...]
    columns: Columns
    types: Mapping[str, str]  # to "PAYMENT" or "REFUND"
    currencies: frozenset[str]  # all with two decimals, as the format writes every amount
    status_code: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement. Amounts in minor units, signed as in the file: refunds are negative."""

    number: int
    type: str
    account_key: str
    provider_reference: str
    our_reference: str
    at: datetime
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    status_code: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Control totals, in hundredths over whatever currencies the file mixes."""

    lines: int = 0
    amount: int = 0
    fee: int = 0
    net: int = 0


class StatementReader:
    """Iterate over the lines of one file; the end raises RefusedFile if anything was wrong anywhere.

    `account_key` is whose file it should be, None for a file of all accounts. After the last line `totals` holds the control totals.
    """

    def __init__(self, content: bytes, format: Format, *, day: date, account_key: str | None = None) -> None:
        self.totals = Totals()
        self._content = content
        self._format = format
        self._day = day
        self._account_key = account_key
        self._position = {name: index for index, name in enumerate(format.header)}

    def __iter__(self) -> Iterator[Line]:
        _check_bytes(self._content)
        rows = csv.reader(io.TextIOWrapper(io.BytesIO(self._content), encoding="utf-8", newline=""), strict=True)
        try:
            yield from self._lines(rows)
        except csv.Error as exc:
            raise RefusedFile(f"line {rows.line_num}: {exc}") from exc
        except UnicodeDecodeError as exc:
            raise RefusedFile(f"after line {rows.line_num}: not UTF-8") from exc

    def _lines(self, rows: Reader) -> Iterator[Line]:
        self._check_head(next(rows, None), next(rows, None))
        problems: list[str] = []
        count = amount = fee = net = 0
        number, trailer = rows.line_num, None
        for row in rows:
            before, number = number, rows.line_num
            if trailer is not None:
                raise RefusedFile(f"line {number}: there is something after the trailer")
            if row[:1] == ["T"]:
                trailer = row
                continue
            try:
                if number != before + 1:
                    raise _Problem("a line break inside quotes")
                line = self._line(number, row)
            except _Problem as exc:
                problems.append(f"line {number}: {exc}")
                if len(problems) == _MAX_PROBLEMS:
                    break
                continue
            count, amount, fee, net = count + 1, amount + line.amount_minor, fee + line.fee_minor, net + line.net_minor
            if not problems:
                yield line
        self.totals = Totals(count, amount, fee, net)
        if not problems:
            problems = self._check_trailer(rows.line_num, trailer)
        if problems:
            raise RefusedFile(*problems)

    def _check_head(self, first: list[str] | None, second: list[str] | None) -> None:
        name = self._format.name
        match first:
            case ["H", code, account, day] if code == name and _NAME.fullmatch(account):
                if day != self._day.isoformat():
                    raise RefusedFile(f"line 1: the file is of {day!r}, not of {self._day.isoformat()}")
            case _:
                raise RefusedFile(f"line 1: no header H,{name},<account or ALL>,<date>")
        if second != list(self._format.header):
            raise RefusedFile(f"line 2: the columns have to be {','.join(self._format.header)}")

    def _check_trailer(self, number: int, row: list[str] | None) -> list[str]:
        if row is None:
            return [f"line {number}: the file ends without a trailer"]
        if len(row) != 5 or not _COUNT.fullmatch(row[1]):
            return [f"line {number}: no trailer T,<lines>,<amounts>,<fees>,<nets>"]
        try:
            stated = Totals(int(row[1]), *(_hundredths(text) for text in row[2:]))
        except _Problem as exc:
            return [f"line {number}: {exc}"]
        found = self.totals
        return [
            f"line {number}: the trailer states {name} {said}, the lines have {had}"
            for name, said, had in (
                ("a count of", stated.lines, found.lines),
                ("amounts of", _text(stated.amount), _text(found.amount)),
                ("fees of", _text(stated.fee), _text(found.fee)),
                ("nets of", _text(stated.net), _text(found.net)),
            )
            if said != had
        ]

    def _line(self, number: int, row: list[str]) -> Line:
        if len(row) != len(self._format.header):
            raise _Problem(f"{len(row)} columns instead of {len(self._format.header)}")
        columns, position = self._format.columns, self._position
        type_ = self._format.types.get(row[position[columns.type]])
        if type_ is None:
            raise _Problem(f"unknown {columns.type} {row[position[columns.type]]!r}")
        account_key = _named(row, position, columns.account_key, _NAME)
        if self._account_key not in (None, account_key):
            raise _Problem(f"of account {account_key}, in a file of {self._account_key}")
        currency = row[position[columns.currency]]
        if currency not in self._format.currencies:
            raise _Problem(f"unknown {columns.currency} {currency!r}")
        amount = _hundredths(row[position[columns.amount]])
        fee = _hundredths(row[position[columns.fee]])
        net = _hundredths(row[position[columns.net]])
        if (amount > 0) is not (type_ == "PAYMENT") or amount == 0:
            raise _Problem(f"{columns.amount} {_text(amount)} of a {type_.lower()}")
        if fee < 0:
            raise _Problem(f"a negative {columns.fee}")
        if net != amount - fee:
            raise _Problem(f"{columns.net} {_text(net)} is not {_text(amount)} less {_text(fee)}")
        return Line(
            number=number,
            type=type_,
            account_key=account_key,
            provider_reference=_named(row, position, columns.provider_reference, _NAME),
            our_reference=_named(row, position, columns.our_reference, _NAME),
            at=self._time(row[position[columns.at]]),
            currency=currency,
            amount_minor=amount,
            fee_minor=fee,
            net_minor=net,
            status_code=_named(row, position, columns.status_code, self._format.status_code),
        )

    def _time(self, text: str) -> datetime:
        try:
            at = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
        except ValueError:
            at = None
        if at is None:
            raise _Problem(f"{text!r} is not a time like 2026-03-02T12:00:00+08:00")
        if at.astimezone(self._format.zone).date() != self._day:
            raise _Problem(f"{text} is not on {self._day.isoformat()}")
        return at


def _check_bytes(content: bytes) -> None:
    """What no text of ours contains, found before anything is decoded. The first byte at fault names the line."""
    if not content:
        raise RefusedFile("line 1: the file is empty")
    if len(content) > MAX_BYTES:
        raise RefusedFile(f"the file is larger than {MAX_BYTES} bytes")
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise RefusedFile("line 1: a byte order mark; the file has to be UTF-8 without one")
    for byte, name in ((b"\0", "a NUL byte"), (b"\r", "a carriage return; lines end with a line feed alone")):
        at = content.find(byte)
        if at >= 0:
            number = content.count(b"\n", 0, at) + 1
            raise RefusedFile(f"line {number}: {name}")


def _named(row: list[str], position: Mapping[str, int], column: str, pattern: re.Pattern[str]) -> str:
    text = row[position[column]]
    if not pattern.fullmatch(text):
        raise _Problem(f"{column} {text!r} is not a name or number")
    return text


def _hundredths(text: str) -> int:
    found = _AMOUNT.fullmatch(text)
    if found is None or text == "-0.00":
        raise _Problem(f"{text!r} is not an amount like 1234.50")
    sign, whole, cents = found.groups()
    return int(sign + whole + cents)


def _text(hundredths: int) -> str:
    sign, rest = ("-", -hundredths) if hundredths < 0 else ("", hundredths)
    return f"{sign}{rest // 100}.{rest % 100:02d}"
