"""MT940: an account's entries between its opening and closing balance, as tagged lines of text (SWIFT).

Each message of a file is read by itself: `:25:` account, `:60F:` or `:60M:` opening balance, `:61:` entries with their `:86:`, `:62F:` or `:62M:`
closing balance. A statement of several messages goes on where it was: an intermediate opening balance is the closing one before it, and
the file ends with a final one. The year of an entry's date, which has none, is the one nearest to its value date.

What banks write around and between the fields that carry money is let pass where it can say nothing of money: a header of their own before a
message, empty lines, `:NS:` fields, blanks for an entry date or a type that they leave out. An entry without a date of its own is booked on
its value date or, where that lies outside the statement, on the statement's first day, which a longer file of it has too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from reconciliation.parsers.base import MAX_UNREAD, Balance, Entry, Item, LineProblem, RefusedFile, Totals, Unread
from reconciliation.parsers.bytes import text_lines
from reconciliation.parsers.entries import EntryParser, check_day, hundredths_of, minor_of, stated_by

_LONGEST_FIELD = 64  # lines
_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,14},[0-9]{0,3})")
_ENTRY = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4}| {4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?(?P<amount>[0-9]{1,14},[0-9]{0,3})"
    r"(?P<type>[NSF](?:[A-Z0-9]{3}| {3}))(?P<ours>[^\n]*?)(?://(?P<theirs>[^\n]*))?(?:\n(?P<more>.*))?",
    re.DOTALL,
)
_END_TO_END = re.compile(r"(?:EREF\+|/EREF/)([^/?\n]+?)(?=\s*(?:[A-Z]{4}\+|[/?\n]|$))")
_NAME = re.compile(r"/(?:NAME|BENM//NAME|ORDP//NAME)/([^/\n]+)")
_ELSEWHERE = frozenset({"", "NONREF", "EREF", "PREF", "MARF"})  # no reference, or one that the :86: has
_HEADER = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3,4})?|940|:940:")  # sender, message type, receiver
_BLOCKS = re.compile(r"(?:\{[123]:[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*\{4:")


@dataclass(slots=True)
class _Message:
    account: str = ""
    key: str = ""
    currency: str = ""
    opened_on: date = date.min
    begun_on: date = date.min  # the statement, of which this may be a later message
    opening: int | None = None
    closed: tuple[date, int] | None = None
    items: list[tuple[int, str, str]] = field(default_factory=list)  # line, :61:, :86:
    final: bool = False


class Mt940Reader:
    """A reader (parsers.base.Reader) of one MT940 file. A message is held whole, which SWIFT keeps below 2000 characters."""

    def __init__(self, file: BinaryIO, parser: EntryParser, *, encoding: str = "utf-8") -> None:
        self.parser = parser
        self.totals = Totals()
        self.unread = 0
        self.stated: Totals | None = None
        self.balances: tuple[Balance, ...] = ()
        self._file = file
        self._encoding = encoding
        self._open: dict[str, tuple[str, int, date]] = {}  # account -> unfinished statement: currency, balance, begin

    def __iter__(self) -> Iterator[Item]:
        lines = moved = 0
        for message in self._messages():
            for item in self._items(message):
                if isinstance(item, Entry):
                    lines += 1
                    moved += hundredths_of(item.amount_minor, item.currency)
                yield item
        if not self.balances:
            raise RefusedFile("the file has no statement (:60F: to :62F:)")
        if self._open:
            raise RefusedFile(f"the statement of {', '.join(self._open)} ends in the middle (:62M:)")
        self.totals = Totals(lines, moved, 0, moved)
        self.stated = stated_by(self.balances)

    def _messages(self) -> Iterator[_Message]:
        message: _Message | None = None
        for number, tag, text in self._fields():
            if tag == "20":
                if message is not None and message.closed is None:
                    raise RefusedFile(f"line {number}: a new message before the closing balance of the last")
                if message is not None:
                    yield message
                message = _Message()
            if message is None:
                raise RefusedFile(f"line {number}: :{tag}: before :20:")
            self._take(message, number, tag, text)
        if message is None:
            raise RefusedFile("line 1: the file has no message (:20:)")
        if message.closed is None:
            raise RefusedFile("the file ends before a closing balance (:62F:)")
        yield message

    def _take(self, message: _Message, number: int, tag: str, text: str) -> None:
        if tag in ("60F", "60M", "61", "62F", "62M") and not message.account:
            raise RefusedFile(f"line {number}: :{tag}: before the account (:25:)")
        match tag:
            case "25" | "25P":  # P: a line with the bank follows
                message.account = (text.partition("\n")[0] if tag == "25P" else text).strip()
                message.currency = self.parser.currency_of(number, message.account)
            case "28" | "28C":
                message.key = text.strip()[:60]
            case "60F" | "60M":
                message.opened_on, message.opening = self._balance(message, number, text)
                before = self._open.pop(message.account, None)
                message.begun_on = before[2] if before else message.opened_on
                if tag == "60M" and (before is None or before[:2] != (message.currency, message.opening)):
                    raise RefusedFile(f"line {number}: an intermediate opening balance that is not the one before it")
                if tag == "60F" and before is not None:
                    raise RefusedFile(f"line {number}: a new statement before the last one's final balance")
            case "61":
                if message.opening is None or message.closed is not None:
                    raise RefusedFile(f"line {number}: an entry outside its balances")
                message.items.append((number, text, ""))
            case "NS" if message.items and message.closed is None:
                line, entry, info = message.items[-1]
                message.items[-1] = (line, f"{entry}\n{text}", info)
            case "86" if message.items and message.closed is None:
                line, entry, _ = message.items[-1]
                message.items[-1] = (line, entry, text)
            case "62F" | "62M":
                if message.opening is None or message.closed is not None:
                    raise RefusedFile(f"line {number}: a closing balance without an opening one")
                message.closed = self._balance(message, number, text)
                message.final = tag == "62F"

    def _balance(self, message: _Message, number: int, text: str) -> tuple[date, int]:
        found = _BALANCE.fullmatch(text.strip())
        if found is None:
            raise RefusedFile(f"line {number}: {text.strip()!r} is not a balance")
        mark, on, currency, amount = found.groups()
        if currency != message.currency:
            raise RefusedFile(f"line {number}: a balance in {currency} of an account in {message.currency}")
        try:
            minor = minor_of(_point(amount), currency)
            return _short_day(on), minor if mark == "C" else -minor
        except LineProblem as exc:
            raise RefusedFile(f"line {number}: {exc}") from exc

    def _items(self, message: _Message) -> Iterator[Item]:
        if message.opening is None or message.closed is None:  # _take has seen to that
            raise RefusedFile(f"a message of {message.account} without balances")
        closed_on, closing = message.closed
        moved = unread = 0
        for number, text, info in message.items:
            values = self._values(message, text, info)
            try:
                entry = self.parser.read(number, values)
                check_day(entry, message.begun_on, closed_on)
            except LineProblem as exc:
                unread += 1
                self.unread += 1
                if self.unread > MAX_UNREAD:
                    problem = f"More than {MAX_UNREAD} entries cannot be read."
                    raise RefusedFile(f"line {number}: {exc}", problem) from exc
                yield Unread(number, values, str(exc))
                continue
            moved += entry.amount_minor
            yield entry
        if not unread and message.opening + moved != closing:
            raise RefusedFile(
                f"account {message.account}: the opening balance and the entries do not come to the closing balance"
            )
        if not message.final:
            self._open[message.account] = (message.currency, closing, message.begun_on)
        self.balances += (
            Balance(
                message.account,
                message.key,
                message.currency,
                message.opened_on,
                message.opening,
                closed_on,
                closing,
                len(message.items),
            ),
        )

    def _values(self, message: _Message, text: str, info: str) -> tuple[str, ...]:
        """The entry's fields, in the order of entries.COLUMNS. What is not an entry at all is kept as narrative."""
        narrative, name, end_to_end = _information(info)
        found = _ENTRY.fullmatch(text)
        if found is None:
            raw = " ".join(f":61:{text} :86:{info}".split())
            return (message.account, "", "", "", "", message.currency, "", "", "", "", name, raw, "", "", "")
        mark = found["mark"]
        ours = found["ours"].strip()
        value_on = _iso(found["value"])
        if not end_to_end and ours not in _ELSEWHERE:
            end_to_end = ours
        return (
            message.account,
            (found["theirs"] or "").strip(),
            end_to_end,
            mark if len(mark) == 1 else {"RC": "D", "RD": "C"}[mark],
            _point(found["amount"]),
            message.currency,
            "true" if mark.startswith("R") else "false",
            _booked(value_on, (found["entry"] or "").strip()) or _within(message, value_on),
            value_on,
            found["type"].strip(),
            name,
            " ".join([*narrative.split(), *(found["more"] or "").split()]),
            "",
            "",
            "",
        )

    def _fields(self) -> Iterator[tuple[int, str, str]]:
        """(line number, tag, text) of each field; a line that begins with no tag goes on with the last one."""
        number, tag, parts = 0, "", list[str]()
        at = 0
        for at, line in self._lines():
            found = _TAG.match(line)
            if found:
                if tag:
                    yield number, tag, "\n".join(parts)
                number, tag, parts = at, found.group(1), [found.group(2)]
            elif not line.strip():
                continue
            elif line.strip() in ("-", "-}") or _BLOCKS.fullmatch(line.strip()) or line.startswith("-}"):
                if tag:
                    yield number, tag, "\n".join(parts)
                tag, parts = "", []
            elif not tag and _HEADER.fullmatch(line.strip()):
                continue
            elif not tag:
                raise RefusedFile(f"line {at}: {line[:40]!r} belongs to no field")
            else:
                parts.append(line)
                if len(parts) > _LONGEST_FIELD:
                    raise RefusedFile(f"line {at}: a field of more than {_LONGEST_FIELD} lines")
        if tag:
            yield number, tag, "\n".join(parts)

    def _lines(self) -> Iterator[tuple[int, str]]:
        number = 0
        for number, raw in enumerate(text_lines(self._file, self._encoding), start=1):
            line = raw.removesuffix("\n").removesuffix("\r")
            if line.startswith("\ufeff"):
                raise RefusedFile("line 1: a byte order mark")
            if "\0" in line or "\r" in line:
                raise RefusedFile(f"line {number}: a NUL byte or a lone carriage return")
            yield number, line
        if number == 0:
            raise RefusedFile("line 1: the file is empty")


