"""What must be true of matches: a group's two sides agree or say by how much they differ, and the bank's accounts are its matched lines."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from reconciliation.matching.booked import BOOKED, BOOKED_CURRENCY, COMPARED, COMPARED_CURRENCY, QUESTIONED

_GROUP_DIFFERS = """
    SELECT concat('group ', g.id, ' of {what}: theirs come to ', coalesce(s.theirs, 0), ' ', s.currency, ', ours to ', coalesce(s.ours, 0),
                  ', explained are ', coalesce((g.explanation -> 'differences' ->> 'amount')::bigint, 0))
    FROM reconciliation_match_group g JOIN ({sums}) s ON s.group_id = g.id
    WHERE g.run_id IS NOT NULL
        AND s.theirs - s.ours <> coalesce((g.explanation -> 'differences' ->> 'amount')::bigint, 0)"""


@check
def grouped_matches_agree(asked: Asked) -> Found:
    """Lines and operations that a run grouped come to the same, but for the difference that the group explains."""
    return query(
        examined="reconciliation_match_group",
        violations=_GROUP_DIFFERS.format(
            what="the ledger",
            sums=f"""
                SELECT group_id, min(currency) AS currency, sum(theirs) AS theirs, sum(ours) AS ours FROM (
                    SELECT m.group_id, l.currency, l.amount_minor AS theirs, 0 AS ours
                    FROM reconciliation_match m JOIN statement_line l ON l.id = m.line_id WHERE m.group_id IS NOT NULL
                    UNION ALL
                    SELECT m.group_id, {COMPARED_CURRENCY}, 0, CASE WHEN o.kind = 'REFUND' THEN -1 ELSE 1 END * {COMPARED}
                    FROM reconciliation_match m JOIN operation o ON o.id = m.operation_id WHERE m.group_id IS NOT NULL
                ) item GROUP BY group_id""",  # noqa: S608 -- constants
        ),
    )


@check
def grouped_bank_matches_agree(asked: Asked) -> Found:
    """Bank lines and remittances that a run grouped come to the same in what was sent, but for the difference that the group explains."""
    return query(
        examined="reconciliation_match_group",
        violations=_GROUP_DIFFERS.format(
            what="the bank",
            sums="""
                SELECT group_id, min(currency) AS currency, sum(theirs) AS theirs, sum(ours) AS ours FROM (
                    SELECT m.group_id, CASE WHEN l.instructed_currency NOT IN ('', l.currency) THEN l.instructed_currency ELSE l.currency END AS currency,
                           CASE WHEN l.instructed_currency NOT IN ('', l.currency) THEN sign(l.amount_minor) * abs(l.instructed_minor)
                                ELSE l.amount_minor + l.charges_minor END AS theirs, 0 AS ours
                    FROM reconciliation_bank_match m JOIN bank_line l ON l.id = m.bank_line_id
                    UNION ALL
                    SELECT m.group_id, r.currency, 0, r.net_minor
                    FROM reconciliation_bank_match m JOIN remittance r ON r.id = m.remittance_id
                ) item GROUP BY group_id
                HAVING count(*) FILTER (WHERE ours <> 0) > 0""",
        ),
    )


@check
def tolerated_differences_are_booked(asked: Asked) -> Found:
    """What rules let pass between statement and ledger is booked against the provider, entry by entry."""
    return query(
        examined="reconciliation_match_group",
        violations="""
            SELECT concat('entry ', e.id, ' books ', b.minor, ', its groups let ', sum((g.explanation -> 'differences' ->> 'amount')::bigint), ' pass')
            FROM journal_entry e
            JOIN reconciliation_match_group g ON g.entry_id = e.id
            JOIN LATERAL (SELECT sum(p.amount_minor) AS minor FROM posting p JOIN ledger_account a ON a.code = p.account_id
                          WHERE p.entry_id = e.id AND a.kind = 'provider_receivable') b ON true
            WHERE e.fact_name = 'match.tolerated'
            GROUP BY e.id, b.minor
            HAVING b.minor IS DISTINCT FROM sum((g.explanation -> 'differences' ->> 'amount')::bigint)""",
    )


@check
def questions_are_booked_as_they_say(asked: Asked) -> Found:
    """Where a conflict or a late success was booked, the ledger has with the provider what matching and people take from its open question."""
    return query(
        examined="review_item WHERE kind IN ('CONFLICT', 'LATE_SUCCESS')",
        violations=f"""
            WITH asked AS (
                SELECT DISTINCT p.transaction_id FROM payment p JOIN operation o ON o.payment_id = p.id WHERE {QUESTIONED}
            ), taken AS (
                SELECT p.transaction_id, {BOOKED_CURRENCY} AS currency, sum(CASE WHEN o.kind = 'REFUND' THEN -1 ELSE 1 END * {BOOKED}) AS minor
                FROM asked JOIN payment p USING (transaction_id) JOIN operation o ON o.payment_id = p.id
                WHERE o.kind IN ('SALE', 'CAPTURE', 'REFUND') GROUP BY 1, 2
            ), booked AS (
                SELECT e.transaction_id, a.currency, sum(p.amount_minor) AS minor
                FROM asked JOIN journal_entry e USING (transaction_id) JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.code = p.account_id
                WHERE a.kind = 'provider_receivable' GROUP BY 1, 2
            )
            SELECT concat('transaction ', transaction_id, ' has ', coalesce(booked.minor, 0), ' ', currency, ' booked with the provider, its operations come to ',
                          coalesce(taken.minor, 0))
            FROM taken FULL JOIN booked USING (transaction_id, currency)
            WHERE coalesce(taken.minor, 0) <> coalesce(booked.minor, 0)""",  # noqa: S608 -- constants
    )


@check
def the_bank_has_what_was_matched(asked: Asked) -> Found:
    """The ledger's account of a bank account is the sum of its lines that are matched, by runs and by people."""
    return query(
        examined="ledger_account WHERE kind = 'bank'",
        violations="""
            WITH said AS (
                SELECT concat('bank:', l.provider, '/', l.account_key, ':', CASE WHEN s.live THEN 'live' ELSE 'test' END, ':', l.currency) AS code,
                       sum(l.amount_minor) AS minor
                FROM reconciliation_bank_match m JOIN bank_line l ON l.id = m.bank_line_id JOIN statement s ON s.id = l.statement_id
                GROUP BY 1
            ), booked AS (
                SELECT a.code, sum(p.amount_minor) AS minor
                FROM ledger_account a JOIN posting p ON p.account_id = a.code WHERE a.kind = 'bank'
                    AND left(a.code, 14) <> 'bank:unproven:' GROUP BY 1  -- payouts that people confirmed: verify/payouts.py
            )
            SELECT concat(code, ' has ', coalesce(booked.minor, 0), ' booked, its matched lines come to ', coalesce(said.minor, 0))
            FROM said FULL JOIN booked USING (code)
            WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0)""",
    )


