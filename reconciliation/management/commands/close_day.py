"""Close a provider's day: everything is in, compared, and nothing is open.

Exit status 0: closed (now or before); 1: something is open, which is named: two people sign it in the console; 2: it could not be done.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from common.changes import Actor
from common.commands import ScheduledCommand, iso_day
from common.errors import InvalidState
from reconciliation.models import Source
from reconciliation.services.closing import day_close
from reconciliation.services.expected import modes_of

ACTOR = Actor("system:close_day")


class Command(ScheduledCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", required=True, help="The source's code.")
        parser.add_argument("--date", required=True, type=iso_day, help="The provider's day, YYYY-MM-DD.")

    def handle(self, *args: Any, **options: Any) -> None:
        provider, day, now = options["provider"], options["date"], timezone.now()
        source = Source.objects.filter(pk=provider).first()
        if source is None:
            raise CommandError(f"There is no source {provider}.", returncode=2)
        modes = modes_of(source)
        if not modes:
            raise CommandError(f"There is no active {provider} account.", returncode=2)
        open_: list[str] = []
        for live in modes:
            mode = "live" if live else "test"
            try:
                closing = day_close(provider=provider, live=live, day=day, actor=ACTOR, now=now)
            except InvalidState as exc:
                open_ += [f"{mode}: {point}" for point in exc.details["points"]]
            else:
                self.stdout.write(self.style.SUCCESS(f"{provider} {day} {mode}: closed by {closing.actor}."))
        if open_:
            raise CommandError("\n".join(open_), returncode=1)
