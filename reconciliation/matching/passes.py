"""The passes of one run of the first comparison, each one statement over a whole day. What a pass leaves over, the next one looks at.

    match the bulk        our reference, and everything agrees: plain pairs
    collect               what is left of the day's lines, the lines of open breaks to look at, and what each may belong to, rule by rule
    match sums            several lines for one operation, several operations for one line
    choose                the best candidate of each line and of each operation; what agrees becomes a pair, or a group with its explanation
    find_*                what is left becomes findings: breaks as they are now

Without a line left over the passes from `match sums` on are not needed, but for what we know and no line names, and for the fees of pairs with
an open break.

Of the open breaks those are looked at that could have become another one, or none: those of the day, those that were last looked at by other
rules or prices, and those that something has stirred. A line never changes and an operation not after it has ended, so the others say what they said.

The functions at the end write the statements for a rule set. Parameters: run, rule_set, version, basis, look_at_all, provider, live, day, now, due, zone, cut_off,
approved, basis_points, fixed, fixed_business.
"""

# ruff: noqa: S608 -- every statement is put together here from constants of this package and whole numbers; values are parameters
from __future__ import annotations

from collections.abc import Sequence

from reconciliation.matching.booked import COMPARED, COMPARED_CURRENCY, QUESTIONED, UNDECIDED
from reconciliation.matching.rules import (
    AGREED_FEE,
    AMOUNT_CHECK,
    DIFFERENCE,
    FEE_CAUSE,
    FEE_DIFFERS,
    ORPHAN_CHECKS,
    OUR_AMOUNT,
    OUR_CURRENCY,
    PAIR_CHECKS,
    Rule,
    first_of,
    labels,
)
from reconciliation.models import MatchRule

MOST_ITEMS = 50  # of one sum

# A line speaks of an operation of the same account and the same direction; authorisations and voids move no money.
_BELONGS = """p.provider_account_id = l.provider_account_id
    AND o.kind = ANY (CASE l.type WHEN 'REFUND' THEN ARRAY['REFUND'] WHEN 'PAYMENT' THEN ARRAY['SALE', 'CAPTURE'] ELSE ARRAY[]::text[] END)"""

# OFFSET 0: each of a few is looked up by index, whatever the planner believes of a table that has all that was ever matched.
_CLAIMED = "EXISTS (SELECT FROM reconciliation_match m WHERE m.{item} OFFSET 0)"
_UNCLAIMED_LINE = f"NOT {_CLAIMED.format(item='line_id = l.id')}"
_UNCLAIMED_OPERATION = f"NOT {_CLAIMED.format(item='operation_id = o.id')}"
_MOVED_MONEY = f"o.kind IN ('SALE', 'CAPTURE', 'REFUND') AND o.state IN ('SUCCEEDED', 'CONFLICTED') AND {COMPARED} <> 0"
_DAY_BEGINS = "(%(day)s::date::timestamp AT TIME ZONE %(zone)s)"
_DAY_ENDS = "((%(day)s::date + 1)::timestamp AT TIME ZONE %(zone)s)"
_NEW_GROUP = "'mgr_' || replace(gen_random_uuid()::text, '-', '')"

# What the planner should know the size of is set apart and counted: nobody has counted rows that have just come, and for a planner that expects
# a handful a million is a loop.
COLLECT_DAY = (
    """
CREATE TEMPORARY TABLE day_line ON COMMIT DROP AS
SELECT l.id, l.provider_account_id, l.type, l.our_reference, l.currency, l.amount_minor, l.fee_minor, l.status_code
FROM statement s JOIN statement_line l ON l.statement_id = s.id
WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
    AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
""",
    "ANALYZE day_line",
)

# A row for each of these lines, with the operation that it agrees with. References that more than one line has are left to the passes that choose, and
# whether an operation is free is seen when it is claimed: asking for each of a million would cost as much as the claim. Whether a pair agrees is
# worked out behind the joins (OFFSET 0): a planner that multiplies what so many conditions let through expects one row, and joins a million in a loop.
FIND_BULK = (
    f"""
CREATE TEMPORARY TABLE pair ON COMMIT DROP AS
WITH twice AS MATERIALIZED (SELECT our_reference FROM day_line GROUP BY 1 HAVING count(*) > 1)
SELECT line_id, CASE WHEN agrees THEN operation_id END AS operation_id, ended_at
FROM (
    SELECT l.id AS line_id, o.id AS operation_id, o.ended_at,
           {_BELONGS} AND {{disagrees}} IS NULL AND {DIFFERENCE} = 0 AND NOT {{fee_differs}} AND t.our_reference IS NULL AS agrees
    FROM day_line l
    LEFT JOIN operation o ON o.reference = l.our_reference
    LEFT JOIN payment p ON p.id = o.payment_id
    LEFT JOIN twice t ON t.our_reference = l.our_reference
    OFFSET 0
) named
""",
    "ANALYZE pair",
)
NO_BULK = (
    """
CREATE TEMPORARY TABLE pair ON COMMIT DROP AS
SELECT id AS line_id, NULL::text AS operation_id, NULL::timestamptz AS ended_at FROM day_line
""",
    "ANALYZE pair",
)

