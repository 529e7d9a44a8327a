"""Fetch a provider's or a bank's statements of a day, compare them with our books and list the breaks.

Exit status 0: everything agrees; 1: there are open breaks; 2: it could not be done, or not for every account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import IO, Any, cast

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from common.changes import Actor
from common.commands import ScheduledCommand, iso_day
from common.money import Money
from reconciliation.models import Break, ReconciliationRun, Side, Source, Statement, StatementState
from reconciliation.selectors import open_breaks
from reconciliation.services.expected import modes_of
from reconciliation.services.fetch import fetches
from reconciliation.services.reconcile import STEPS, reconcile_day
from reconciliation.sources import zone_of

ACTOR = Actor("system:reconcile")
_SHOWN = 50


class Command(ScheduledCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", required=True)
        parser.add_argument("--date", required=True, type=iso_day, help="The provider's day, YYYY-MM-DD.")
        parser.add_argument("--no-fetch", action="store_true", help="Compare with what has been imported already.")

    def handle(self, *args: Any, **options: Any) -> None:
        provider, day, now = options["provider"], options["date"], timezone.now()
        source = Source.objects.filter(pk=provider).first()
        if source is None:
            raise CommandError(f"There is no provider or bank {provider} with statements.", returncode=2)
        if day > now.astimezone(zone_of(source)).date():
            raise CommandError(f"{day} has not begun at {provider}.", returncode=2)
        modes = modes_of(source)
        if not modes:
            raise CommandError(f"There is no active {provider} account.", returncode=2)
        console = Console(file=cast(IO[str], self.stdout), width=None if self.stdout.isatty() else 160)
        problems, runs = self._work(console, source, modes, day, fetch=not options["no_fetch"])
        breaks = open_breaks(provider=provider, day=day)
        _show(console, runs, breaks)
        if problems:
            raise CommandError("\n".join(problems), returncode=2)
        if found := breaks.count():
            kinds = Counter(breaks.values_list("kind", flat=True))
            listed = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
            raise CommandError(f"{found} open breaks on {day}: {listed}", returncode=1)
        imported = Statement.objects.filter(provider=provider, day=day, state=StatementState.IMPORTED)
        if source.side == Side.PROVIDER and not imported.exists():
            self.stdout.write(f"{provider} {day}: nothing to compare with, no statement of that day is in.")
            return
        self.stdout.write(self.style.SUCCESS(f"{provider} {day}: everything agrees."))

    def _work(
        self, console: Console, source: Source, modes: Sequence[bool], day: date, *, fetch: bool
    ) -> tuple[list[str], list[ReconciliationRun]]:
        """Fetch and compare. Returns what went wrong, a sentence for each account, and the runs, one for each mode."""
        problems = []
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
        with Progress(*columns, TimeElapsedColumn(), console=console, disable=not self.stdout.isatty()) as progress:
            if fetch:
                asks = fetches(source=source, day=day, actor=ACTOR, clock=timezone.now)
                fetching = progress.add_task("fetching statements", total=len(asks))
                for ask in asks:
                    fetched = ask()
                    if fetched.problem:
                        problems.append(f"{fetched.account}: {fetched.problem}")
                    progress.advance(fetching)
            comparing = progress.add_task("comparing", total=len(modes) * STEPS)

            def step(name: str) -> None:
                progress.update(comparing, description=name, advance=1)

            runs = [
                reconcile_day(provider=source.code, live=live, day=day, actor=ACTOR, now=timezone.now(), progress=step)
                for live in modes
            ]
        return problems, runs


def _show(console: Console, runs: Sequence[ReconciliationRun], breaks: Any) -> None:
    summary = Table("mode", "lines", "matched", "broken", "our operations", "matched", "broken", "expected later")
    for run in runs:
        figures = (
            run.lines,
            run.lines_matched,
            run.lines_broken,
            run.operations,
            run.operations_matched,
            run.operations_broken,
            run.operations_expected,
        )
        summary.add_row("live" if run.live else "test", *map(str, figures))
    console.print(summary)
    if not breaks:
        return
    table = Table("break", "our reference", "provider's", "ours", "theirs", "probable cause")
    for found in breaks[:_SHOWN]:
        table.add_row(
            found.kind,
            *_references(found),
            _amount(found.our_minor, found.our_currency),
            _amount(found.their_minor, found.their_currency),
            found.cause,
        )
    console.print(table)
    if len(breaks) > _SHOWN:
        console.print(f"... and {len(breaks) - _SHOWN} more.")


def _references(found: Break) -> tuple[str, str]:
    """What we call it and what they call it, as far as there is something on each side."""
    if found.payout:
        return found.payout.end_to_end_id, ""
    if found.of_bank:
        return str(found.remittance or ""), found.bank_line.reference if found.bank_line else ""
    ours = found.operation.reference if found.operation else found.line.our_reference if found.line else ""
    theirs = (
        found.line.provider_reference if found.line else found.operation.provider_reference if found.operation else ""
    )
    return ours, theirs


def _amount(minor: int | None, currency: str) -> str:
    return "" if minor is None else Money(minor, currency).text()
