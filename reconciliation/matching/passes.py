"""The passes of one run, each one statement over a whole day. What a pass leaves over, the next one looks at.

    match_by_reference             the bulk: our reference, and everything agrees
    collect_rest                   what is left of the day's lines, and the lines of all breaks still open
    match_by_provider_reference    a line without a known reference of ours, when exactly one operation fits
    find_*                         what is left becomes findings: breaks as they are now

Parameters: run, provider, live, day, zone, cut_off, approved, basis_points, fixed, fixed_business.
"""

# ruff: noqa: S608 -- every statement is put together here from constants of this package; values are parameters
from __future__ import annotations

from reconciliation.matching.rules import AGREED_FEE, ORPHAN_RULES, OUR_AMOUNT, PAIR_RULES, first_rule, labels

# A line speaks of an operation of the same account and the same direction; authorisations and voids move no money.
_BELONGS = """p.provider_account_id = l.provider_account_id
    AND o.kind = ANY (CASE WHEN l.type = 'REFUND' THEN ARRAY['REFUND'] ELSE ARRAY['SALE', 'CAPTURE'] END)"""

_UNCLAIMED_LINE = "NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)"
_UNCLAIMED_OPERATION = "NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = o.id)"

# ON CONFLICT: a second line for an operation that is claimed stays over. In the order of the lines, so that the first one claims.
MATCH_BY_REFERENCE = f"""
INSERT INTO reconciliation_match (run_id, line_id, operation_id, rule)
SELECT %(run)s, l.id, o.id, 'REFERENCE'
FROM statement s
JOIN statement_line l ON l.statement_id = s.id
JOIN operation o ON o.reference = l.our_reference
JOIN payment p ON p.id = o.payment_id
WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
    AND {_BELONGS} AND {first_rule(PAIR_RULES)} IS NULL AND {_UNCLAIMED_LINE}
ORDER BY l.id
ON CONFLICT DO NOTHING
"""

COLLECT_REST = f"""
CREATE TEMPORARY TABLE rest_line ON COMMIT DROP AS
SELECT l.*, s.day
FROM statement s
JOIN statement_line l ON l.statement_id = s.id
WHERE s.provider = %(provider)s AND s.live = %(live)s
    AND (s.day = %(day)s OR l.id IN (SELECT line_id FROM reconciliation_break b
                                     WHERE b.provider = %(provider)s AND b.live = %(live)s AND b.resolved_at IS NULL))
    AND {_UNCLAIMED_LINE}
"""

# What a left-over line may belong to: the operation with its reference; failing that, those with the provider's reference.
COLLECT_CANDIDATES = f"""
CREATE TEMPORARY TABLE candidate ON COMMIT DROP AS
WITH by_reference AS (
    SELECT l.id AS line_id, o.id AS operation_id, 'REFERENCE' AS rule, {first_rule(PAIR_RULES)} AS disagrees
    FROM rest_line l JOIN operation o ON o.reference = l.our_reference JOIN payment p ON p.id = o.payment_id
    WHERE {_BELONGS}
), by_provider_reference AS (
    SELECT l.id AS line_id, o.id AS operation_id, 'PROVIDER_REFERENCE' AS rule, {first_rule(PAIR_RULES)} AS disagrees
    FROM rest_line l JOIN operation o ON o.provider_reference = l.provider_reference JOIN payment p ON p.id = o.payment_id
    WHERE {_BELONGS} AND l.id NOT IN (SELECT line_id FROM by_reference)
)
SELECT *, count(*) OVER (PARTITION BY line_id) AS choices
FROM (SELECT * FROM by_reference UNION ALL SELECT * FROM by_provider_reference) found
"""

MATCH_REST = """
INSERT INTO reconciliation_match (run_id, line_id, operation_id, rule)
SELECT %(run)s, c.line_id, c.operation_id, c.rule
FROM candidate c
WHERE c.choices = 1 AND c.disagrees IS NULL
ORDER BY c.line_id
ON CONFLICT DO NOTHING
"""