MATCH_BULK = """
INSERT INTO reconciliation_match (run_id, line_id, operation_id, rule)
SELECT %(run)s, line_id, operation_id, 'REFERENCE' FROM pair WHERE operation_id IS NOT NULL
"""

ONLY_MATCHED = f"""
UPDATE pair SET operation_id = NULL
WHERE operation_id IS NOT NULL AND NOT {_CLAIMED.format(item="line_id = pair.line_id AND m.operation_id = pair.operation_id")}
"""

# As they are before this run, and whether it looks at them.
OPEN_BEFORE = (
    f"""
CREATE TEMPORARY TABLE open_before ON COMMIT DROP AS
SELECT b.id, b.day, b.kind, b.line_id, b.operation_id,
       b.day = %(day)s OR b.waiting OR b.operation_id IN (SELECT o.id FROM operation o WHERE {QUESTIONED}) OR %(look_at_all)s OR r.id IS NULL OR r.rule_set_id IS DISTINCT FROM %(rule_set)s OR r.basis <> %(basis)s::jsonb AS asked
FROM reconciliation_break b LEFT JOIN reconciliation_run r ON r.id = b.last_run_id
WHERE b.provider = %(provider)s AND b.live = %(live)s AND b.resolved_at IS NULL AND b.bank_line_id IS NULL AND b.remittance_id IS NULL
""",
    "ANALYZE open_before",
)

# What stirs the break of a line, besides an operation that had not ended when it was last looked at (`waiting`): the line names one that the break is
# not about; its own was claimed by another, or is not any more what makes a duplicate of the line; or others of its payment may make up the amount
# with it. A fee stays as it is.
STIR = f"""
WITH quiet AS MATERIALIZED (
    SELECT b.id, b.kind, b.operation_id, l.id AS line_id, l.type, l.our_reference, l.provider_reference, l.provider_account_id
    FROM open_before b JOIN statement_line l ON l.id = b.line_id
    WHERE NOT b.asked AND b.kind <> 'FEE_MISMATCH'
), named AS (
    SELECT q.line_id, x.id FROM quiet q JOIN operation x ON x.reference = q.our_reference
    UNION ALL
    SELECT q.line_id, x.id FROM quiet q
    JOIN operation x ON x.provider_reference = q.provider_reference AND x.provider_reference <> ''
    JOIN payment p ON p.id = x.payment_id AND p.provider_account_id = q.provider_account_id
), stirred AS (
    SELECT n.line_id FROM named n LEFT JOIN open_before b ON b.line_id = n.line_id AND b.operation_id = n.id
    WHERE b.id IS NULL
    UNION ALL
    SELECT line_id FROM quiet WHERE type IN ('CHARGEBACK', 'REVERSAL')
    UNION ALL
    SELECT q.line_id FROM quiet q WHERE q.operation_id IS NOT NULL AND (q.kind = 'DUPLICATE_LINE') <> {_CLAIMED.format(item="operation_id = q.operation_id")}
    UNION ALL
    SELECT q.line_id FROM quiet q JOIN operation x ON x.id = q.operation_id JOIN operation y ON y.payment_id = x.payment_id AND y.id <> x.id
    WHERE q.kind IN ('AMOUNT_MISMATCH', 'DUPLICATE_LINE') AND y.kind IN ('SALE', 'CAPTURE', 'REFUND') AND (y.kind = 'REFUND') = (x.kind = 'REFUND')
)
UPDATE open_before SET asked = true WHERE line_id IN (SELECT line_id FROM stirred)
"""

COLLECT_REST = (
    f"""
CREATE TEMPORARY TABLE rest_line ON COMMIT DROP AS
SELECT l.*, s.day
FROM (
    SELECT line_id AS id FROM pair WHERE operation_id IS NULL
    UNION
    SELECT b.line_id FROM open_before b WHERE b.asked AND b.line_id IS NOT NULL
) rest
CROSS JOIN LATERAL (SELECT * FROM statement_line WHERE id = rest.id OFFSET 0) l
JOIN statement s ON s.id = l.statement_id
WHERE {_UNCLAIMED_LINE}
""",
    "ANALYZE rest_line",
)

