"""Load the demo's operators, merchants and accounts, and write demo.json into the data directory. Loading again goes on where it died, and otherwise changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from demo.load import demo_file, load_demo


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        demo = load_demo()
        self.stdout.write(
            f"{len(demo['merchants'])} merchants and {len(demo['operators'])} operators are there; see {demo_file()}"
        )