START_FINDINGS = """
CREATE TEMPORARY TABLE finding (kind text, day date, line_id bigint, operation_id text, our_currency text, our_minor bigint,
                                their_currency text, their_minor bigint, cause text) ON COMMIT DROP
"""

FIND_AMBIGUOUS = f"""
INSERT INTO finding
SELECT 'AMBIGUOUS', l.day, l.id, o.id, o.currency, {OUR_AMOUNT}, l.currency, l.amount_minor,
       'More than one operation has this reference of the provider.'
FROM candidate c JOIN rest_line l ON l.id = c.line_id JOIN operation o ON o.id = c.operation_id
WHERE c.choices > 1
"""

# Of the lines that name one operation the first speaks for it, or the match does that it has; the others are duplicates.
FIND_DISAGREEING = f"""
INSERT INTO finding
SELECT CASE WHEN c.duplicate THEN 'DUPLICATE_LINE' ELSE r.kind END, l.day, l.id, o.id,
       o.currency, CASE WHEN r.kind = 'FEE_MISMATCH' AND NOT c.duplicate THEN {AGREED_FEE} ELSE {OUR_AMOUNT} END,
       l.currency, CASE WHEN r.kind = 'FEE_MISMATCH' AND NOT c.duplicate THEN l.fee_minor ELSE l.amount_minor END,
       CASE WHEN c.duplicate THEN 'Another line of a statement speaks of the same operation.' ELSE r.cause END
FROM (
    SELECT c.*, row_number() OVER (PARTITION BY c.operation_id ORDER BY c.line_id) > 1
                OR EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = c.operation_id) AS duplicate
    FROM candidate c
    WHERE c.choices = 1 AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = c.line_id)
) c
JOIN rest_line l ON l.id = c.line_id
JOIN operation o ON o.id = c.operation_id
JOIN payment p ON p.id = o.payment_id
LEFT JOIN (VALUES {labels(PAIR_RULES)}) AS r (rule, kind, cause) ON r.rule = c.disagrees
"""

FIND_MISSING_IN_BOOKS = f"""
INSERT INTO finding
SELECT r.kind, f.day, f.id, NULL, '', NULL, f.currency, f.amount_minor, r.cause
FROM (
    SELECT l.*, {first_rule(ORPHAN_RULES)} AS rule
    FROM rest_line l LEFT JOIN operation x ON x.reference = l.our_reference
    WHERE l.id NOT IN (SELECT line_id FROM candidate)
) f
JOIN (VALUES {labels(ORPHAN_RULES)}) AS r (rule, kind, cause) ON r.rule = f.rule
"""

# Until when the statements of a day account for what we know to have happened: up to the cut-off before the day's end, where their
# clock may already show tomorrow, and never longer than they had been made when we got them. No statement, no verdict.
_COVERED = """
    SELECT a.id AS provider_account_id,
           least(max(s.received_at),
                 (s.day + 1)::timestamp AT TIME ZONE %(zone)s - %(cut_off)s::interval) AS covered_until,
           s.day::timestamp AT TIME ZONE %(zone)s - %(cut_off)s::interval AS covered_from
    FROM statement s JOIN provider_account a
        ON a.id = s.provider_account_id
        OR (s.provider_account_id IS NULL AND a.provider = s.provider AND a.live = s.live)
    WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s AND s.state = 'IMPORTED'
    GROUP BY a.id, s.day"""

_MOVED_MONEY = "o.kind IN ('SALE', 'CAPTURE', 'REFUND') AND o.state IN ('SUCCEEDED', 'CONFLICTED')"