# What is said about an operation that one of these lines may belong to is looked at as well; their lines join in until none is added.
STIR_RIVALS = (
    "UPDATE open_before b SET asked = true WHERE NOT b.asked AND b.operation_id IN (SELECT operation_id FROM candidate)",
    f"""
INSERT INTO rest_line
SELECT l.*, s.day
FROM open_before b JOIN statement_line l ON l.id = b.line_id JOIN statement s ON s.id = l.statement_id
WHERE b.asked AND {_UNCLAIMED_LINE} AND l.id NOT IN (SELECT id FROM rest_line)
GROUP BY l.id, s.day
""",
)

START_CANDIDATES = """
CREATE TEMPORARY TABLE candidate (line_id bigint, operation_id text, rule_no integer, rule text, disagrees integer, fee_differs boolean,
                                  difference bigint, distance integer, waiting boolean) ON COMMIT DROP
"""

# An identifier that finds something decides, even if that disagrees: rules after it are for lines that none has found anything for.
_BY = {
    MatchRule.REFERENCE: "o.reference = l.our_reference",
    MatchRule.PROVIDER_REFERENCE: "o.provider_reference = l.provider_reference AND o.provider_reference <> ''",
    MatchRule.AMOUNT_AND_DATE: f"""o.currency = l.currency AND o.amount_minor BETWEEN abs(l.amount_minor) - {{tolerance}} AND abs(l.amount_minor) + {{tolerance}}
        AND o.ended_at BETWEEN l.at - interval '{{days}} days' AND l.at + interval '{{days}} days'
        AND {_MOVED_MONEY} AND {_UNCLAIMED_OPERATION}
        AND NOT EXISTS (SELECT FROM candidate c WHERE c.operation_id = o.id AND c.rule_no < {{number}})""",
}
_COLLECT = f"""
INSERT INTO candidate
SELECT l.id, o.id, {{number}}, '{{by}}', {{disagrees}}, {{fee_differs}}, {DIFFERENCE},
       CASE WHEN '{{by}}' = 'AMOUNT_AND_DATE' THEN abs(extract(epoch FROM o.ended_at - l.at))::integer / 86400 ELSE 0 END, o.ended_at IS NULL
FROM rest_line l JOIN operation o ON {{found_by}} JOIN payment p ON p.id = o.payment_id
WHERE {_BELONGS} AND NOT EXISTS (SELECT FROM candidate c WHERE c.line_id = l.id AND c.rule_no < {{number}})
"""

# Lines that name one operation and come to its amount only together.
SUM_OF_LINES = f"""
CREATE TEMPORARY TABLE line_sum ON COMMIT DROP AS
SELECT {_NEW_GROUP} AS group_id, o.id AS operation_id, array_agg(l.id ORDER BY l.id) AS lines, sum(l.amount_minor)::bigint AS theirs,
       min({OUR_AMOUNT}) AS ours, min(l.currency) AS currency
FROM (SELECT *, count(*) OVER (PARTITION BY line_id) AS choices FROM candidate) c
JOIN rest_line l ON l.id = c.line_id JOIN operation o ON o.id = c.operation_id
WHERE c.disagrees = {AMOUNT_CHECK} AND c.rule IN ('REFERENCE', 'PROVIDER_REFERENCE') AND c.choices = 1
    AND o.state = 'SUCCEEDED' AND {_UNCLAIMED_OPERATION}
GROUP BY o.id
HAVING count(*) BETWEEN 2 AND {MOST_ITEMS} AND sum(l.amount_minor) = min({OUR_AMOUNT})
"""

# Operations of one payment that come to the amount of the one line which names it.
SUM_OF_OPERATIONS = f"""
CREATE TEMPORARY TABLE operation_sum ON COMMIT DROP AS
WITH named AS (
    SELECT l.id AS line_id, x.payment_id, count(*) OVER (PARTITION BY x.payment_id) AS lines
    FROM rest_line l JOIN operation x ON x.reference = l.our_reference
    WHERE l.id NOT IN (SELECT line_id FROM candidate WHERE disagrees IS DISTINCT FROM {AMOUNT_CHECK})
)
SELECT {_NEW_GROUP} AS group_id, l.id AS line_id, array_agg(o.id ORDER BY o.id) AS operations, min(l.amount_minor) AS theirs,
       sum({OUR_AMOUNT})::bigint AS ours, min(l.currency) AS currency
FROM named n JOIN rest_line l ON l.id = n.line_id JOIN payment p ON p.id = n.payment_id JOIN operation o ON o.payment_id = p.id
WHERE n.lines = 1 AND {_BELONGS} AND o.state = 'SUCCEEDED' AND NOT {UNDECIDED} AND {OUR_CURRENCY} = l.currency AND {_UNCLAIMED_OPERATION}
    AND (%(approved)s = '' OR l.status_code = %(approved)s)
    AND l.id NOT IN (SELECT unnest(lines) FROM line_sum)
GROUP BY l.id
HAVING count(*) BETWEEN 2 AND {MOST_ITEMS} AND sum({OUR_AMOUNT}) = min(l.amount_minor)
"""

