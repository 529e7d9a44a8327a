"""What every reader of statement files has in common: what it yields, how it refuses, and when control totals agree.

A file is refused whole when it is not what was declared, or when what it says of itself does not add up. A single line that cannot be read is
yielded as it is, as `Unread`: it counts, it is never guessed and never dropped. Reading is streaming, and nothing that was read may be used
before the reader has come to its end. Pure: no Django, no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

MAX_PROBLEMS = 20
MAX_UNREAD = 200  # more than so many lines that cannot be read are another format, not a few bad lines
NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class RefusedFile(Exception):
    """The file is not what was declared. `problems` are sentences that begin with "line N: " wherever a line is at fault."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LineProblem(Exception):
    """What is wrong with one line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a provider's statement. Amounts in minor units, signed as in the file: refunds are negative."""

    number: int
    type: str  # LineType
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
class Entry:
    """One booked entry of a bank's statement. Money that came in is positive."""

    number: int
    account_key: str
    reference: str
    end_to_end_id: str
    narrative: str
    counterparty: str
    type_code: str
    reversal: bool
    booked_on: date
    value_on: date
    currency: str
    amount_minor: int
    charges_minor: int = 0
    instructed_currency: str = ""
    instructed_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read: its columns as they stand in the file, and why."""

    number: int
    cells: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What a bank's file states of one account."""

    account_key: str
    statement_key: str
    currency: str
    opened_on: date
    opening_minor: int
    closed_on: date
    closing_minor: int
    entry_count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Control totals, in hundredths (of a currency with more decimals in its minor units) over whatever currencies the file mixes."""

    lines: int = 0
    amount: int = 0
    fee: int = 0
    net: int = 0


Item = Line | Entry | Unread


class LineParser(Protocol):
    """Reads one line by itself, as it stands in a file or as a person has put it right."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def read(self, number: int, values: Sequence[str]) -> Line | Entry:
        """Raises LineProblem, or RefusedFile if such a line condemns its file."""


class Reader(Protocol):
    """Iterate over it once; the end raises RefusedFile if the file does not add up.

    After the end: `totals` of the lines that were read, `unread` how many were not, `stated` what the file says of all of them (None: nothing),
    `balances` of a bank's accounts. If nothing was unread, what is stated agrees.
    """

    @property
    def parser(self) -> LineParser: ...

    totals: Totals
    unread: int
    stated: Totals | None
    balances: tuple[Balance, ...]

    def __iter__(self) -> Iterator[Item]: ...


def text_of(hundredths: int) -> str:
    sign, rest = ("-", -hundredths) if hundredths < 0 else ("", hundredths)
    return f"{sign}{rest // 100}.{rest % 100:02d}"


def disagreements(stated: Totals, found: Totals) -> list[str]:
    """What the file states and its lines do not have, in words."""
    return [
        f"states {name} {said}, the lines have {had}"
        for name, said, had in (
            ("a count of", stated.lines, found.lines),
            ("amounts of", text_of(stated.amount), text_of(found.amount)),
            ("fees of", text_of(stated.fee), text_of(found.fee)),
            ("nets of", text_of(stated.net), text_of(found.net)),
        )
        if said != had
    ]
