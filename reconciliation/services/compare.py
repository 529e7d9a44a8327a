"""Comparing a day again because a person asked: recorded at once, done by a worker, since a day may have a million lines."""

from __future__ import annotations

from datetime import date, datetime

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.queue import nudge
from reconciliation.models import Source
from reconciliation.sources import zone_of


def compare_ask(*, provider: str, live: bool, day: date, actor: Actor, now: datetime) -> None:
    """Ask a worker to compare the day. Raises NotFound, InvalidState (the day has not begun)."""
    source = Source.objects.filter(pk=provider).first()
    if source is None:
        raise NotFound("There is no such source.")
    if day > now.astimezone(zone_of(source)).date():
        raise InvalidState("The day has not begun.")
    record_action(
        actor=actor,
        action="day.compare_asked",
        subject_type="day",
        subject_id=f"{provider}:{'live' if live else 'test'}:{day}",
        now=now,
    )
    nudge("reconciliation.compare", provider=provider, live=str(live), day=day.isoformat(), actor=actor.name)