GROUP_SUMS = (
    """
INSERT INTO reconciliation_match_group (id, comparison, rule, run_id, explanation, created_at)
SELECT g.group_id, 'LEDGER', 'SUM_AND_DATE', %(run)s,
       jsonb_build_object('rule', 'SUM_AND_DATE', 'version', %(version)s::integer, 'items', g.items, 'compared', jsonb_build_array(
           jsonb_build_object('field', 'amount_minor', 'ours', g.ours, 'theirs', g.theirs, 'agrees', true),
           jsonb_build_object('field', 'currency', 'ours', g.currency, 'theirs', g.currency, 'agrees', true)),
           'differences', '{}'::jsonb), %(now)s
FROM (SELECT group_id, ours, theirs, currency, jsonb_build_object('lines', cardinality(lines), 'operations', 1) AS items FROM line_sum
      UNION ALL
      SELECT group_id, ours, theirs, currency, jsonb_build_object('lines', 1, 'operations', cardinality(operations)) FROM operation_sum) g
""",
    """
INSERT INTO reconciliation_match (run_id, group_id, line_id, operation_id, rule)
SELECT %(run)s, group_id, unnest(lines), NULL, 'SUM_AND_DATE' FROM line_sum
UNION ALL SELECT %(run)s, group_id, NULL, operation_id, 'SUM_AND_DATE' FROM line_sum
UNION ALL SELECT %(run)s, group_id, line_id, NULL, 'SUM_AND_DATE' FROM operation_sum
UNION ALL SELECT %(run)s, group_id, NULL, unnest(operations), 'SUM_AND_DATE' FROM operation_sum
""",
    "DELETE FROM candidate WHERE line_id IN (SELECT unnest(lines) FROM line_sum UNION ALL SELECT line_id FROM operation_sum)",
    "DELETE FROM rest_line WHERE id IN (SELECT unnest(lines) FROM line_sum UNION ALL SELECT line_id FROM operation_sum)",
)

# Best first: what agrees, the smallest difference, the nearest day. `ties`: how many are as good as this one for the line; `rivals`: how many
# lines are as good for the operation, where it was not an identifier that found it. Of lines that name one operation the first that agrees has it.
CHOOSE = (
    """
CREATE TEMPORARY TABLE choice ON COMMIT DROP AS
SELECT c.*, l.provider_account_id, l.currency, NULL::text AS group_id, NULL::text AS entry_id,
       rank() OVER line AS place, count(*) OVER (PARTITION BY c.line_id) AS choices,
       count(*) OVER (PARTITION BY c.line_id, c.disagrees IS NULL, abs(c.difference), c.distance) AS ties,
       count(*) OVER (PARTITION BY c.operation_id, c.disagrees IS NULL, abs(c.difference), c.distance) AS rivals
FROM candidate c JOIN rest_line l ON l.id = c.line_id
WINDOW line AS (PARTITION BY c.line_id ORDER BY c.disagrees IS NOT NULL, abs(c.difference), c.distance)
""",
    "CREATE INDEX ON choice (line_id)",
    "ANALYZE choice",
    f"""
UPDATE choice SET group_id = {_NEW_GROUP}
FROM (SELECT c.line_id, c.operation_id,
             row_number() OVER (PARTITION BY c.operation_id ORDER BY abs(c.difference), c.distance, c.line_id) AS turn
      FROM choice c
      WHERE c.place = 1 AND c.ties = 1 AND c.disagrees IS NULL AND (c.rule <> 'AMOUNT_AND_DATE' OR c.rivals = 1)
          AND NOT {_CLAIMED.format(item="operation_id = c.operation_id")}) best
WHERE best.turn = 1 AND choice.line_id = best.line_id AND choice.operation_id = best.operation_id
""",
)

TOLERATED = """
SELECT provider_account_id, currency, sign(difference)::integer, sum(difference)::bigint
FROM choice WHERE group_id IS NOT NULL AND difference <> 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

MARK_BOOKED = """
UPDATE choice SET entry_id = %(entry)s
WHERE group_id IS NOT NULL AND provider_account_id = %(account)s AND currency = %(currency)s AND sign(difference) = %(sign)s
"""

# A pair that agrees in everything and had no rival needs no group: its explanation is its rule.
_NEEDS_A_GROUP = "(c.fee_differs OR c.difference <> 0 OR c.choices > 1 OR c.rule = 'AMOUNT_AND_DATE')"
MATCH_CHOSEN = (
    f"""
