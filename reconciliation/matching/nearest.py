"""What nearly fits a break, why it does not, and what could be proposed: three items at most.

Lines that find no operation are compared with operations that find no line, all that are open, through an index by amount: so a bad day with a
hundred thousand of each costs no more than looking each one up. Only what the run has found is given its nearest; a break that it did not look
at keeps those that it had.
"""

from __future__ import annotations

_LONE_LINES = """
CREATE TEMPORARY TABLE lone_line ON COMMIT DROP AS
SELECT l.id, l.provider_account_id AS account, l.type = 'REFUND' AS refund, l.currency, l.amount_minor AS amount, l.at, open.found
FROM (SELECT line_id, true AS found FROM finding WHERE kind = 'MISSING_IN_BOOKS' AND operation_id IS NULL
      UNION ALL
      SELECT line_id, false FROM open_before WHERE kind = 'MISSING_IN_BOOKS' AND operation_id IS NULL AND NOT asked) open
JOIN statement_line l ON l.id = open.line_id
WHERE l.type IN ('PAYMENT', 'REFUND')
"""

_LONE_OPERATIONS = """
CREATE TEMPORARY TABLE lone_operation ON COMMIT DROP AS
SELECT o.id, p.provider_account_id AS account, o.kind = 'REFUND' AS refund, o.currency,
       CASE WHEN o.kind = 'REFUND' THEN -o.amount_minor ELSE o.amount_minor END AS amount, o.ended_at AS at, open.found
FROM (SELECT operation_id, true AS found FROM finding WHERE kind = 'MISSING_AT_PROVIDER'
      UNION ALL
      SELECT operation_id, false FROM open_before WHERE kind = 'MISSING_AT_PROVIDER' AND NOT asked) open
JOIN operation o ON o.id = open.operation_id JOIN payment p ON p.id = o.payment_id
"""


def _nearest(of: str, among: str, key: str, kind: str, item: str, plural: str) -> str:
    """One statement that fills `nearest` of the findings of this kind. The arguments are constants of this module."""
    side = f"""SELECT x.* FROM {among} x WHERE x.account = a.account AND x.refund = a.refund AND x.currency = a.currency
               AND x.amount {{comparison}} a.amount ORDER BY x.amount {{order}}, x.id {{order}} LIMIT 3"""  # noqa: S608
    above, below = side.format(comparison=">=", order="ASC"), side.format(comparison="<", order="DESC")
    return f"""
UPDATE finding f SET nearest = n.nearest
FROM (
    SELECT a.id, (
        SELECT jsonb_agg(jsonb_build_object(
            'item', '{item}', 'id', y.id::text, 'difference', abs(y.amount) - abs(a.amount),
            'why_not', concat_ws('; ', 'another reference', CASE WHEN y.amount <> a.amount THEN 'another amount' END,
                                 CASE WHEN y.apart >= 86400 THEN concat((y.apart / 86400)::integer, ' days apart') END),
            'proposal', jsonb_build_object('act', 'break.match', 'parameters', jsonb_build_object('{plural}', jsonb_build_array(y.id))))
            ORDER BY abs(y.amount - a.amount), y.apart, y.id)
        FROM (SELECT z.*, abs(extract(epoch FROM z.at - a.at)) AS apart FROM (({above}) UNION ALL ({below})) z
              ORDER BY abs(z.amount - a.amount), abs(extract(epoch FROM z.at - a.at)), z.id LIMIT 3) y) AS nearest
    FROM {of} a WHERE a.found
) n
WHERE f.{key} = n.id AND f.kind = '{kind}' AND n.nearest IS NOT NULL
"""  # noqa: S608


# What a line and an operation that belong together disagree in: the one thing to do about it.
_OF_PAIRS = """
UPDATE finding f SET nearest = jsonb_build_array(jsonb_build_object(
    'item', 'operation', 'id', f.operation_id, 'why_not', f.cause,
    'difference', CASE WHEN f.our_currency = f.their_currency THEN f.their_minor - f.our_minor END,
    'proposal', CASE
        WHEN o.state IN ('SENT', 'PENDING', 'UNKNOWN') THEN jsonb_build_object('act', 'look_up', 'parameters', jsonb_build_object('operation', o.id))
        WHEN f.kind = 'MISSING_IN_BOOKS' THEN jsonb_build_object('act', 'break.dispute', 'parameters', jsonb_build_object('operations', jsonb_build_array(o.id)))
        WHEN f.kind = 'FEE_MISMATCH' THEN jsonb_build_object('act', 'break.write_off', 'parameters', '{}'::jsonb)
        WHEN f.kind = 'DUPLICATE_LINE' THEN jsonb_build_object('act', 'break.adjust', 'parameters', '{}'::jsonb)
        ELSE jsonb_build_object('act', 'break.match', 'parameters', jsonb_build_object('operations', jsonb_build_array(o.id))) END))
FROM operation o
WHERE o.id = f.operation_id AND f.line_id IS NOT NULL
"""

NEAREST = (
    _LONE_LINES,
    _LONE_OPERATIONS,
    "CREATE INDEX ON lone_line (account, refund, currency, amount, id)",
    "CREATE INDEX ON lone_operation (account, refund, currency, amount, id)",
    "ANALYZE lone_line",
    "ANALYZE lone_operation",
    _nearest("lone_line", "lone_operation", "line_id", "MISSING_IN_BOOKS", "operation", "operations"),
    _nearest("lone_operation", "lone_line", "operation_id", "MISSING_AT_PROVIDER", "line", "lines"),
    _OF_PAIRS,
)
