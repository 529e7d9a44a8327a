"""A bank's entries come to its balances (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def bank_lines_come_to_their_balances(asked: Asked) -> Found:
    """What a bank's file brought of an account moves it from its opening to its closing balance, unless another file may have brought some of it."""
    return query(
        examined="bank_balance",
        violations="""
            WITH said AS (
                SELECT b.*, s.provider, s.live, s.controls FROM bank_balance b JOIN statement s ON s.id = b.statement_id
                WHERE s.state = 'IMPORTED'
            ), shared AS (
                SELECT DISTINCT b.statement_id, b.account_key
                FROM said b JOIN said o ON (o.provider, o.live, o.account_key) = (b.provider, b.live, b.account_key)
                WHERE o.statement_id <> b.statement_id AND o.opened_on <= b.closed_on AND o.closed_on >= b.opened_on
                    AND (o.opened_on, o.opening_minor) <> (b.closed_on, b.closing_minor)
                    AND (o.closed_on, o.closing_minor) <> (b.opened_on, b.opening_minor)
                    AND NOT (o.opened_on = b.opened_on AND o.opening_minor <> b.opening_minor)
            ), moved AS (
                SELECT statement_id, account_key, currency, sum(closing_minor - opening_minor) AS minor
                FROM said b WHERE controls = 'AGREED'
                    AND NOT EXISTS (SELECT FROM shared s WHERE (s.statement_id, s.account_key) = (b.statement_id, b.account_key))
                GROUP BY 1, 2, 3
            )
            SELECT concat('statement ', m.statement_id, ' moves ', m.account_key, ' by ', m.minor, ' ', m.currency, ', its lines come to ',
                          coalesce(l.minor, 0))
            FROM moved m LEFT JOIN LATERAL (
                SELECT sum(amount_minor) AS minor FROM bank_line WHERE (statement_id, account_key) = (m.statement_id, m.account_key)
            ) l ON true
            WHERE m.minor <> coalesce(l.minor, 0)""",
    )