INSERT INTO reconciliation_match_group (id, comparison, rule, run_id, entry_id, explanation, created_at)
SELECT c.group_id, 'LEDGER', c.rule, %(run)s, c.entry_id,
       jsonb_build_object(
           'rule', c.rule, 'version', %(version)s::integer,
           'compared', jsonb_build_array(
               jsonb_build_object('field', 'reference', 'ours', o.reference, 'theirs', l.our_reference, 'agrees', o.reference = l.our_reference),
               jsonb_build_object('field', 'provider_reference', 'ours', o.provider_reference, 'theirs', l.provider_reference,
                                  'agrees', o.provider_reference = l.provider_reference),
               jsonb_build_object('field', 'amount_minor', 'ours', {OUR_AMOUNT}, 'theirs', l.amount_minor, 'agrees', c.difference = 0),
               jsonb_build_object('field', 'currency', 'ours', {OUR_CURRENCY}, 'theirs', l.currency, 'agrees', {OUR_CURRENCY} = l.currency),
               jsonb_build_object('field', 'fee_minor', 'ours', {AGREED_FEE}, 'theirs', l.fee_minor, 'agrees', l.fee_minor = {AGREED_FEE})),
           'differences', jsonb_strip_nulls(jsonb_build_object(
               'amount', nullif(c.difference, 0), 'fee', CASE WHEN c.fee_differs THEN l.fee_minor - {AGREED_FEE} END)),
           'runner_up', (
               SELECT jsonb_build_object('operation', r.operation_id, 'difference', r.difference, 'lost_because',
                   CASE WHEN r.disagrees IS NOT NULL THEN 'It disagrees in more than the one that won.'
                        WHEN abs(r.difference) <> abs(c.difference) THEN 'Its amount is further away.'
                        ELSE 'It is further away in time.' END)
               FROM choice r WHERE r.line_id = c.line_id AND r.place > 1 ORDER BY r.place, r.operation_id LIMIT 1)),
       %(now)s
FROM choice c JOIN rest_line l ON l.id = c.line_id JOIN operation o ON o.id = c.operation_id JOIN payment p ON p.id = o.payment_id
WHERE c.group_id IS NOT NULL AND {_NEEDS_A_GROUP}
""",
    f"""
INSERT INTO reconciliation_match (run_id, group_id, line_id, operation_id, rule)
SELECT %(run)s, CASE WHEN {_NEEDS_A_GROUP} THEN c.group_id END, c.line_id, c.operation_id, c.rule
FROM choice c WHERE c.group_id IS NOT NULL
ORDER BY c.line_id
""",
)

START_FINDINGS = """
CREATE TEMPORARY TABLE finding (kind text, day date, line_id bigint, operation_id text, our_currency text, our_minor bigint,
                                their_currency text, their_minor bigint, cause text, nearest jsonb DEFAULT '[]') ON COMMIT DROP
"""

FIND_AMBIGUOUS = f"""
INSERT INTO finding
SELECT 'AMBIGUOUS', l.day, l.id, o.id, {OUR_CURRENCY}, {OUR_AMOUNT}, l.currency, l.amount_minor,
       CASE WHEN c.rule = 'PROVIDER_REFERENCE' THEN 'More than one operation has this reference of the provider.'
            WHEN c.ties > 1 THEN 'More than one operation fits as well as this one.'
            ELSE 'More than one line fits this operation as well as this one.' END
FROM choice c JOIN rest_line l ON l.id = c.line_id JOIN operation o ON o.id = c.operation_id
WHERE c.place = 1 AND (c.ties > 1 OR (c.rule = 'AMOUNT_AND_DATE' AND c.rivals > 1)) AND c.group_id IS NULL
"""

# Of the lines that name one operation the first speaks for it, or the match does that it has; the others are duplicates.
FIND_DISAGREEING = f"""
INSERT INTO finding
SELECT CASE WHEN c.duplicate THEN 'DUPLICATE_LINE' ELSE r.kind END, l.day, l.id, o.id, {OUR_CURRENCY}, {OUR_AMOUNT}, l.currency, l.amount_minor,
       CASE WHEN c.duplicate THEN 'Another line of a statement speaks of the same operation.' ELSE r.cause END
