"""`manage.py sync_roles`: make the operators' roles what merchants/roles.py says. Every `migrate` does it, too."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from merchants.roles import ROLES, sync_roles


class Command(BaseCommand):
    help = "Make the operators' roles what merchants/roles.py says."

    def handle(self, *args: Any, **options: Any) -> None:
        sync_roles()
        self.stdout.write(f"{len(ROLES)} roles are in place: {', '.join(ROLES)}.")
