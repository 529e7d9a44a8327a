"""Settle what merchants are owed, for every period that has closed up to a day (docs/settlement.md).

Exit status 0: everything that was due is settled, nothing may have been due; 1: something could not be settled, each is named; 2: bad arguments. A day
that has not ended is settled as far as it has got.
"""

from __future__ import annotations

from typing import IO, Any, cast

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from common.changes import Actor
from common.commands import ScheduledCommand, iso_day
from common.money import Money
from merchants.models import Merchant
from reconciliation.models import Settlement
from reconciliation.services.settle import books
from reconciliation.services.settle_all import settle_books

ACTOR = Actor("system:settle")
_SHOWN = 50


class Command(ScheduledCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", required=True, type=iso_day, help="The closing day, YYYY-MM-DD.")
        parser.add_argument("--merchant", help="The code of one merchant. Default: all.")

    def handle(self, *args: Any, **options: Any) -> None:
        day, code, now = options["date"], options["merchant"], timezone.now()
        if code is not None and not Merchant.objects.filter(code=code).exists():
            raise CommandError(f"There is no merchant {code}.", returncode=2)
        todo = books(code)
        begun = [book for book in todo if day <= now.astimezone(book.zone).date()]
        if todo and not begun:
            raise CommandError(f"{day} has not begun.", returncode=2)
        console = Console(file=cast(IO[str], self.stdout), width=None if self.stdout.isatty() else 160)
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
        with Progress(*columns, TimeElapsedColumn(), console=console, disable=not self.stdout.isatty()) as progress:
            settling = progress.add_task("settling", total=len(begun))
            made, problems = settle_books(
                begun, day=day, actor=ACTOR, now=now, progress=lambda book: progress.update(settling, advance=1)
            )
        _show(console, made)
        if problems:
            raise CommandError("\n".join(problems), returncode=1)
        self.stdout.write(self.style.SUCCESS(f"{day}: {len(made)} settlements of {len(begun)} accounts."))


def _show(console: Console, made: list[Settlement]) -> None:
    if not made:
        return
    table = Table(
        "settlement", "merchant", "day", "lines", "gross", "refunds", "fees", "reserve", "net", "pay on", "state"
    )
    codes = dict(Merchant.objects.filter(pk__in={each.merchant_id for each in made}).values_list("pk", "code"))
    for each in made[:_SHOWN]:
        reserve = each.reserve_released_minor - each.reserve_held_minor
        amounts = (each.gross_minor, -each.refund_minor, -each.fee_minor, reserve)
        table.add_row(
            each.pk,
            codes[each.merchant_id] + ("" if each.live else " (test)"),
            each.day.isoformat(),
            str(each.line_count),
            *(str(Money(minor, each.currency)) for minor in amounts),
            f"{each.net} {each.currency}",
            each.pay_on.isoformat(),
            each.get_state_display(),
        )
    console.print(table)
    if len(made) > _SHOWN:
        console.print(f"... and {len(made) - _SHOWN} more.")
