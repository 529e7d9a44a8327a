"""Send again what an endpoint missed: its dead deliveries of a span of time."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from common.changes import Actor
from common.errors import InvalidState, LimitExceeded
from notifications.models import WebhookEndpoint
from notifications.services.replay import Replay, deliveries_replay


class Command(BaseCommand):
    help = "Replay the dead webhook deliveries of an endpoint. Times are RFC 3339, such as 2026-03-02T04:00:00Z."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--endpoint", required=True, help="whe_...")
        parser.add_argument("--from", required=True, dest="since", help="first moment")
        parser.add_argument("--to", required=True, dest="until", help="moment after the last")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = WebhookEndpoint.objects.filter(pk=options["endpoint"]).first()
        if endpoint is None:
            raise CommandError(f"There is no endpoint {options['endpoint']}.")
        try:
            count = deliveries_replay(
                wanted=Replay(
                    merchant_id=endpoint.merchant_id,
                    live=endpoint.live,
                    endpoint_id=endpoint.pk,
                    since=_moment(options["since"]),
                    until=_moment(options["until"]),
                ),
                actor=Actor(f"operator:{getpass.getuser()}"),
                reason=options["reason"],
                now=timezone.now(),
            )
        except (InvalidState, LimitExceeded) as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"{count} deliveries are due again.")


def _moment(text: str) -> datetime:
    """Raises CommandError unless it is a time with an offset."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text} is not a time such as 2026-03-02T04:00:00Z.")
    return moment