@check
def the_house_s_suspense_is_what_came_for_strangers(asked: Asked) -> Found:
    """What lies in suspense of no provider account was booked by matches: of remittances for accounts that are not ours, or as two people approved."""
    return query(
        examined="remittance WHERE provider_account_id IS NULL",
        violations="""
            WITH booked AS (
                SELECT p.entry_id, a.currency, sum(p.amount_minor) AS minor FROM ledger_account a JOIN posting p ON p.account_id = a.code
                WHERE a.kind = 'suspense' AND a.provider_account_id IS NULL GROUP BY 1, 2
            ), came AS (
                SELECT g.entry_id, r.currency, -sum(r.net_minor) AS minor
                FROM remittance r JOIN reconciliation_bank_match m ON m.remittance_id = r.id JOIN reconciliation_match_group g ON g.id = m.group_id
                WHERE r.provider_account_id IS NULL GROUP BY 1, 2
            )
            SELECT concat('entry ', coalesce(entry_id, 'none'), ' books ', coalesce(booked.minor, 0), ' ', currency,
                          ' on the suspense of the house, what came for accounts that are not ours is ', coalesce(came.minor, 0))
            FROM booked FULL JOIN came USING (entry_id, currency)
            WHERE coalesce(booked.minor, 0) <> coalesce(came.minor, 0)
                AND NOT (came.minor IS NULL AND EXISTS (SELECT FROM reconciliation_match_group g JOIN proposal p ON p.id = g.proposal_id
                                                        WHERE g.entry_id = booked.entry_id AND p.kind = 'break.adjust'))""",
    )


@check
def sources_have_one_live_rule_set(asked: Asked) -> Found:
    """What decides a comparison is one version, and a version that is not the product's went live by two people."""
    return query(
        examined="reconciliation_rule_set",
        violations="""
            SELECT concat('rule set ', r.id, ' (', r.provider, ' ', r.comparison, ' version ', r.version, ') is ', lower(r.state),
                          ' without an executed proposal')
            FROM reconciliation_rule_set r
            WHERE r.state IN ('LIVE', 'RETIRED') AND NOT r.built_in
                AND NOT EXISTS (SELECT FROM proposal p WHERE p.id = r.proposal_id AND p.state = 'EXECUTED' AND p.subject_id = r.id)""",
    )
