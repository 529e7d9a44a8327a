"""Reconciling a provider's day: one transaction, in the database, under one lock per provider and mode.

Every run also looks at what is still open and may have changed, so breaks close themselves as soon as a statement or an operation
explains them. It concludes and records; of money it books only what a rule lets pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

import structlog
from django.db import IntegrityError, connection
from django.db import transaction as database
from psycopg.types.json import Jsonb

from common.changes import Actor, Subject
from common.ids import new_id
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.recipes import Leg
from payments.models.ledger import AccountKind
from reconciliation.matching import passes
from reconciliation.matching.nearest import NEAREST
from reconciliation.matching.rules import CHECKS, Rule, rules_of
from reconciliation.models import Comparison, MatchRule, ReconciliationRun, Side, Source
from reconciliation.services.booking import book
from reconciliation.services.locks import hold, patient
from reconciliation.services.reconcile_bank import reconcile_bank_day
from reconciliation.services.rule_sets import rule_set_live
from reconciliation.sources import due_at

log = structlog.get_logger(__name__)

# How far a provider's clock and ours may be apart around midnight: later items are expected in tomorrow's statement.
CUT_OFF = timedelta(minutes=10)

STEPS = 16  # what `progress` hears of one run at most


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

    A bank's day is compared with the remittances that are due (reconcile_bank). Safe to run any number of times, at the same time too. Raises
    Source.DoesNotExist for a provider without statements.
    """
    source = Source.objects.get(pk=provider)
    if source.side == Side.BANK:
        run = reconcile_bank_day(source=source, live=live, day=day, actor=actor, now=now, progress=progress)
        _log(run)
        return run
    rule_set = rule_set_live(provider=provider, comparison=Comparison.LEDGER, now=now)
    run = ReconciliationRun.objects.create(
        id=new_id("run"), provider=provider, live=live, day=day, actor=actor.name, rule_set=rule_set, started_at=now
    )
    with database.atomic(durable=True):
        compare(run, rules_of(Comparison.LEDGER, rule_set.rules), rule_set.version, actor, now, progress)
    _log(run)
    return run


def _log(run: ReconciliationRun) -> None:
    log.info(
        "reconciliation.ended",
        run=run.pk,
        provider=run.provider,
        day=run.day.isoformat(),
        lines=run.lines,
        matched=run.lines_matched,
        opened=run.breaks_opened,
        closed=run.breaks_closed,
    )


def compare(
    run: ReconciliationRun,
    rules: Sequence[Rule],
    version: int,
    actor: Actor,
    now: datetime,
    progress: Callable[[str], None] = lambda step: None,
) -> None:
    """All passes of a run by these rules, in the transaction of the caller, and what became of the day."""
    begun = monotonic()
    with connection.cursor() as cursor:
        patient()
        hold(f"reconcile:{run.provider}:{run.live}")
        parameters = parameters_of(run, rules, version, now)
        run.basis = parameters["basis"].obj
        run.save(update_fields=["basis"])
        run.operations, run.operations_matched = conclude(
            cursor, rules, parameters, progress, lambda: _book_tolerated(cursor, run, actor, now)
        )
        progress("close and open breaks")
        cursor.execute(passes.STIR_CLAIMED)
        cursor.execute(passes.CLOSE_BREAKS, parameters)
        run.breaks_closed = cursor.rowcount
        cursor.execute(passes.OPEN_BREAKS, parameters)
        run.breaks_opened = sum(opened for (opened,) in cursor.fetchall())
        _count(cursor, run, parameters)
        cursor.execute(f"DROP TABLE IF EXISTS {passes.TEMPORARY}")
        run.ended_at = now + timedelta(seconds=monotonic() - begun)
        run.save()


