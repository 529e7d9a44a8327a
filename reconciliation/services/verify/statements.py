"""What was imported and matched is whole (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from reconciliation.matching.booked import COMPARED, COMPARED_CURRENCY


@check
def statements_have_their_lines(asked: Asked) -> Found:
    """An imported statement has the lines that it brought and those that could not be read, and no other."""
    return query(
        examined="statement",
        violations="""
            SELECT concat('statement ', s.id, ' of ', s.line_count, ' lines brought ', s.new_line_count, ' new and ',
                          s.quarantined_count, ' unreadable ones and has ', coalesce(l.count, 0) + coalesce(b.count, 0), ' and ',
                          coalesce(q.count, 0))
            FROM statement s
            LEFT JOIN (SELECT statement_id, count(*) AS count FROM statement_line GROUP BY 1) l ON l.statement_id = s.id
            LEFT JOIN (SELECT statement_id, count(*) AS count FROM bank_line GROUP BY 1) b ON b.statement_id = s.id
            LEFT JOIN (SELECT statement_id, count(*) AS count, count(*) FILTER (WHERE state <> 'FIXED') AS unread
                       FROM quarantined_line GROUP BY 1) q ON q.statement_id = s.id
            WHERE s.new_line_count <> coalesce(l.count, 0) + coalesce(b.count, 0)
                OR s.quarantined_count <> coalesce(q.count, 0)
                OR s.new_line_count + coalesce(q.unread, 0) > s.line_count""",
    )


@check
def control_totals_agree(asked: Asked) -> Found:
    """The lines of a statement whose control totals agree come to what its file states; others have lines that were not read."""
    return query(
        examined="statement WHERE controls <> 'NONE'",
        violations="""
            SELECT concat('statement ', s.id, ' is ', s.controls, ': it states ', s.stated ->> 'net', ' and has ', s.net_total, ', ',
                          coalesce(q.open, 0), ' lines open and ', coalesce(q.discarded, 0), ' discarded')
            FROM statement s
            LEFT JOIN (SELECT statement_id, count(*) FILTER (WHERE state = 'OPEN') AS open,
                              count(*) FILTER (WHERE state = 'DISCARDED') AS discarded
                       FROM quarantined_line GROUP BY 1) q ON q.statement_id = s.id
            WHERE s.controls <> 'NONE' AND s.controls <> CASE
                WHEN q.open > 0 THEN 'WAITING' WHEN q.discarded > 0 THEN 'DIFFERS'
                WHEN ((s.stated ->> 'amount')::bigint, (s.stated ->> 'fee')::bigint, (s.stated ->> 'net')::bigint)
                    = (s.amount_total, s.fee_total, s.net_total) THEN 'AGREED' ELSE '' END""",
    )


@check
def remittances_are_the_sums_of_their_lines(asked: Asked) -> Found:
    """What a provider owes for a statement is the sum of the lines that it brought, per account and currency."""
    return query(
        examined="remittance",
        violations="""
            WITH said AS (
                SELECT statement_id, account_key, currency, sum(line_count) AS lines, sum(gross_minor) AS gross, sum(fee_minor) AS fee
                FROM remittance GROUP BY 1, 2, 3
            ), found AS (
                SELECT statement_id, account_key, currency, count(*) AS lines, sum(amount_minor) AS gross, sum(fee_minor) AS fee
                FROM statement_line GROUP BY 1, 2, 3
            )
            SELECT concat('statement ', statement_id, ' of ', account_key, ' owes ', said.gross, ' less ', said.fee, ' ', currency,
                          ', its lines have ', found.gross, ' less ', found.fee)
            FROM said FULL JOIN found USING (statement_id, account_key, currency)
            WHERE (said.lines, said.gross, said.fee) IS DISTINCT FROM (found.lines, found.gross, found.fee)""",
    )


@check
def remittances_have_their_fees_booked(asked: Asked) -> Found:
    """Each remittance of an account of ours has the provider's fees booked, exactly and once."""
    return query(
        examined="remittance",
        violations="""
            SELECT concat('remittance ', r.id, ' keeps fees of ', r.fee_minor, ' ', r.currency, ', booked are ', coalesce(b.minor, 0))
            FROM remittance r
            LEFT JOIN (
                SELECT f.subject_id, sum(p.amount_minor) AS minor
                FROM fact f JOIN journal_entry e ON e.fact_id = f.id JOIN posting p ON p.entry_id = e.id
                JOIN ledger_account a ON a.code = p.account_id
                WHERE f.name = 'remittance.announced' AND a.kind = 'provider_fees' GROUP BY 1
            ) b ON b.subject_id = r.id
            WHERE coalesce(b.minor, 0) <> CASE WHEN r.provider_account_id IS NULL THEN 0 ELSE r.fee_minor END""",
    )


@check
def matches_agree(asked: Asked) -> Found:
    """A line and an operation that are matched have the same account, currency and amount."""
    return query(
        examined="reconciliation_match",
        violations=f"""
            SELECT concat('match ', m.id, ' of line ', l.id, ' (', l.amount_minor, ' ', l.currency, ') and operation ', o.id, ' (',
                          {COMPARED}, ' ', {COMPARED_CURRENCY}, ')')
            FROM reconciliation_match m
            JOIN statement_line l ON l.id = m.line_id
            JOIN operation o ON o.id = m.operation_id
            JOIN payment p ON p.id = o.payment_id
            WHERE m.group_id IS NULL AND (l.provider_account_id, l.currency, abs(l.amount_minor), l.type = 'REFUND')
                IS DISTINCT FROM (p.provider_account_id, {COMPARED_CURRENCY}, {COMPARED}, o.kind = 'REFUND')""",  # noqa: S608 -- constants
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
