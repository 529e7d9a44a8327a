"""The shape of a declared table as one pattern: whether a megabyte of lines is made exactly as it should be, at the speed of the pattern engine.

What has this shape still has to add up; what has not is read line by line (parsers.table), which says what is wrong. So this may be stricter than
the format, and never laxer. Pure.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from common.money import exponent
from reconciliation.parsers.base import NAME
from reconciliation.parsers.table import Format, hundredths, moment

_BLOCK = 1024 * 1024
_TAIL = 4096  # a trailer is shorter
_AMOUNT = r"(?!-0\.00)-?(?:0|[1-9][0-9]{0,12})\.[0-9]{2}"
_TIME = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
)
_FREE = r'(?:[^,"\n\r\0\\]{0,1000}+|"(?:[^"\n\r\0\\]|""){0,1000}+")'  # so that no line is longer than one may be


class OddShape(Exception):
    """The file is not plainly what was declared: read it line by line."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first two rows, and where the lines begin."""

    rows: tuple[list[str], list[str]]
    size: int


def is_plain(format: Format) -> bool:
    """Whether a format writes amounts, times and currencies in the way that is read here."""
    plain = format.amount is hundredths and format.moment is moment
    return plain and all(exponent(currency) == 2 for currency in format.currencies)


def lines_pattern(format: Format, account_key: str | None) -> re.Pattern[bytes]:
    """Matches any number of whole lines of the format."""
    columns = format.columns
    names = NAME.pattern
    no_payment = not {"FEE", "ADJUSTMENT"}.isdisjoint(format.types.values())
    shapes = {
        columns.type: "|".join(map(re.escape, format.types)),
        columns.account_key: re.escape(account_key) if account_key else names,
        columns.provider_reference: names,
        columns.our_reference: f"(?:{names})?" if no_payment else names,
        columns.at: _TIME,
        columns.currency: "|".join(map(re.escape, sorted(format.currencies))),
        columns.amount: _AMOUNT,
        columns.fee: _AMOUNT,
        columns.net: _AMOUNT,
        columns.status_code: format.status_code.pattern,
    }
    line = ",".join(f"(?:{shapes.get(name, _FREE)})" for name in format.header)
    return re.compile(f"(?>{line}\n)*+".encode(), re.ASCII)


def head_of(file: BinaryIO) -> Head:
    """Raises OddShape."""
    file.seek(0)
    first, second = file.readline(_TAIL), file.readline(_TAIL)
    return Head((_row(first), _row(second)), len(first) + len(second))


def blocks(file: BinaryIO, head: Head, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """The lines between head and trailer in blocks, each of the right shape; the trailer's row is returned at the end. Raises OddShape."""
    file.seek(head.size)
    rest = b""
    while piece := file.read(_BLOCK):
        rest += piece
        end = rest.rfind(b"\n", 0, max(len(rest) - _TAIL, 0)) + 1
        if end == 0:
            continue
        block, rest = rest[:end], rest[end:]
        _check(pattern, block)
        yield block
    end = rest.rfind(b"\n", 0, len(rest) - 1) + 1
    _check(pattern, rest[:end])
    yield rest[:end]


def trailer_of(file: BinaryIO) -> list[str]:
    """The last row. Raises OddShape."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    return _row(tail[tail.rfind(b"\n", 0, len(tail) - 1) + 1 :])


def _check(pattern: re.Pattern[bytes], block: bytes) -> None:
    if pattern.fullmatch(block) is None:
        raise OddShape


def _row(line: bytes) -> list[str]:
    if not line.endswith(b"\n"):
        raise OddShape
    try:
        return next(csv.reader([line[:-1].decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as exc:
        raise OddShape from exc
