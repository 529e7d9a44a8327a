"""Closing a source's day, and opening it again.

A clean day closes by itself: every file is in, everything in it was compared and nothing is open. Otherwise two people sign what is open, and
it goes on as work of the next open day. Opening a closed day again needs two people too. The database keeps the closed day as it is
(migration 0006); a line that comes for it later is refused until it is opened again, a break that is found later is work of the next open day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import connection
from django.db import transaction as database

from common.approvals import Act, Changed, Pin, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState
from common.ids import new_id
from common.models import Proposal
from reconciliation.models import Break, CloseState, DayClose
from reconciliation.services.day_figures import DayFigures, day_figures, is_over
from reconciliation.services.locks import hold, patient

log = structlog.get_logger(__name__)

CLOSE, REOPEN = "day.close_with_difference", "day.reopen"
PINNED = (
    "kind",
    "line_id",
    "operation_id",
    "bank_line_id",
    "remittance_id",
    "payout_id",
    "our_minor",
    "their_minor",
    "resolved_at",
)


def last_closing(*, provider: str, live: bool, day: date) -> DayClose | None:
    """The last closing or reopening of the day."""
    return DayClose.objects.filter(provider=provider, live=live, day=day).order_by("-number").first()


def day_close(*, provider: str, live: bool, day: date, actor: Actor, now: datetime) -> DayClose:
    """Close a clean day; one that is closed is left as it is. Raises InvalidState naming what is open."""
    with database.atomic():
        patient()
        hold(f"reconcile:{provider}:{live}")
        _hold_day(provider, live)
        last = last_closing(provider=provider, live=live, day=day)
        if last is not None and last.state == CloseState.CLOSED:
            return last
        figures = _figures(provider, live, day, now)
        if not figures.clean:
            raise InvalidState(
                f"{provider} {day} is not clean: {' '.join(figures.open_points())}", points=figures.open_points()
            )
        return _write(provider, live, day, CloseState.CLOSED, figures, None, actor, now)


def close_clean_days(*, days: Iterable[tuple[str, bool, date]], actor: Actor, now: datetime) -> list[DayClose]:
    """Close those of the days that are clean."""
    closed = []
    for provider, live, day in days:
        try:
            closed.append(day_close(provider=provider, live=live, day=day, actor=actor, now=now))
        except InvalidState as exc:
            log.info("day.not_closed", provider=provider, live=live, day=day.isoformat(), reason=exc.message)
    return closed


def propose_close(
    *, provider: str, live: bool, day: date, by: User, reason: str, actor: Actor, now: datetime
) -> Proposal:
    """Ask to close the day with what is open. Raises InvalidState (closed, not compared, or nothing is open: then just close it), Forbidden."""
    with database.atomic():
        hold(f"reconcile:{provider}:{live}")
        figures = _signable(provider, live, day, now)
        ids = list(_open_breaks(provider, live, day).values_list("pk", flat=True))
        return propose(
            kind=CLOSE,
            subject_type="day",
            subject_id=_subject(provider, live, day),
            summary=f"Close {provider} {day} ({_mode(live)}) with a difference: {' '.join(figures.open_points())}",
            reason=reason,
            pins=[Pin("reconciliation_break", str(pk), PINNED) for pk in ids],
            parameters={"provider": provider, "live": live, "day": day.isoformat(), "figures": figures.as_json()},
            by=by,
            actor=actor,
            now=now,
        )


def propose_reopen(
    *, provider: str, live: bool, day: date, by: User, reason: str, actor: Actor, now: datetime
) -> Proposal:
    """Ask to open a closed day again. Raises InvalidState, Forbidden."""
    last = last_closing(provider=provider, live=live, day=day)
    if last is None or last.state != CloseState.CLOSED:
        raise InvalidState(f"{provider} {day} is not closed.")
    return propose(
        kind=REOPEN,
        subject_type="day",
        subject_id=_subject(provider, live, day),
        summary=f"Open {provider} {day} ({_mode(live)}) again, which was closed on {last.at:%Y-%m-%d} by {last.actor}",
        reason=reason,
        pins=[Pin("day_close", last.pk, ("number", "state"))],
        parameters={"provider": provider, "live": live, "day": day.isoformat(), "number": last.number},
        by=by,
        actor=actor,
        now=now,
    )


def _hold_day(provider: str, live: bool) -> None:
    """Wait for statements that are being taken in, and keep others waiting: what is looked at now is what is closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(counterfoil_day_lock(%s, %s))", [provider, live])


