"""A list of bank holidays as people paste it: a line for each, date and name. Pure."""

from __future__ import annotations

import csv
from datetime import date

_NAMED = 10  # of the lines that are wrong


class BadHolidays(ValueError):
    """`problems`: a sentence for each line that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def parse_holidays(text: str) -> dict[str, str]:
    """{"2026-02-17": "Chinese New Year"}, by date; a first line `date,name` is a heading. Raises BadHolidays naming each line."""
    found: dict[str, str] = {}
    problems = []
    for number, cells in enumerate(csv.reader(text.lstrip("\ufeff").splitlines()), start=1):
        day, name = ([cell.strip() for cell in cells] + ["", ""])[:2]
        if not (day or name) or (number, day.lower()) == (1, "date"):
            continue
        if len(cells) != 2 or not name or len(name) > 80:
            problems.append(f"Line {number}: write a date, a comma and a name: 2026-02-17,Chinese New Year.")
        elif not _is_date(day):
            problems.append(f"Line {number}: {day} is not a date like 2026-02-17.")
        elif found.setdefault(day, name) != name:
            problems.append(f"Line {number}: {day} is there already, as {found[day]}.")
    if problems:
        more = [f"{len(problems) - _NAMED} more lines are wrong."] if len(problems) > _NAMED else []
        raise BadHolidays(problems[:_NAMED] + more)
    return dict(sorted(found.items()))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
