"""`manage.py create_merchant_user NAME --merchant CODE [--live] [--scopes ...]`: a user who signs in to the API.

The password is made here and written to the terminal this once.
"""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.changes import Actor
from common.errors import InvalidRequest
from merchants.models import Merchant
from merchants.scopes import Scope
from merchants.services.users import merchant_user_create


class Command(BaseCommand):
    help = "Create a merchant's user with a generated password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--merchant", required=True, help="merchant code")
        parser.add_argument("--live", action="store_true")
        parser.add_argument("--scopes", nargs="+", default=list(Scope), choices=list(Scope))

    def handle(self, *args: Any, **options: Any) -> None:
        merchant = Merchant.objects.filter(code=options["merchant"]).first()
        if merchant is None:
            raise CommandError(f"There is no merchant {options['merchant']}.")
        password = secrets.token_urlsafe(16)
        try:
            merchant_user_create(
                merchant_id=merchant.pk,
                username=options["username"],
                password=password,
                live=options["live"],
                scopes=options["scopes"],
                actor=Actor("system:command"),
                now=timezone.now(),
            )
        except InvalidRequest as exc:
            raise CommandError(f"{exc.message} {exc.details['fields']}") from exc
        self.stdout.write(f"User {options['username']} of {merchant.code} has the password {password}")
