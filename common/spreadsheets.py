"""CSV (RFC 4180) that a spreadsheet opens safely: text that it would take for a formula gets an apostrophe in front."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Each row as a line, as soon as it is there."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    for row in rows:
        yield writer.writerow(row)


class _Echo:
    """What csv writes to: the line goes out instead of into a buffer."""

    def write(self, line: str) -> str:
        return line