FROM (
    SELECT c.*, row_number() OVER (PARTITION BY c.operation_id ORDER BY c.line_id) > 1
               OR {_CLAIMED.format(item="operation_id = c.operation_id")} AS duplicate
    FROM choice c
    WHERE c.place = 1 AND c.ties = 1 AND c.group_id IS NULL AND (c.rule <> 'AMOUNT_AND_DATE' OR c.rivals = 1)
) c
JOIN rest_line l ON l.id = c.line_id
JOIN operation o ON o.id = c.operation_id
LEFT JOIN (VALUES {labels(PAIR_CHECKS)}) AS r (number, kind, cause) ON r.number = c.disagrees
"""

# The pair is found and claimed; its fee is a question of its own, which is asked again as long as it is open.
_FEE_OF_PAIR = f"""
SELECT 'FEE_MISMATCH', s.day, l.id, o.id, l.currency, {AGREED_FEE}, l.currency, l.fee_minor, '{FEE_CAUSE}'
FROM {{pairs}}
JOIN statement_line l ON l.id = m.line_id
JOIN statement s ON s.id = l.statement_id
JOIN operation o ON o.id = coalesce(m.operation_id, (SELECT x.operation_id FROM reconciliation_match x
                                                     WHERE x.group_id = m.group_id AND x.operation_id IS NOT NULL ORDER BY x.id LIMIT 1))
JOIN payment p ON p.id = o.payment_id
WHERE {FEE_DIFFERS} AND m.rule IN ({{rules}})
"""
_NEW_PAIRS = "reconciliation_match_group g JOIN reconciliation_match m ON m.group_id = g.id AND m.line_id IS NOT NULL AND g.run_id = %(run)s"
_OPEN_PAIRS = (
    "open_before b JOIN reconciliation_match m ON m.line_id = b.line_id AND b.kind = 'FEE_MISMATCH' AND b.asked"
)

# A payment that was taken back, or given back again: the operation is the one that had brought the money.
FIND_DISPUTED = """
INSERT INTO finding
SELECT 'MISSING_IN_BOOKS', l.day, l.id, min(o.id), '', NULL, l.currency, l.amount_minor,
       CASE WHEN l.type = 'CHARGEBACK' THEN 'The payer''s bank took this payment back: book the chargeback.'
            ELSE 'A chargeback of this payment was given back: book the reversal.' END
FROM rest_line l
JOIN operation o ON o.reference = l.our_reference
JOIN payment p ON p.id = o.payment_id AND p.provider_account_id = l.provider_account_id
WHERE l.type IN ('CHARGEBACK', 'REVERSAL') AND o.kind IN ('SALE', 'CAPTURE')
GROUP BY l.day, l.id, l.currency, l.amount_minor, l.type
"""

FIND_MISSING_IN_BOOKS = f"""
INSERT INTO finding
SELECT r.kind, f.day, f.id, NULL, '', NULL, f.currency, CASE WHEN f.type = 'FEE' THEN f.fee_minor ELSE f.amount_minor END, r.cause
FROM (
    SELECT l.*, {first_of(ORPHAN_CHECKS)} AS found
    FROM rest_line l LEFT JOIN operation x ON x.reference = l.our_reference AND l.our_reference <> ''
    WHERE l.id NOT IN (SELECT line_id FROM candidate) AND NOT EXISTS (SELECT FROM finding f WHERE f.line_id = l.id)
) f
JOIN (VALUES {labels(ORPHAN_CHECKS)}) AS r (number, kind, cause) ON r.number = f.found
"""

# Until when the statements of a day account for what we know to have happened: up to the cut-off before the day's end, where their clock may
# already show tomorrow. Before they are due, never longer than they had been made when we got them, and without one there is no verdict.
COVERED = f"""
CREATE TEMPORARY TABLE covered ON COMMIT DROP AS
SELECT a.id AS provider_account_id, {_DAY_BEGINS} - %(cut_off)s::interval AS covered_from,
       CASE WHEN %(now)s >= %(due)s::timestamptz THEN e.ends_at ELSE least(max(s.received_at), e.ends_at) END AS covered_until
FROM provider_account a
CROSS JOIN (SELECT {_DAY_ENDS} - %(cut_off)s::interval AS ends_at) e
LEFT JOIN statement s ON (s.provider_account_id = a.id OR s.provider_account_id IS NULL)
    AND s.provider = a.provider AND s.live = a.live AND s.day = %(day)s AND s.state = 'IMPORTED'
WHERE a.provider = %(provider)s AND a.live = %(live)s
GROUP BY a.id, e.ends_at
HAVING count(s.id) > 0 OR %(now)s >= %(due)s::timestamptz
"""

START_UNCLAIMED = """
CREATE TEMPORARY TABLE unclaimed (id text, provider_account_id text, currency text, amount_minor bigint, kind text, created_at timestamptz,
                                  ended_at timestamptz, of_day boolean) ON COMMIT DROP
