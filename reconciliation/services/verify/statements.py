"""What was imported and matched is whole (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def statements_have_their_lines(asked: Asked) -> Found:
    """An imported statement has the lines that it brought, and none that was refused has any."""
    return query(
        examined="statement",
        violations="""
            SELECT concat('statement ', s.id, ' brought ', s.new_line_count, ' new lines of ', s.line_count, ' and has ',
                          coalesce(l.count, 0))
            FROM statement s
            LEFT JOIN (SELECT statement_id, count(*) AS count FROM statement_line GROUP BY 1) l ON l.statement_id = s.id
            WHERE s.new_line_count <> coalesce(l.count, 0) OR s.new_line_count > s.line_count""",
    )


@check
def matches_agree(asked: Asked) -> Found:
    """A line and an operation that are matched have the same account, currency and amount."""
    return query(
        examined="reconciliation_match",
        violations="""
            SELECT concat('match ', m.id, ' of line ', l.id, ' (', l.amount_minor, ' ', l.currency, ') and operation ', o.id, ' (',
                          o.amount_minor, ' ', o.currency, ')')
            FROM reconciliation_match m
            JOIN statement_line l ON l.id = m.line_id
            JOIN operation o ON o.id = m.operation_id
            JOIN payment p ON p.id = o.payment_id
            WHERE m.group_id IS NULL AND (l.provider_account_id, l.currency, abs(l.amount_minor), l.type = 'REFUND')
                IS DISTINCT FROM (p.provider_account_id, o.currency, o.amount_minor, o.kind = 'REFUND')""",
    )


@check
def fee_claims_are_their_lines(asked: Asked) -> Found:
    """A claim to a provider is the sum of its lines' overcharges, and no more of it was given back than was claimed."""
    return query(
        examined="fee_claim",
        violations="""
            SELECT concat('fee claim ', c.id, ' claims ', c.claimed_minor, ' in ', c.line_count, ' lines, its lines come to ',
                          l.minor, ' in ', l.count, ', given back is ', r.minor)
            FROM fee_claim c CROSS JOIN LATERAL (
                SELECT count(*) AS count, coalesce(sum(charged_minor - agreed_minor), 0) AS minor FROM fee_claim_line WHERE claim_id = c.id
            ) l CROSS JOIN LATERAL (
                SELECT coalesce(sum(amount_minor), 0) AS minor FROM fee_claim_refund WHERE claim_id = c.id
            ) r
            WHERE (c.claimed_minor, c.line_count) <> (l.minor, l.count) OR r.minor > c.claimed_minor""",
    )
