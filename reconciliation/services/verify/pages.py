"""Statements that came in several pages are whole, and were taken in once (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def statements_of_pages_are_imported_once(asked: Asked) -> Found:
    """No two imported statements of several pages have the same account, id and last day: other references would bring the same money twice."""
    return query(
        examined="statement WHERE page IS NOT NULL",
        violations="""
            SELECT concat('statement ', s.page ->> 'key', ' of ', b.account_key, ' to ', b.closed_on, ' was imported ', count(*), ' times: ',
                          string_agg(s.id, ', ' ORDER BY s.id))
            FROM statement s JOIN bank_balance b ON b.statement_id = s.id
            WHERE s.page IS NOT NULL AND s.state = 'IMPORTED'
            GROUP BY s.provider, s.provider_account_id, s.live, s.page ->> 'key', b.account_key, b.closed_on HAVING count(*) > 1""",
    )
