"""Commands that a scheduler runs: how they read a day, and what their exit statuses say.

0: it is as it should be; 1: something is not, which is named; 2: it could not be done. The database away is 2, and so is whatever nobody
expected: a scheduler must not take either for a finding.
"""

from __future__ import annotations

import re
import sys
import traceback
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.database import AWAY

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class ScheduledCommand(BaseCommand):
    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except AWAY as exc:
            why = str(exc).partition("\n")[0]
            raise CommandError(f"The database cannot be used: {why}", returncode=2) from exc

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except Exception:  # Python would end with 1, which says that something was found
            traceback.print_exc()
            sys.exit(2)


def iso_day(text: str) -> date:
    """A day as people and other programs write it in our arguments, and no other way of writing one."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is not a day like 2026-03-02")


def minutes(text: str) -> int:
    """Whole minutes, a year at most."""
    if text.isascii() and text.isdecimal() and int(text) <= 366 * 24 * 60:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number of minutes")