"""

# One look at the operations that ended in the day, or shortly before: how many there are, how many are claimed, and which are not. Those of the bulk are
# known.
COUNT_ENDED = f"""
WITH ended AS MATERIALIZED (
    SELECT o.id, p.provider_account_id, {COMPARED_CURRENCY} AS currency, {COMPARED} AS amount_minor, o.kind, o.created_at, o.ended_at, o.ended_at >= {_DAY_BEGINS} AS of_day,
           {_CLAIMED.format(item="operation_id = o.id")} AS claimed
    FROM operation o JOIN payment p ON p.id = o.payment_id
    WHERE {_MOVED_MONEY} AND p.provider_account_id = ANY (ARRAY(SELECT provider_account_id::text FROM covered))
        AND o.ended_at >= {_DAY_BEGINS} - %(cut_off)s::interval AND o.ended_at < {_DAY_ENDS}
        AND NOT EXISTS (SELECT FROM pair WHERE pair.operation_id = o.id)
), kept AS (
    INSERT INTO unclaimed SELECT id, provider_account_id, currency, amount_minor, kind, created_at, ended_at, of_day FROM ended WHERE NOT claimed
), counted AS (
    SELECT count(*) FILTER (WHERE of_day) AS operations, count(*) FILTER (WHERE of_day AND claimed) AS claimed FROM ended
    UNION ALL
    SELECT count(*), count(*) FROM pair WHERE operation_id IS NOT NULL AND ended_at >= {_DAY_BEGINS} AND ended_at < {_DAY_ENDS}
)
SELECT sum(operations)::integer, sum(claimed)::integer FROM counted
"""

# Those that this day should have had and those that an earlier day is still missing; a pair above explains either, and so does an open break of
# another day that has a line and was not looked at: what ends around midnight may be listed in either day.
FIND_MISSING_AT_PROVIDER = f"""
INSERT INTO finding
WITH missing AS (
    SELECT o.id, o.provider_account_id, o.currency, o.amount_minor, o.kind, o.created_at, o.ended_at, %(day)s::date AS day
    FROM unclaimed o JOIN covered c ON c.provider_account_id = o.provider_account_id
    WHERE o.ended_at >= c.covered_from AND o.ended_at < c.covered_until
    UNION ALL
    SELECT o.id, p.provider_account_id, {COMPARED_CURRENCY}, {COMPARED}, o.kind, o.created_at, o.ended_at, b.day
    FROM open_before b JOIN operation o ON o.id = b.operation_id JOIN payment p ON p.id = o.payment_id
    WHERE b.kind = 'MISSING_AT_PROVIDER' AND b.asked AND {_MOVED_MONEY} AND {_UNCLAIMED_OPERATION}
)
SELECT DISTINCT ON (o.id) 'MISSING_AT_PROVIDER', o.day, NULL::bigint, o.id,
       o.currency, CASE WHEN o.kind = 'REFUND' THEN -o.amount_minor ELSE o.amount_minor END, '', NULL::bigint,
       CASE WHEN NOT EXISTS (SELECT FROM statement s
                             WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = o.day AND s.state = 'IMPORTED'
                                 AND (s.provider_account_id IS NULL OR s.provider_account_id = o.provider_account_id))
            THEN 'No statement of this day came.'
            WHEN (o.created_at AT TIME ZONE %(zone)s)::date < (o.ended_at AT TIME ZONE %(zone)s)::date
            THEN 'It began the day before we heard of its success: the earlier statement may have it.'
            ELSE 'The provider told us of a success that its statement does not have.' END
FROM missing o
WHERE NOT EXISTS (SELECT FROM finding f WHERE f.operation_id = o.id)
    AND NOT EXISTS (SELECT FROM open_before b WHERE b.operation_id = o.id AND b.line_id IS NOT NULL AND NOT b.asked)
ORDER BY o.id, o.day
"""

# What has been claimed by now, by whomever, is no longer open.
STIR_CLAIMED = f"""
UPDATE open_before b SET asked = true
WHERE NOT b.asked AND CASE WHEN b.line_id IS NULL THEN {_CLAIMED.format(item="operation_id = b.operation_id")}
                           WHEN b.kind <> 'FEE_MISMATCH' THEN {_CLAIMED.format(item="line_id = b.line_id")} END
"""

CLOSE_BREAKS = """
UPDATE reconciliation_break b SET resolved_at = %(now)s, resolved_by_run_id = %(run)s, resolution = 'EXPLAINED'
FROM open_before a
WHERE a.asked AND b.id = a.id
    AND NOT EXISTS (SELECT FROM finding f WHERE f.kind = a.kind AND coalesce(f.line_id, 0) = coalesce(a.line_id, 0)
                        AND coalesce(f.operation_id, '') = coalesce(a.operation_id, ''))
"""

OPEN_BREAKS = """
INSERT INTO reconciliation_break AS b (run_id, last_run_id, provider, live, day, kind, line_id, operation_id, our_currency, our_minor,
                                       their_currency, their_minor, cause, nearest, waiting, resolution, first_seen_at, last_seen_at)
