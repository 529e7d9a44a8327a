"""Reconciling a provider's day: one transaction, in the database, under one lock per provider and mode.

Every run also looks again at everything that is still open, so breaks close themselves as soon as a statement or an operation
explains them. It concludes and records; it never changes money.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.db import transaction as database

from common.changes import Actor
from common.ids import new_id
from reconciliation.matching import passes
from reconciliation.models import ReconciliationRun
from reconciliation.services.locks import hold, patient
from reconciliation.sources import SOURCES

log = structlog.get_logger(__name__)

# How far a provider's clock and ours may be apart around midnight: later items are expected in tomorrow's statement.
CUT_OFF = timedelta(minutes=10)

PASSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("match by our reference", (passes.MATCH_BY_REFERENCE,)),
    ("collect the rest", (passes.COLLECT_REST, passes.COLLECT_CANDIDATES)),
    ("match by the provider's reference", (passes.MATCH_REST,)),
    ("find ambiguous", (passes.START_FINDINGS, passes.FIND_AMBIGUOUS)),
    ("find disagreeing", (passes.FIND_DISAGREEING,)),
    ("find missing in our books", (passes.FIND_MISSING_IN_BOOKS,)),
    ("find missing at the provider", (passes.FIND_MISSING_AT_PROVIDER,)),
)
_TEMPORARY = "DROP TABLE rest_line, candidate, finding"


def reconcile_day(
    *,
    provider: str,
    live: bool,
    day: date,
    actor: Actor,
    now: datetime,
    progress: Callable[[str], None] = lambda step: None,
) -> ReconciliationRun:
    """Compare what has been imported of the provider's `day` with our books. `progress` hears the name of each pass.

    Safe to run any number of times, at the same time too. Raises KeyError for a provider without statements.
    """
    run = ReconciliationRun.objects.create(
        id=new_id("run"), provider=provider, live=live, day=day, actor=actor.name, started_at=now
    )
    parameters = _parameters(run, now)
    with database.atomic(durable=True), connection.cursor() as cursor:
        patient()
        hold(f"reconcile:{provider}:{live}")
        for name, statements in PASSES:
            progress(name)
            for statement in statements:
                cursor.execute(statement, parameters)
        progress("close and open breaks")
        cursor.execute(passes.CLOSE_BREAKS, parameters)
        run.breaks_closed = cursor.rowcount
        cursor.execute(passes.OPEN_BREAKS, parameters)
        run.breaks_opened = sum(opened for (opened,) in cursor.fetchall())
        _count(run, parameters)
        cursor.execute(_TEMPORARY)
        run.ended_at = now
        run.save()
    log.info(
        "reconciliation.ended",
        run=run.pk,
        provider=provider,
        day=day.isoformat(),
        lines=run.lines,
        matched=run.lines_matched,
        opened=run.breaks_opened,
        closed=run.breaks_closed,
    )
    return run


def _parameters(run: ReconciliationRun, now: datetime) -> dict[str, Any]:
    source = SOURCES[run.provider]
    return {
        "run": run.pk,
        "provider": run.provider,
        "live": run.live,
        "day": run.day,
        "now": now,
        "zone": source.format.zone.key,
        "cut_off": CUT_OFF,
        "approved": source.approved,
        "basis_points": source.price.basis_points,
        "fixed": source.price.fixed_minor,
        "fixed_business": source.price.fixed_business_minor,
    }


def _count(run: ReconciliationRun, parameters: dict[str, Any]) -> None:
    """The run's figures: of all lines and operations of the day, as they stand now."""
    with connection.cursor() as cursor:
        cursor.execute(passes.COUNT_LINES, parameters)
        for currency, lines, matched, matched_minor, broken_minor in cursor.fetchall():
            run.lines += lines
            run.lines_matched += matched
            run.totals[currency] = {"matched": int(matched_minor or 0), "broken": int(broken_minor or 0)}
        run.lines_broken = run.lines - run.lines_matched
        cursor.execute(passes.COUNT_OPERATIONS, parameters)
        run.operations, run.operations_matched, run.operations_broken = cursor.fetchone()
        run.operations_expected = run.operations - run.operations_matched - run.operations_broken
