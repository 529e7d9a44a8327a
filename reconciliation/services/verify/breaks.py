"""What people decided about breaks is what was claimed and booked, and a closed day has nothing open."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def decided_breaks_are_claimed(asked: Asked) -> Found:
    """A break that two people ended has its items claimed by a group of the same proposal, or claimed before."""
    return query(
        examined="reconciliation_break WHERE resolved_by_proposal_id IS NOT NULL",
        violations="""
            SELECT concat('break ', b.id, ' was ended by proposal ', b.resolved_by_proposal_id, ' and its ', missing.item, ' is not claimed')
            FROM reconciliation_break b CROSS JOIN LATERAL (
                SELECT 'group' AS item
                WHERE NOT EXISTS (SELECT FROM reconciliation_match_group g WHERE g.proposal_id = b.resolved_by_proposal_id)
                UNION ALL
                SELECT 'line' WHERE b.line_id IS NOT NULL
                    AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = b.line_id)
                UNION ALL
                SELECT 'bank line' WHERE b.bank_line_id IS NOT NULL
                    AND NOT EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.bank_line_id = b.bank_line_id)
            ) missing
            WHERE b.resolved_by_proposal_id IS NOT NULL""",
    )


@check
def decided_differences_are_booked(asked: Asked) -> Found:
    """What a proposal said it would book is what its group's journal entry books, account by account."""
    return query(
        examined="reconciliation_match_group WHERE proposal_id IS NOT NULL",
        violations="""
            WITH decided AS (
                SELECT g.id, g.entry_id, p.parameters -> 'legs' AS legs
                FROM reconciliation_match_group g JOIN proposal p ON p.id = g.proposal_id
                WHERE left(p.kind, 6) = 'break.'  -- of payouts: verify/payouts.py
            ), said AS (
                SELECT d.id, leg ->> 'kind' AS kind, leg ->> 'currency' AS currency, sum((leg ->> 'minor')::bigint) AS minor
                FROM decided d CROSS JOIN LATERAL jsonb_array_elements(d.legs) leg GROUP BY 1, 2, 3
            ), booked AS (
                SELECT d.id, a.kind, a.currency, sum(p.amount_minor) AS minor
                FROM decided d JOIN posting p ON p.entry_id = d.entry_id JOIN ledger_account a ON a.code = p.account_id GROUP BY 1, 2, 3
            )
            SELECT concat('group ', id, ' books ', coalesce(booked.minor, 0), ' ', currency, ' on ', kind, ', approved was ',
                          coalesce(said.minor, 0))
            FROM said FULL JOIN booked USING (id, kind, currency)
            WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0)""",
    )


@check
def disputes_are_remembered(asked: Asked) -> Found:
    """What a transaction says is charged back of it is what the disputes booked of its payments come to."""
    return query(
        examined="reconciliation_match_group g JOIN proposal p ON p.id = g.proposal_id WHERE p.kind = 'break.dispute'",
        violations="""
            WITH booked AS (
                SELECT t.transaction_id, -sum(l.amount_minor) AS minor
                FROM proposal d JOIN reconciliation_match_group g ON g.proposal_id = d.id
                JOIN reconciliation_match m ON m.group_id = g.id JOIN statement_line l ON l.id = m.line_id
                JOIN operation o ON o.reference = l.our_reference AND o.kind IN ('SALE', 'CAPTURE')
                JOIN payment t ON t.id = o.payment_id AND t.provider_account_id = l.provider_account_id
                WHERE d.kind = 'break.dispute' GROUP BY t.transaction_id
            )
            SELECT concat('transaction ', t.id, ' says that ', t.amount_disputed_minor, ' is charged back, booked is ', coalesce(b.minor, 0))
            FROM transaction t LEFT JOIN booked b ON b.transaction_id = t.id
            WHERE t.amount_disputed_minor <> coalesce(b.minor, 0)""",
    )


@check
def closed_days_have_nothing_open(asked: Asked) -> Found:
    """A closed day has no open break, and every line of it is claimed or was handed on with a break."""
    return query(
        examined="day_close",
        violations="""
            WITH closed AS (
                SELECT DISTINCT ON (provider, live, day) provider, live, day, state FROM day_close ORDER BY provider, live, day, number DESC
            )
            SELECT concat(c.provider, ' ', c.day, ' is closed and has ', found.count, ' ', found.what)
            FROM closed c CROSS JOIN LATERAL (
                SELECT 'open breaks' AS what, count(*) FROM reconciliation_break b
                WHERE b.provider = c.provider AND b.live = c.live AND b.day = c.day AND b.resolved_at IS NULL
                UNION ALL
                SELECT 'lines that nothing explains', count(*) FROM statement s JOIN statement_line l ON l.statement_id = s.id
                WHERE s.provider = c.provider AND s.live = c.live AND s.day = c.day
                    AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
                    AND NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.line_id = l.id AND b.resolved_at IS NULL)
            ) found
            WHERE c.state = 'CLOSED' AND found.count > 0""",
    )