def conclude(
    cursor: Any,
    rules: Sequence[Rule],
    parameters: dict[str, Any],
    progress: Callable[[str], None],
    book_tolerated: Callable[[], None],
) -> tuple[int, int]:
    """Write the matches and leave the findings in the table of that name (and the others of passes.TEMPORARY).

    Returns how many operations of ours ended in the day and how many of them are claimed.
    """

    def execute(name: str, statements: Sequence[str]) -> int:
        progress(name)
        return rows_of(statements)

    def rows_of(statements: Sequence[str]) -> int:
        rows = 0
        for statement in statements:
            cursor.execute(statement, parameters)
            rows += max(cursor.rowcount, 0)
        return rows

    # Large sorts and hashes in memory, a look-up by index for what it costs where a table is in memory or on an SSD, and of what is set apart
    # little more than its size.
    cursor.execute(
        "SET LOCAL work_mem = '128MB'; SET LOCAL random_page_cost = 1.1; SET LOCAL default_statistics_target = 10"
    )
    execute("match by our reference", (*passes.COLLECT_DAY, *passes.bulk(rules)))
    _match_bulk(cursor, parameters)
    execute("see what may have changed", (*passes.OPEN_BEFORE, passes.STIR))
    left = execute("collect the rest", passes.COLLECT_REST)
    cursor.execute(passes.START_CANDIDATES)
    cursor.execute(passes.START_FINDINGS)
    found = 0
    if left:
        execute("look for candidates", passes.candidates(rules))
        progress("look for rivals")
        while rows_of(passes.STIR_RIVALS[:1]) and rows_of(passes.STIR_RIVALS[1:]):
            rows_of(passes.candidates(rules))
        execute("match sums", passes.sums(rules))
        execute("choose the best", passes.CHOOSE)
        book_tolerated()
        execute("match the rest", passes.MATCH_CHOSEN)
        found = sum([execute(name, statements) for name, statements in passes.FIND_BY_LINES])
    execute("count what ended in the day", (passes.COVERED, passes.START_UNCLAIMED, passes.COUNT_ENDED))
    operations, claimed = cursor.fetchone()
    found += sum([execute(name, statements) for name, statements in passes.find_others(rules)])
    if found:
        execute("look for what nearly fits", NEAREST)
    return operations, claimed


def _match_bulk(cursor: Any, parameters: dict[str, Any]) -> None:
    """The equal pairs. One that was claimed before, or by somebody in the same moment, makes it go on more carefully."""
    try:
        with database.atomic():
            cursor.execute(passes.MATCH_BULK, parameters)
    except IntegrityError:
        cursor.execute(f"{passes.MATCH_BULK} ON CONFLICT DO NOTHING", parameters)
        cursor.execute(passes.ONLY_MATCHED)


def _book_tolerated(cursor: Any, run: ReconciliationRun, actor: Actor, now: datetime) -> None:
    """What a rule lets pass is no longer owed to us or by us: one entry for each account, currency and sign."""
    cursor.execute(passes.TOLERATED)
    for number, (account_id, currency, sign, difference) in enumerate(cursor.fetchall(), start=1):
        rows = Rows()
        owed = AccountRef(AccountKind.PROVIDER_RECEIVABLE, currency, run.live, provider_account_id=account_id)
        lost = AccountRef(AccountKind.DIFFERENCES, currency, run.live)
        entry = book(
            rows,
            fact="match.tolerated",
            subject=Subject("reconciliation_run", run.pk, number, "", run.live),
            payload={"account": account_id, "currency": currency, "differenceMinor": difference},
            legs=[Leg(owed, difference), Leg(lost, -difference)],
            actor=actor,
            now=now,
        )
        rows.write()
        cursor.execute(passes.MARK_BOOKED, {"entry": entry, "account": account_id, "currency": currency, "sign": sign})


def parameters_of(run: ReconciliationRun, rules: Sequence[Rule], version: int, now: datetime) -> dict[str, Any]:
    """What the passes are asked with."""
    source = Source.objects.get(pk=run.provider)
    prices = {
        "approved": source.approved,
        "basis_points": source.fee_basis_points,
        "fixed": source.fee_fixed_minor,
        "fixed_business": source.fee_fixed_business_minor,
    }
    return prices | {
        "run": run.pk,
        "rule_set": run.rule_set_id,
        "version": version,
        "basis": Jsonb(prices | {"zone": source.zone, "checks": CHECKS}),
        # A line that goes by its amount may belong to anything, whatever it names.
        "look_at_all": any(rule.by == MatchRule.AMOUNT_AND_DATE for rule in rules),
        "provider": run.provider,
        "live": run.live,
        "day": run.day,
        "now": now,
        "due": due_at(source, run.day),
        "zone": source.zone,
        "cut_off": CUT_OFF,
    }


def _count(cursor: Any, run: ReconciliationRun, parameters: dict[str, Any]) -> None:
    """The run's figures: of all lines and operations of the day, as they stand now."""
    cursor.execute(passes.COUNT_LINES, parameters)
    for currency, lines, matched, matched_minor, broken_minor in cursor.fetchall():
        run.lines += lines
        run.lines_matched += matched
        run.totals[currency] = {"matched": matched_minor, "broken": broken_minor}
    run.lines_broken = run.lines - run.lines_matched
    cursor.execute(passes.COUNT_BROKEN)
    (run.operations_broken,) = cursor.fetchone()
    run.operations_expected = run.operations - run.operations_matched - run.operations_broken