# Those that this day should have had and those that an earlier day is still missing; a pair above explains either.
FIND_MISSING_AT_PROVIDER = f"""
INSERT INTO finding
WITH covered AS ({_COVERED}), missing AS (
    SELECT o.id, %(day)s::date AS day
    FROM covered c JOIN payment p ON p.provider_account_id = c.provider_account_id JOIN operation o ON o.payment_id = p.id
    WHERE o.ended_at >= c.covered_from AND o.ended_at < c.covered_until
    UNION ALL
    SELECT b.operation_id, b.day
    FROM reconciliation_break b
    WHERE b.provider = %(provider)s AND b.live = %(live)s AND b.kind = 'MISSING_AT_PROVIDER' AND b.resolved_at IS NULL
)
SELECT 'MISSING_AT_PROVIDER', min(missing.day), NULL, o.id,
       o.currency, CASE WHEN o.kind = 'REFUND' THEN -o.amount_minor ELSE o.amount_minor END, '', NULL,
       CASE WHEN (o.created_at AT TIME ZONE %(zone)s)::date < (o.ended_at AT TIME ZONE %(zone)s)::date
            THEN 'It began the day before we heard of its success: the earlier statement may have it.'
            ELSE 'The provider told us of a success that its statement does not have.' END
FROM missing JOIN operation o ON o.id = missing.id
WHERE {_MOVED_MONEY} AND {_UNCLAIMED_OPERATION} AND NOT EXISTS (SELECT FROM finding f WHERE f.operation_id = o.id)
GROUP BY o.id
"""

CLOSE_BREAKS = """
UPDATE reconciliation_break b SET resolved_at = %(now)s, resolved_by_run_id = %(run)s, resolution = 'EXPLAINED'
WHERE b.provider = %(provider)s AND b.live = %(live)s AND b.resolved_at IS NULL
    AND b.bank_line_id IS NULL AND b.remittance_id IS NULL
    AND NOT EXISTS (SELECT FROM finding f WHERE f.kind = b.kind AND f.line_id IS NOT DISTINCT FROM b.line_id
                        AND f.operation_id IS NOT DISTINCT FROM b.operation_id)
"""

OPEN_BREAKS = """
INSERT INTO reconciliation_break AS b (run_id, provider, live, day, kind, line_id, operation_id, our_currency, our_minor,
                                       their_currency, their_minor, cause, nearest, resolution, first_seen_at, last_seen_at)
SELECT %(run)s, %(provider)s, %(live)s, f.day, f.kind, f.line_id, f.operation_id, f.our_currency, f.our_minor,
       f.their_currency, f.their_minor, f.cause, '[]', '', %(now)s, %(now)s
FROM finding f
ON CONFLICT (kind, line_id, operation_id, bank_line_id, remittance_id) WHERE resolved_at IS NULL
    DO UPDATE SET last_seen_at = %(now)s, cause = excluded.cause
RETURNING b.run_id = %(run)s
"""

# Every line of the day and every operation of ours that ended in it, and what became of each.
COUNT_LINES = """
SELECT l.currency, count(*), count(m.id), sum(l.amount_minor) FILTER (WHERE m.id IS NOT NULL),
       sum(l.amount_minor) FILTER (WHERE m.id IS NULL)
FROM statement s JOIN statement_line l ON l.statement_id = s.id LEFT JOIN reconciliation_match m ON m.line_id = l.id
WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
GROUP BY l.currency
"""

COUNT_OPERATIONS = f"""
WITH covered AS ({_COVERED})
SELECT count(*), count(m.id), count(*) FILTER (WHERE m.id IS NULL AND EXISTS (
           SELECT FROM reconciliation_break b WHERE b.operation_id = o.id AND b.resolved_at IS NULL))
FROM covered c
JOIN payment p ON p.provider_account_id = c.provider_account_id
JOIN operation o ON o.payment_id = p.id
LEFT JOIN reconciliation_match m ON m.operation_id = o.id
WHERE {_MOVED_MONEY}
    AND o.ended_at >= %(day)s::date::timestamp AT TIME ZONE %(zone)s
    AND o.ended_at < (%(day)s::date + 1)::timestamp AT TIME ZONE %(zone)s
"""
