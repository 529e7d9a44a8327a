"""`manage.py export_postman`: docs/postman.json from the schema that is served."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from drf_spectacular.generators import SchemaGenerator

from common.postman import postman_collection


class Command(BaseCommand):
    help = "Write the Postman collection of the merchant API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BASE_DIR / "docs/postman.json")

    def handle(self, *, to: Path, **_options: Any) -> None:
        document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        to.write_text(json.dumps(postman_collection(document), indent=1, ensure_ascii=False) + "\n")
