"""Rehearsing a draft: the same passes over days that are closed, on tables of the session alone, beside what was concluded then.

The passes name their tables without a schema, so temporary ones of the same name stand in for them: nothing that is kept can change, and the
whole is rolled back besides. What people matched by hand stays matched.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db import transaction as database

from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.ids import new_id
from reconciliation.matching.rules import rules_of
from reconciliation.models import Comparison, ReconciliationRun, Rehearsal, RuleSet
from reconciliation.selectors import closed_days
from reconciliation.services.bank_rehearsal import bank_day_rehearsed
from reconciliation.services.locks import patient
from reconciliation.services.reconcile import conclude, parameters_of

MOST_DAYS = 31
SAMPLES = 100
_NEIGHBOURS = 7  # days around one whose claims could be in the way


def rehearse(*, rule_set_id: str, live: bool, days: int, actor: Actor, now: datetime) -> Rehearsal:
    """Try a draft on the last `days` closed days. Raises InvalidState (no day is closed), NotFound."""
    draft = RuleSet.objects.filter(pk=rule_set_id).first()
    if draft is None:
        raise NotFound("There is no such rule set.")
    chosen = sorted(
        closed_days(provider=draft.provider, live=live)
        .order_by("-day")
        .values_list("day", flat=True)[: min(days, MOST_DAYS)]
    )
    if not chosen:
        raise InvalidState(f"No day of {draft.provider} is closed yet, so there is nothing to compare with.")
    figures: dict[str, int] = {"days": len(chosen), "same": 0, "won": 0, "lost": 0, "changed": 0}
    samples: dict[str, list[dict[str, Any]]] = {"won": [], "lost": [], "changed": []}
    for day in chosen:
        if draft.comparison == Comparison.BANK:
            for found in bank_day_rehearsed(draft, live=live, day=day):
                verdict = found.pop("verdict")
                figures[verdict] += 1
                if verdict in samples and len(samples[verdict]) < SAMPLES:
                    samples[verdict].append(found)
        else:
            _rehearse_day(draft, live, day, now, figures, samples)
    return Rehearsal.objects.create(
        id=new_id("rhs"),
        rule_set=draft,
        rules=draft.rules,
        live=live,
        first_day=chosen[0],
        last_day=chosen[-1],
        figures=figures,
        samples=samples,
        actor=actor.name,
        at=now,
    )


def _rehearse_day(
    draft: RuleSet,
    live: bool,
    day: date,
    now: datetime,
    figures: dict[str, int],
    samples: dict[str, list[dict[str, Any]]],
) -> None:
    run = ReconciliationRun(id=new_id("run"), provider=draft.provider, live=live, day=day)
    rules = rules_of(draft.comparison, draft.rules)
    parameters = parameters_of(run, rules, draft.version, now) | {"neighbours": _NEIGHBOURS}
    with database.atomic(), connection.cursor() as cursor:
        patient()
        for statement in _STAND_INS:
            cursor.execute(statement, parameters)
        conclude(cursor, rules, parameters, lambda step: None, lambda: None)
        cursor.execute(_COMPARE, parameters)
        for verdict, line, operations, before, why, turn, count in cursor.fetchall():
            if turn == 1:
                figures[verdict] += count
            if verdict in samples and len(samples[verdict]) < SAMPLES:
                samples[verdict].append(
                    {"day": day.isoformat(), "line": line, "now": operations, "before": before, "why": why}
                )
        database.set_rollback(True)


_STAND_INS = (
    """CREATE TEMPORARY TABLE reconciliation_match (LIKE reconciliation_match INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES)
       ON COMMIT DROP""",
    "CREATE TEMPORARY TABLE reconciliation_match_group (LIKE reconciliation_match_group INCLUDING DEFAULTS INCLUDING INDEXES) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE reconciliation_break (LIKE reconciliation_break INCLUDING DEFAULTS INCLUDING IDENTITY) ON COMMIT DROP",
    """
CREATE TEMPORARY TABLE concluded ON COMMIT DROP AS
SELECT l.id AS line_id, min(m.rule) AS rule, string_agg(coalesce(m.operation_id, x.operation_id), ', ' ORDER BY coalesce(m.operation_id, x.operation_id))
           AS operations
FROM statement s
JOIN statement_line l ON l.statement_id = s.id
JOIN public.reconciliation_match m ON m.line_id = l.id
LEFT JOIN public.reconciliation_match x ON m.operation_id IS NULL AND x.group_id = m.group_id AND x.operation_id IS NOT NULL
WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
GROUP BY l.id
""",
    """
INSERT INTO reconciliation_match (run_id, group_id, line_id, operation_id, rule)
SELECT m.run_id, m.group_id, m.line_id, m.operation_id, m.rule
FROM statement s
JOIN statement_line l ON l.statement_id = s.id
JOIN public.reconciliation_match c ON c.line_id = l.id
JOIN public.reconciliation_match m ON m.id = c.id OR m.group_id = c.group_id
WHERE s.provider = %(provider)s AND s.live = %(live)s
    AND s.day BETWEEN %(day)s::date - %(neighbours)s::integer AND %(day)s::date + %(neighbours)s::integer
    AND (s.day <> %(day)s OR c.run_id IS NULL)
ON CONFLICT DO NOTHING
""",
)

# Line by line: what it belonged to, what it would belong to, and why.
_COMPARE = f"""
WITH rehearsed AS (
    SELECT l.id AS line_id, min(m.rule) AS rule,
           string_agg(coalesce(m.operation_id, x.operation_id), ', ' ORDER BY coalesce(m.operation_id, x.operation_id)) AS operations
    FROM statement s
    JOIN statement_line l ON l.statement_id = s.id
    JOIN reconciliation_match m ON m.line_id = l.id
    LEFT JOIN reconciliation_match x ON m.operation_id IS NULL AND x.group_id = m.group_id AND x.operation_id IS NOT NULL
    WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
    GROUP BY l.id
), compared AS (
    SELECT line_id, a.operations AS now, b.operations AS before,
           CASE WHEN b.line_id IS NULL THEN 'won' WHEN a.line_id IS NULL THEN 'lost'
                WHEN a.operations IS DISTINCT FROM b.operations THEN 'changed' ELSE 'same' END AS verdict,
           CASE WHEN a.line_id IS NULL THEN (SELECT concat(f.kind, ': ', f.cause) FROM finding f WHERE f.line_id = b.line_id LIMIT 1)
                ELSE concat('By ', a.rule, ', before by ', coalesce(b.rule, 'nothing')) END AS why
    FROM rehearsed a FULL JOIN concluded b USING (line_id)
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY verdict ORDER BY line_id) AS turn, count(*) OVER (PARTITION BY verdict) AS count
    FROM compared
)
SELECT n.verdict, l.provider_reference, n.now, n.before, n.why, n.turn, n.count
FROM numbered n JOIN statement_line l ON l.id = n.line_id
WHERE n.turn <= CASE WHEN n.verdict = 'same' THEN 1 ELSE {SAMPLES} END
ORDER BY n.verdict, n.turn
"""  # noqa: S608
