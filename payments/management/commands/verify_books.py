"""Check the invariants of money over the live database. Exit status 1 names the first violation, 2: it could not be done. Nothing is changed."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, Any, cast

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.books import Asked, verify
from common.commands import ScheduledCommand, minutes


class Command(ScheduledCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--unpublished-minutes",
            type=minutes,
            default=15,
            help="How long a fact may wait to be published (default 15).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = Asked(now=timezone.now(), unpublished_for=timedelta(minutes=options["unpublished_minutes"]))
        table = Table("check", "examined", "result", "rule")
        violations = []
        for check, found in verify(asked):
            result = "[green]OK[/]" if not found.violations else f"[red]{len(found.violations)} or more wrong[/]"
            table.add_row(check.name, f"{found.examined:,}", result, escape(check.rule))
            violations += [f"{check.name}: {violation}" for violation in found.violations]
        console = Console(file=cast(IO[str], self.stdout), width=None if self.stdout.isatty() else 200)
        console.print(table)
        for violation in violations[1:]:
            self.stdout.write(f"also {violation}")
        if violations:
            raise CommandError(f"The books are wrong. {violations[0]}")
        self.stdout.write(self.style.SUCCESS(f"The books are right: {table.row_count} checks."))
