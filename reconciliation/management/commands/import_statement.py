"""Import a statement file of a provider or a bank.

Exit status 0: imported, or it had been; 1: imported, and some lines could not be read and are quarantined; 2: refused, or it could not be
read. A refused file applies nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from common.changes import Actor
from common.commands import ScheduledCommand, iso_day
from merchants.models import ProviderAccount
from reconciliation.models import Side, Source, StatementState
from reconciliation.parsers.bytes import TooLarge
from reconciliation.services.imports import Imported, statement_import

ACTOR = Actor("system:import_statement")
_SHOWN = 20


class Command(ScheduledCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--provider", required=True, help="The source: a provider, or a bank of ours.")
        parser.add_argument("--date", type=iso_day, help="The source's day, YYYY-MM-DD; a bank's file says it itself.")
        parser.add_argument(
            "--account", help="Id or key of the provider account; without it the file is of all accounts."
        )
        parser.add_argument("--test", action="store_true", help="A file of all test accounts, not of the live ones.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        source = Source.objects.filter(pk=options["provider"]).first()
        if source is None:
            raise CommandError(f"There is no source {options['provider']}.", returncode=2)
        if options["date"] is None and source.side != Side.BANK:
            raise CommandError("A provider's statement needs its --date.", returncode=2)
        account = self._account(source, options["account"]) if options["account"] else None
        try:
            imported = self._import(path, source, account, options)
        except TooLarge as exc:
            raise CommandError(f"{path}: {exc}.", returncode=2) from exc
        except OSError as exc:
            raise CommandError(f"{path} cannot be read: {exc.strerror or exc}.", returncode=2) from exc
        self._tell(imported)

    def _import(self, path: Path, source: Source, account: ProviderAccount | None, options: dict[str, Any]) -> Imported:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn()
        console = Console(file=cast(IO[str], self.stdout))
        with path.open("rb") as file, Progress(*columns, console=console, disable=not self.stdout.isatty()) as bar:
            task = bar.add_task(f"Reading {path.name}", total=None)
            return statement_import(
                content=file,
                provider=source.code,
                account=account,
                live=account.live if account else not options["test"],
                day=options["date"],
                actor=ACTOR,
                now=timezone.now(),
                name=path.name,
                progress=lambda done, size: bar.update(task, completed=done, total=size),
            )

    def _tell(self, imported: Imported) -> None:
        statement = imported.statement
        if statement.state == StatementState.REFUSED:
            raise CommandError(f"Refused, nothing was applied ({statement.pk}).\n{statement.reason}", returncode=2)
        if statement.state == StatementState.WAITING:
            raise CommandError(f"Kept, nothing was applied yet ({statement.pk}): {statement.reason}.", returncode=1)
        waiting = list(statement.quarantined_lines.filter(state="OPEN"))
        if imported.repeated:
            self.stdout.write(f"This file was imported before as {statement.pk}. Nothing changed.")
        else:
            self.stdout.write(
                self.style.SUCCESS(
                    f"{statement.pk}: {statement.line_count} lines, {statement.new_line_count} of them new."
                )
            )
        if waiting:
            reasons = "\n".join(f"line {line.number}: {line.reason}" for line in waiting[:_SHOWN])
            if len(waiting) > _SHOWN:
                reasons += f"\n... and {len(waiting) - _SHOWN} more."
            raise CommandError(
                f"{len(waiting)} lines could not be read and wait in quarantine.\n{reasons}", returncode=1
            )

    def _account(self, source: Source, named: str) -> ProviderAccount:
        of_provider = ProviderAccount.objects.filter(provider=source.code)
        account = of_provider.filter(pk=named).first() or of_provider.filter(account_key=named).first()
        if account is None:
            raise CommandError(f"There is no {source.code} account {named}.", returncode=2)
        return account
