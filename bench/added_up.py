"""The month in one equation, from the tables alone: what came in is our fees, suspense, reserves, what was settled and what is owed. Nothing here is asked of the checks."""

from __future__ import annotations

from django.db import connection

# By the rows that say so, and by the ledger.
ADDED_UP = """
WITH ledger AS (
    SELECT a.currency, a.kind, e.fact_name, sum(p.amount_minor) AS minor
    FROM posting p JOIN ledger_account a ON a.code = p.account_id JOIN journal_entry e ON e.id = p.entry_id GROUP BY 1, 2, 3
), came AS (
    SELECT t.currency, sum(t.amount_captured_minor - t.amount_refunded_minor) AS net, sum(t.fees) AS fees
    FROM (SELECT t.*, (SELECT sum(fee_minor) FROM payment p WHERE p.transaction_id = t.id) AS fees FROM transaction t) t GROUP BY 1
), taken_back AS (
    SELECT l.currency, -sum(l.amount_minor) AS minor FROM statement_line l JOIN reconciliation_match m ON m.line_id = l.id
    WHERE l.type = 'CHARGEBACK' GROUP BY 1
), settled AS (
    SELECT s.currency, sum(net_minor) FILTER (WHERE state IN ('CREATED', 'PAYOUT_PENDING')) AS on_its_way,
           sum(net_minor) FILTER (WHERE state = 'PAID') AS paid, sum(net_minor) FILTER (WHERE state = 'RETURNED') AS returned,
           sum(net_minor) FILTER (WHERE state = 'CARRIED' AND NOT EXISTS (SELECT FROM settlement n WHERE n.carried_from_id = s.id)) AS carried,
           sum(reserve_held_minor - reserve_released_minor) AS reserve,
           sum(gross_minor - refund_minor - dispute_minor - fee_minor + adjustment_minor) AS claimed
    FROM settlement s GROUP BY 1
), asked AS (
    SELECT currency, sum(suspense_minor) AS minor FROM review_item WHERE state <> 'CLOSED' GROUP BY 1
), by_rows AS (
    SELECT currency, coalesce(fees, 0) AS fees, coalesce(asked.minor, 0) AS suspense, coalesce(reserve, 0) AS reserve,
           coalesce(on_its_way, 0) AS on_its_way, coalesce(paid, 0) AS paid,
           coalesce(carried, 0) + net - fees - coalesce(taken_back.minor, 0) + coalesce(returned, 0) - coalesce(claimed, 0) AS owed,
           net - coalesce(taken_back.minor, 0) + coalesce(asked.minor, 0) AS came_in
    FROM came LEFT JOIN taken_back USING (currency) LEFT JOIN settled USING (currency) LEFT JOIN asked USING (currency)
), by_ledger AS (
    SELECT currency, -coalesce(sum(minor) FILTER (WHERE kind = 'fee_income'), 0) AS fees,
           -coalesce(sum(minor) FILTER (WHERE kind = 'suspense'), 0) AS suspense,
           -coalesce(sum(minor) FILTER (WHERE kind = 'merchant_reserve'), 0) AS reserve,
           -coalesce(sum(minor) FILTER (WHERE kind = 'payout_in_transit'), 0) AS on_its_way,
           coalesce(sum(minor) FILTER (WHERE kind = 'payout_in_transit' AND fact_name = 'payout.paid'), 0) AS paid,
           -coalesce(sum(minor) FILTER (WHERE kind = 'merchant_payable'), 0) AS owed,
           coalesce(sum(minor) FILTER (WHERE kind = 'provider_receivable' AND fact_name ~ '^(payment|refund|dispute)[.]'), 0) AS came_in
    FROM ledger GROUP BY 1
)
SELECT r.currency || ', ' || x.what, x.rows::bigint, x.ledger::bigint
FROM by_rows r JOIN by_ledger l USING (currency) CROSS JOIN LATERAL (VALUES
    ('our fees', r.fees, l.fees), ('suspense', r.suspense, l.suspense), ('reserves', r.reserve, l.reserve),
    ('settled, on its way', r.on_its_way, l.on_its_way), ('settled, paid out', r.paid, l.paid),
    ('owed: carried over and not settled yet', r.owed, l.owed), ('all of it: what came in and was not given back', r.came_in, l.came_in),
    ('the parts and the whole', r.fees + r.suspense + r.reserve + r.on_its_way + r.paid + r.owed, l.came_in)
) x (what, rows, ledger)
"""


def added_up() -> list[tuple[str, int, int]]:
    """(what, by the rows, by the ledger), in minor units, of each currency that payments were in."""
    with connection.cursor() as cursor:
        cursor.execute(ADDED_UP)
        return list(cursor.fetchall())