def _lock(proposal: Proposal) -> None:
    provider, live, day = _day_of(proposal)
    patient()
    hold(f"reconcile:{provider}:{live}")
    _hold_day(provider, live)
    list(_open_breaks(provider, live, day).select_for_update(no_key=True).values_list("pk"))


def _close(proposal: Proposal, actor: Actor, now: datetime) -> None:
    provider, live, day = _day_of(proposal)
    last = last_closing(provider=provider, live=live, day=day)
    if last is not None and last.state == CloseState.CLOSED:
        raise Changed("The day has been closed since.")
    figures = day_figures(provider=provider, live=live, day=day)
    if figures.as_json() != proposal.parameters["figures"]:
        raise Changed("The day has other figures than were signed: propose it again.")
    _write(provider, live, day, CloseState.CLOSED, figures, proposal, actor, now)


def _reopen(proposal: Proposal, actor: Actor, now: datetime) -> None:
    provider, live, day = _day_of(proposal)
    last = last_closing(provider=provider, live=live, day=day)
    if last is None or last.number != proposal.parameters["number"]:
        raise Changed("The day has been opened since.")
    _write(provider, live, day, CloseState.REOPENED, None, proposal, actor, now)


ACTS = (
    Act(
        CLOSE, "Close a day with a difference", "reconciliation.close_day", "reconciliation.approve_day", _lock, _close
    ),
    Act(REOPEN, "Open a closed day again", "reconciliation.close_day", "reconciliation.approve_day", _lock, _reopen),
)


def _figures(provider: str, live: bool, day: date, now: datetime) -> DayFigures:
    if not is_over(provider, day, now):
        raise InvalidState(f"{day} is not over at {provider}.", points=[f"{day} is not over at {provider}."])
    return day_figures(provider=provider, live=live, day=day)


def _signable(provider: str, live: bool, day: date, now: datetime) -> DayFigures:
    last = last_closing(provider=provider, live=live, day=day)
    if last is not None and last.state == CloseState.CLOSED:
        raise InvalidState(f"{provider} {day} is closed.")
    figures = _figures(provider, live, day, now)
    if figures.clean:
        raise InvalidState(f"{provider} {day} is clean: close it, nobody has to sign.")
    if not figures.ready:
        raise InvalidState(figures.open_points()[0])
    return figures


def _write(
    provider: str,
    live: bool,
    day: date,
    state: CloseState,
    figures: DayFigures | None,
    proposal: Proposal | None,
    actor: Actor,
    now: datetime,
) -> DayClose:
    """One row and its audit record; what is open goes to the next open day first."""
    last = last_closing(provider=provider, live=live, day=day)
    carried = _carry(provider, live, day) if state == CloseState.CLOSED and proposal is not None else 0
    row = DayClose.objects.create(
        id=new_id("day"),
        provider=provider,
        live=live,
        day=day,
        number=last.number + 1 if last else 1,
        state=state,
        is_clean=proposal is None,
        carried=carried,
        figures=figures.as_json() if figures else {},
        proposal=proposal,
        actor=actor.name,
        reason=proposal.reason if proposal else "",
        at=now,
    )
    record_action(
        actor=actor,
        action=f"day.{state.lower()}",
        subject_type="day",
        subject_id=_subject(provider, live, day),
        reason=row.reason,
        changes={"number": row.number, "clean": row.is_clean, "carried": carried},
        now=now,
    )
    return row


def _carry(provider: str, live: bool, day: date) -> int:
    """Hand the open breaks on to the next open day. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE reconciliation_break
               SET day = counterfoil_open_day(provider, live, day + 1), carried_from = coalesce(carried_from, day)
               WHERE provider = %s AND live = %s AND day = %s AND resolved_at IS NULL""",
            [provider, live, day],
        )
        return int(cursor.rowcount)


def _open_breaks(provider: str, live: bool, day: date) -> Any:
    return Break.objects.filter(provider=provider, live=live, day=day, resolved_at=None).order_by("pk")


def _day_of(proposal: Proposal) -> tuple[str, bool, date]:
    parameters = proposal.parameters
    return parameters["provider"], parameters["live"], date.fromisoformat(parameters["day"])


def _mode(live: bool) -> str:
    return "live" if live else "test"


def _subject(provider: str, live: bool, day: date) -> str:
    return f"{provider}:{_mode(live)}:{day}"


def last_days(until: date, count: int) -> list[date]:
    """`count` days, the last one first."""
    return [until - timedelta(days=back) for back in range(count)]
