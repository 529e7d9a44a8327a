"""What a scheduler is told by exit statuses: a finding is 1, and what could not be done is 2, whatever the reason."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from common.commands import ScheduledCommand, iso_day, minutes

SCHEDULED = ("close_day", "import_statement", "reconcile", "settle", "verify_audit", "verify_books")


@pytest.mark.parametrize("name", SCHEDULED)
def test_every_command_of_the_night_says_so(name: str) -> None:
    assert isinstance(load_command_class(get_commands()[name], name), ScheduledCommand)


def test_a_database_that_is_away_is_no_finding() -> None:
    environment = dict(os.environ) | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}

    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "verify_books"], capture_output=True, text=True, env=environment
    )

    assert ended.returncode == 2
    assert "CommandError: The database cannot be used: connection failed" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_nobody_expected_is_no_finding_and_tells_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    class Command(ScheduledCommand):
        requires_system_checks = ()

        def handle(self, *args: Any, **options: Any) -> None:
            raise ZeroDivisionError

    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "night"])

    assert ended.value.code == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_day_is_written_in_one_way() -> None:
    assert iso_day("2026-03-02") == date(2026, 3, 2)
    for text in ("20260302", "2026-W10-1", "2026-02-30", "02/03/2026", "2026-3-2", "٢٠٢٦-٠٣-٠٢", " 2026-03-02", ""):
        with pytest.raises(ArgumentTypeError, match="is not a day like 2026-03-02"):
            iso_day(text)


def test_minutes_are_a_number_that_time_has() -> None:
    assert minutes("15") == 15
    for text in ("-1", "1.5", "x", "", "999999999999"):
        with pytest.raises(ArgumentTypeError):
            minutes(text)
