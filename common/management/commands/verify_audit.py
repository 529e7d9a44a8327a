"""Check the audit log's hash chain against the records and the outside anchor. Exit status 1 names what is wrong, 2: it could not be done."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from common.audit import verify_chain
from common.commands import ScheduledCommand
from common.models import AuditLink


class Command(ScheduledCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = list(verify_chain(now=timezone.now()))
        if wrong:
            raise CommandError("\n".join(wrong))
        self.stdout.write(self.style.SUCCESS(f"The audit log is whole: {AuditLink.objects.count()} links."))