def _point(amount: str) -> str:
    return amount.replace(",", ".").removesuffix(".")


def _iso(six: str) -> str:
    """YYMMDD; checked where it is read."""
    return f"20{six[:2]}-{six[2:4]}-{six[4:]}"


def _short_day(six: str) -> date:
    try:
        return date.fromisoformat(_iso(six))
    except ValueError as exc:
        raise LineProblem(f"{six!r} is not a date") from exc


def _booked(value_on: str, month_day: str) -> str:
    """The entry's date, in the year that brings it nearest to the value date; empty if it has none."""
    if not month_day:
        return ""
    try:
        value = date.fromisoformat(value_on)
    except ValueError:
        return value_on
    candidates = []
    for year in (value.year - 1, value.year, value.year + 1):
        try:
            candidates.append(date(year, int(month_day[:2]), int(month_day[2:])))
        except ValueError:
            continue  # 29 February of another year, or no date at all
    if not candidates:
        return f"{value.year}-{month_day[:2]}-{month_day[2:]}"
    return min(candidates, key=lambda day: abs(day - value)).isoformat()


def _within(message: _Message, value_on: str) -> str:
    """The day of an entry that states none. Not its value date where the statement of that day was another one, and never the closing day,
    which a longer file moves: it would be another entry then."""
    closed_on = message.closed[0] if message.closed else date.max
    try:
        inside = message.begun_on <= date.fromisoformat(value_on) <= closed_on
    except ValueError:
        return value_on  # refused where it is read
    return value_on if inside else message.begun_on.isoformat()


def _information(info: str) -> tuple[str, str, str]:
    """Narrative, counterparty and end-to-end id of a `:86:`, with sub-fields (`?20`, `>20`) or without."""
    info = info.lstrip(" ")
    flat = info.replace("\n", "")
    found = re.match(r"(?:[0-9]{3}(?=[?>][0-9]{2})|(?=[?>][0-2]0))([?>])", flat)
    text, name = info, ""
    if found:
        fields = dict[str, str]()
        for part in flat.split(found.group(1))[1:]:
            fields[part[:2]] = fields.get(part[:2], "") + part[2:]
        text = "".join(fields[key] for key in sorted(fields) if "20" <= key <= "29" or "60" <= key <= "63")
        name = fields.get("32", "") + fields.get("33", "")
    end_to_end = _END_TO_END.search(text if found else text.replace("\n", ""))
    named = _NAME.search(text.replace("\n", ""))
    return (
        " ".join(text.split()),
        name or (named.group(1).strip() if named else ""),
        end_to_end.group(1).strip() if end_to_end else "",
    )
