"""A day fetched or compared because a person asked: recorded at once, done by a worker, since a day may have a million lines.

What became of each account's statement is recorded too, so that whoever asked sees it on the day's page.
"""

from __future__ import annotations

from datetime import date, datetime

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.models import AuditRecord
from common.queue import nudge
from reconciliation.models import Source
from reconciliation.services.fetch import Clock, fetches
from reconciliation.services.reconcile import reconcile_day
from reconciliation.sources import zone_of

COMPARE, FETCH = "compare", "fetch"
FETCHED = "day.fetched"


def day_ask(*, what: str, provider: str, live: bool, day: date, actor: Actor, now: datetime) -> None:
    """Ask a worker to compare the day, or to fetch what is missing first. Raises NotFound, InvalidState (the day has not begun)."""
    source = Source.objects.filter(pk=provider).first()
    if source is None:
        raise NotFound("There is no such source.")
    if day > now.astimezone(zone_of(source)).date():
        raise InvalidState("The day has not begun.")
    key = day_key(provider, live, day)
    record_action(actor=actor, action=f"day.{what}_asked", subject_type="day", subject_id=key, now=now)
    nudge(f"reconciliation.{what}", provider=provider, live=str(live), day=day.isoformat(), actor=actor.name)


def day_fetch(*, provider: str, live: bool, day: date, actor: Actor, clock: Clock) -> None:
    """Fetch the statements of the day that are not complete yet, note what became of each, and compare."""
    source = Source.objects.get(pk=provider)
    found = {}
    for ask in fetches(source=source, day=day, actor=actor, clock=clock, live=live):
        fetched = ask()
        found[fetched.account.account_key] = [None, (fetched.problem or "It is there.")[:200]]
    key = day_key(provider, live, day)
    record_action(actor=actor, action=FETCHED, subject_type="day", subject_id=key, now=clock(), changes=found)
    reconcile_day(provider=provider, live=live, day=day, actor=actor, now=clock())


def last_fetch(*, provider: str, live: bool, day: date) -> AuditRecord | None:
    """What became of the last fetch that somebody asked for: `changes` has a sentence for each account."""
    found = AuditRecord.objects.filter(subject_id=day_key(provider, live, day), action=FETCHED)
    return found.order_by("-id").first()


def day_key(provider: str, live: bool, day: date) -> str:
    """As proposals and audit records name a day."""
    return f"{provider}:{'live' if live else 'test'}:{day}"
