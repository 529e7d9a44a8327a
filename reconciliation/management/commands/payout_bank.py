"""`manage.py payout_bank`: the account of ours that payouts of a mode and currency are made from. Again: changes it; every change is in the audit log."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.changes import Actor
from reconciliation.services.payout_files import payout_bank_set


class Command(BaseCommand):
    help = "Set the account of ours that payouts are made from, and where their payment files are sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mode", choices=["live", "test"], required=True)
        parser.add_argument("--currency", required=True)
        parser.add_argument("--source", required=True, help="the code of the bank's statements")
        parser.add_argument("--account", required=True, help="the account number, as the statements write it")
        parser.add_argument("--name", required=True, help="the holder")
        parser.add_argument("--bic", default="")
        parser.add_argument("--url", default="", help="where files are posted to; without it they are carried by hand")

    def handle(self, *args: Any, **options: Any) -> None:
        bank = payout_bank_set(
            live=options["mode"] == "live",
            currency=options["currency"],
            source=options["source"],
            account_key=options["account"],
            name=options["name"],
            bic=options["bic"],
            url=options["url"],
            actor=Actor("system:command"),
            now=timezone.now(),
        )
        self.stdout.write(f"Payouts in {bank.currency} ({options['mode']}) are made from {bank}.")
