"""Import a statement file. Exit status 0: imported, or it had been; 2: refused, or it could not be read. Nothing is half-applied."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.changes import Actor
from merchants.models import ProviderAccount
from reconciliation.models import StatementState
from reconciliation.parsers.base import MAX_BYTES
from reconciliation.services.imports import statement_import
from reconciliation.sources import SOURCES

ACTOR = Actor("system:import_statement")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--provider", required=True, choices=sorted(SOURCES))
        parser.add_argument("--date", required=True, type=date.fromisoformat, help="The provider's day, YYYY-MM-DD.")
        parser.add_argument(
            "--account", help="Id or key of the provider account; without it the file is of all accounts."
        )
        parser.add_argument("--test", action="store_true", help="A file of all test accounts, not of the live ones.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        account = self._account(options["provider"], options["account"]) if options["account"] else None
        try:
            if path.stat().st_size > MAX_BYTES:
                raise CommandError(f"{path} is larger than {MAX_BYTES} bytes.", returncode=2)
            content = path.read_bytes()
        except OSError as exc:
            raise CommandError(f"{path} cannot be read: {exc.strerror}.", returncode=2) from exc
        imported = statement_import(
            content=content,
            provider=options["provider"],
            account=account,
            live=account.live if account else not options["test"],
            day=options["date"],
            actor=ACTOR,
            now=timezone.now(),
        )
        statement = imported.statement
        if statement.state == StatementState.REFUSED:
            raise CommandError(f"Refused, nothing was applied ({statement.pk}).\n{statement.reason}", returncode=2)
        if imported.repeated:
            self.stdout.write(f"This file was imported before as {statement.pk}. Nothing changed.")
        else:
            self.stdout.write(
                self.style.SUCCESS(
                    f"{statement.pk}: {statement.line_count} lines, {statement.new_line_count} of them new."
                )
            )

    def _account(self, provider: str, named: str) -> ProviderAccount:
        of_provider = ProviderAccount.objects.filter(provider=provider)
        account = of_provider.filter(pk=named).first() or of_provider.filter(account_key=named).first()
        if account is None:
            raise CommandError(f"There is no {provider} account {named}.", returncode=2)
        return account