SELECT %(run)s, %(run)s, %(provider)s, %(live)s, f.day, f.kind, f.line_id, f.operation_id, f.our_currency, f.our_minor,
       f.their_currency, f.their_minor, f.cause, f.nearest, coalesce(f.line_id IN (SELECT line_id FROM candidate WHERE waiting), false), '', %(now)s, %(now)s
FROM finding f
ON CONFLICT (kind, line_id, operation_id, bank_line_id, remittance_id, payout_id) WHERE resolved_at IS NULL
    DO UPDATE SET last_run_id = %(run)s, last_seen_at = %(now)s, our_minor = excluded.our_minor, cause = excluded.cause,
        nearest = excluded.nearest, waiting = excluded.waiting
RETURNING b.run_id = %(run)s
"""

# Every line of the day, and those that nothing has claimed.
COUNT_LINES = f"""
SELECT currency, sum(lines)::integer, sum(lines - broken)::integer, sum(minor - broken_minor)::bigint, sum(broken_minor)::bigint
FROM (
    SELECT l.currency, count(*) AS lines, sum(l.amount_minor) AS minor, 0 AS broken, 0 AS broken_minor
    FROM statement s JOIN statement_line l ON l.statement_id = s.id
    WHERE s.provider = %(provider)s AND s.live = %(live)s AND s.day = %(day)s
    GROUP BY l.currency
    UNION ALL
    SELECT l.currency, 0, 0, count(*), sum(l.amount_minor) FROM rest_line l WHERE l.day = %(day)s AND {_UNCLAIMED_LINE} GROUP BY l.currency
) counted
GROUP BY currency
"""

COUNT_BROKEN = """
SELECT count(*) FROM unclaimed o
WHERE o.of_day AND EXISTS (SELECT FROM reconciliation_break b WHERE b.operation_id = o.id AND b.resolved_at IS NULL)
"""

TEMPORARY = "day_line, pair, open_before, rest_line, candidate, line_sum, operation_sum, choice, finding, covered, unclaimed, lone_line, lone_operation"


def bulk(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The equal pairs; none if the first rule is not our reference."""
    if rules[0].by != MatchRule.REFERENCE:
        return NO_BULK
    disagrees, fee_differs = first_of(PAIR_CHECKS, agree=rules[0].agree), _fee_differs(rules[0])
    return tuple(statement.format(disagrees=disagrees, fee_differs=fee_differs) for statement in FIND_BULK)


def candidates(rules: Sequence[Rule]) -> tuple[str, ...]:
    """What each of the lines that are left over may belong to."""
    return ("TRUNCATE candidate", *(_collect(n, rule) for n, rule in enumerate(rules) if rule.by in _BY))


def sums(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The tables of the sums, empty where no rule asks for them, and what is done with them."""
    if any(rule.by == MatchRule.SUM_AND_DATE for rule in rules):
        return (SUM_OF_LINES, SUM_OF_OPERATIONS, *GROUP_SUMS)
    return (f"{SUM_OF_LINES} LIMIT 0", f"{SUM_OF_OPERATIONS} LIMIT 0")


FIND_BY_LINES = (
    ("find ambiguous", (FIND_AMBIGUOUS,)),
    ("find disagreeing", (FIND_DISAGREEING, FIND_DISPUTED)),
    ("find missing in our books", (FIND_MISSING_IN_BOOKS,)),
)


def find_others(rules: Sequence[Rule]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What becomes a finding though no line is left over. After FIND_BY_LINES, because what one has found the next leaves alone."""
    with_fees = ", ".join(f"'{rule.by.value}'" for rule in rules if "fee" in rule.agree) or "NULL"
    fees = (_FEE_OF_PAIR.format(pairs=pairs, rules=with_fees) for pairs in (_NEW_PAIRS, _OPEN_PAIRS))
    return (
        ("find missing at the provider", (FIND_MISSING_AT_PROVIDER,)),
        ("compare the fees", (f"INSERT INTO finding {' UNION '.join(fees)}",)),
    )


def _fee_differs(rule: Rule) -> str:
    return FEE_DIFFERS if "fee" in rule.agree else "false"


def _collect(number: int, rule: Rule) -> str:
    tolerance, days = rule.amount_minor or 0, 1 if rule.days is None else rule.days
    return _COLLECT.format(
        number=number,
        by=rule.by.value,
        disagrees=first_of(PAIR_CHECKS, agree=rule.agree, tolerance=tolerance),
        fee_differs=_fee_differs(rule),
        found_by=_BY[rule.by].format(tolerance=tolerance, days=days, number=number),
    )
