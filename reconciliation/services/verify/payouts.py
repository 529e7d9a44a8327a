"""Payouts are what was settled, were released by two people, and are paid only where somebody has shown it (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from reconciliation.whereabouts import stage_totals


@check
def payouts_are_what_was_settled(asked: Asked) -> Found:
    """A payout is its settlement's net, to the same merchant, and the settlement stands where its payout does."""
    return query(
        examined="payout",
        violations="""
            SELECT concat('payout ', p.id, ' of ', p.amount_minor, ' is ', p.state, ', its settlement ', s.id, ' of net ', s.net_minor,
                          ' is ', s.state)
            FROM payout p JOIN settlement s ON s.id = p.settlement_id
            WHERE (p.merchant_id, p.live, p.currency, p.amount_minor) <> (s.merchant_id, s.live, s.currency, s.net_minor)
                OR p.state <> 'CANCELLED' AND s.state <> CASE p.state WHEN 'PENDING_APPROVAL' THEN 'CREATED'
                    WHEN 'PAID' THEN 'PAID' WHEN 'RETURNED' THEN 'RETURNED' ELSE 'PAYOUT_PENDING' END
            UNION ALL
            SELECT concat('settlement ', s.id, ' is ', s.state, ' and has no payout')
            FROM settlement s WHERE s.state IN ('PAYOUT_PENDING', 'PAID', 'RETURNED')
                AND NOT EXISTS (SELECT FROM payout p WHERE p.settlement_id = s.id AND p.state <> 'CANCELLED')""",
    )


@check
def payouts_were_released_by_two(asked: Asked) -> Found:
    """Every payout that left was proposed by one person and released by another, to where it was proposed to go."""
    return query(
        examined="payout WHERE state NOT IN ('PENDING_APPROVAL', 'CANCELLED')",
        violations="""
            SELECT concat('payout ', p.id, ' is ', p.state, ' by proposal ', coalesce(r.id, 'none'), ', which is ',
                          coalesce(r.state, 'not there'))
            FROM payout p LEFT JOIN proposal r ON r.id = p.proposal_id
            WHERE p.state NOT IN ('PENDING_APPROVAL', 'CANCELLED')
                AND NOT coalesce(r.state = 'EXECUTED' AND r.kind IN ('payout.release', 'payout.release_large')
                                 AND r.decided_by_id <> r.proposed_by_id AND r.parameters -> 'payouts' ? p.id, false)""",
    )


@check
def payouts_are_proven(asked: Asked) -> Found:
    """A payout through the bank is paid or returned only by a line of its id and amount (with charges) on the account that it was paid from, or by what two people agreed."""
    return query(
        examined="payout WHERE way = 'BANK_FILE' AND state IN ('PAID', 'RETURNED')",
        violations="""
            SELECT concat('payout ', p.id, ' of ', p.amount_minor, ' is ', p.state, ' from ', coalesce(concat(f.source, ' ', f.account_key), 'nowhere'),
                          ', the bank shows ', coalesce(concat(l.amount_minor, ' on ', l.provider, ' ', l.account_key), 'nothing'), ' out and ',
                          coalesce(concat(b.amount_minor, ' on ', b.provider, ' ', b.account_key), 'nothing'), ' back')
            FROM payout p
            LEFT JOIN payout_file f ON f.id = p.file_id
            LEFT JOIN reconciliation_bank_match m ON m.payout_id = p.id
            LEFT JOIN reconciliation_bank_match g ON g.group_id = m.group_id AND g.bank_line_id IS NOT NULL
            LEFT JOIN bank_line l ON l.id = g.bank_line_id
            LEFT JOIN bank_line b ON b.id = p.returned_line_id
            LEFT JOIN proposal c ON c.id = p.confirmed_by_id AND c.state = 'EXECUTED' AND c.subject_id = p.id
            LEFT JOIN reconciliation_match_group k ON k.id = m.group_id
            LEFT JOIN proposal h ON h.id = k.proposal_id AND h.state = 'EXECUTED' AND h.subject_id = p.id
                AND h.kind = 'payout.confirm_paid' AND h.parameters ->> 'bank_line' = l.id::text
            WHERE p.way = 'BANK_FILE' AND (
                m.id IS NOT NULL AND NOT coalesce(l.currency = p.currency AND (
                    h.id IS NOT NULL AND l.amount_minor <= -p.amount_minor
                    OR (l.provider, l.account_key, l.end_to_end_id) = (f.source, f.account_key, p.end_to_end_id)
                        AND -p.amount_minor IN (l.amount_minor, l.amount_minor + l.charges_minor)), false)
                OR b.id IS NOT NULL AND NOT coalesce(b.currency = p.currency AND (
                    c.kind = 'payout.confirm_returned' AND c.parameters ->> 'bank_line' = b.id::text
                        AND b.amount_minor BETWEEN 1 AND p.amount_minor
                    OR (b.provider, b.account_key, b.end_to_end_id) = (f.source, f.account_key, p.end_to_end_id)
                        AND p.amount_minor IN (b.amount_minor, b.amount_minor + b.charges_minor)), false)
                OR p.state = 'PAID' AND m.id IS NULL AND c.id IS NULL
                OR p.state = 'RETURNED' AND b.id IS NULL AND c.id IS NULL
                OR p.state NOT IN ('PAID', 'RETURNED') AND m.id IS NOT NULL)""",
    )


@check
def payouts_are_booked(asked: Asked) -> Found:
    """What payouts took from what is on its way, and gave back to it, is what the ledger has booked for them."""
    return query(
        examined="payout WHERE state IN ('PAID', 'RETURNED')",
        violations="""
            SELECT concat('payout ', p.id, ' of ', p.amount_minor, ' is ', p.state, ', booked is ', coalesce(b.minor::text, 'nothing'),
                          ' from what is on its way and ', coalesce(b.owed, 0), ' owed again')
            FROM payout p LEFT JOIN LATERAL (
                SELECT sum(o.amount_minor) FILTER (WHERE a.kind = 'payout_in_transit') AS minor,
                       -sum(o.amount_minor) FILTER (WHERE a.kind = 'merchant_payable') AS owed
                FROM fact f JOIN journal_entry e ON e.fact_id = f.id JOIN posting o ON o.entry_id = e.id
                JOIN ledger_account a ON a.code = o.account_id WHERE f.subject_id = p.id
            ) b ON true
            WHERE (coalesce(b.minor, 0), coalesce(b.owed, 0)) <> (
                CASE WHEN p.state IN ('PAID', 'RETURNED') THEN p.amount_minor ELSE 0 END,
                CASE WHEN p.state = 'RETURNED' THEN p.amount_minor ELSE 0 END)""",
    )


@check
def charges_of_payouts_are_what_lines_show(asked: Asked) -> Found:
    """What the bank's lines of a payout took more, and brought less back, than it is, is booked as charges, and what people agreed to of it is no other."""
    return query(
        examined="payout WHERE file_id IS NOT NULL AND state IN ('PAID', 'RETURNED')",
        violations="""
            SELECT concat('payout ', p.id, ' of ', p.amount_minor, ' has ', coalesce(c.minor, 0), ' charges booked, its bank lines show ',
                          coalesce(-l.minor - p.amount_minor, 0) + coalesce(p.amount_minor - b.amount_minor, 0), ', agreed were ', coalesce(a.minor, 0))
            FROM payout p LEFT JOIN bank_line b ON b.id = p.returned_line_id
            LEFT JOIN reconciliation_bank_match m ON m.payout_id = p.id
            LEFT JOIN LATERAL (
                SELECT sum(x.amount_minor) AS minor FROM reconciliation_bank_match g JOIN bank_line x ON x.id = g.bank_line_id
                WHERE g.group_id = m.group_id
            ) l ON true
            LEFT JOIN LATERAL (
                SELECT sum(o.amount_minor) AS minor FROM fact f JOIN journal_entry e ON e.fact_id = f.id JOIN posting o ON o.entry_id = e.id
                JOIN ledger_account a ON a.code = o.account_id WHERE f.subject_id = p.id AND a.kind = 'bank_charges'
            ) c ON true
            LEFT JOIN LATERAL (
                SELECT sum((leg ->> 'minor')::bigint) AS minor FROM proposal r CROSS JOIN LATERAL jsonb_array_elements(r.parameters -> 'legs') leg
                WHERE r.subject_id = p.id AND r.state = 'EXECUTED' AND left(r.kind, 15) = 'payout.confirm_'
            ) a ON true
            WHERE p.file_id IS NOT NULL AND (
                coalesce(c.minor, 0) <> coalesce(-l.minor - p.amount_minor, 0) + coalesce(p.amount_minor - b.amount_minor, 0)
                OR coalesce(a.minor, 0) > coalesce(c.minor, 0))""",
    )


@check
def what_people_confirmed_is_unproven(asked: Asked) -> Found:
    """On the unproven bank account stand the payouts that two people said to have arrived and no bank line shows, and nothing else."""
    return query(
        examined="ledger_account WHERE kind = 'bank'",
        violations="""
            WITH said AS (
                SELECT p.live, p.currency, sum(p.amount_minor) AS minor FROM payout p
                WHERE p.state = 'PAID' AND p.confirmed_by_id IS NOT NULL
                    AND NOT EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.payout_id = p.id)
                GROUP BY 1, 2
            ), booked AS (
                SELECT a.live, a.currency, -sum(o.amount_minor) AS minor FROM ledger_account a JOIN posting o ON o.account_id = a.code
                WHERE left(a.code, 14) = 'bank:unproven:' GROUP BY 1, 2
            )
            SELECT concat(CASE WHEN live THEN 'live' ELSE 'test' END, ' payouts in ', currency, ' that people confirmed come to ',
                          coalesce(said.minor, 0), ', the unproven account has ', coalesce(booked.minor, 0))
            FROM said FULL JOIN booked USING (live, currency) WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0)""",
    )


@check
def payout_files_add_up(asked: Asked) -> Found:
    """A file that the bank may have has the payouts and the sum that it says."""
    return query(
        examined="payout_file",
        violations="""
            SELECT concat('payment file ', f.message_id, ' says ', f.payout_count, ' payouts of ', f.total_minor, ', it has ', p.count, ' of ',
                          p.minor)
            FROM payout_file f CROSS JOIN LATERAL (
                SELECT count(*) AS count, coalesce(sum(amount_minor), 0) AS minor FROM payout
                WHERE file_id = f.id AND (live, currency) = (f.live, f.currency)
            ) p
            WHERE f.state <> 'REFUSED' AND (f.payout_count, f.total_minor) <> (p.count, p.minor)""",
    )


@check
def payout_files_are_from_agreed_accounts(asked: Asked) -> Found:
    """Every payment file is from an account that two people agreed to make such payouts from."""
    return query(
        examined="payout_file",
        violations="""
            SELECT concat('payment file ', f.message_id, ' is from ', f.source, ' ', f.account_key, ', which nobody agreed on for ', f.currency)
            FROM payout_file f WHERE NOT EXISTS (
                SELECT FROM proposal WHERE kind = 'payout_bank.set' AND state = 'EXECUTED' AND parameters -> 'row' @> jsonb_build_object(
                    'live', f.live, 'currency', f.currency, 'source', f.source, 'account_key', f.account_key))""",
    )


@check
def every_payout_version_has_its_fact(asked: Asked) -> Found:
    """The facts and the audit records of a payout are numbered 1 to its version."""
    return query(
        examined="payout",
        violations="""
            SELECT concat('payout ', p.id, ' is at version ', p.version, ' and has ', f.count, ' facts, ', r.count, ' audit records')
            FROM payout p
            CROSS JOIN LATERAL (SELECT count(*), max(sequence) FROM fact WHERE subject_id = p.id) f
            CROSS JOIN LATERAL (
                SELECT count(*), max(version) FROM audit_record WHERE subject_id = p.id AND version IS NOT NULL
            ) r
            WHERE (f.count, f.max, r.count, r.max) IS DISTINCT FROM (p.version, p.version, p.version, p.version)""",
    )


@check
def stages_add_up_to_the_ledger(asked: Asked) -> Found:
    """What merchants are owed and were paid, stage by stage, is what the ledger says, in each currency, live and test apart."""
    totals = stage_totals()
    wrong = [
        f"{'live' if each.live else 'test'} {each.currency}, {each.stage.lower()}: {each.minor}, by the ledger {each.ledger_minor}"
        for each in totals
        if not each.agrees
    ]
    return Found(len(totals), wrong[:10])


@check
def payout_breaks_are_of_what_was_sent(asked: Asked) -> Found:
    """A break about a payout has its mode, currency and amount, and an open one is of a payout that no bank line shows."""
    return query(
        examined="reconciliation_break WHERE payout_id IS NOT NULL",
        violations="""
            SELECT concat('break ', b.id, ' of ', b.our_minor, ' ', b.our_currency, CASE WHEN b.resolved_at IS NULL THEN ', open,' END,
                          ' is about payout ', p.id, ' of ', p.amount_minor, ' ', p.currency, ', which is ', p.state)
            FROM reconciliation_break b JOIN payout p ON p.id = b.payout_id
            WHERE (b.live, b.our_currency, b.our_minor) IS DISTINCT FROM (p.live, p.currency, -p.amount_minor)
                OR p.sent_at IS NULL
                OR b.resolved_at IS NULL AND EXISTS (SELECT FROM reconciliation_bank_match m WHERE m.payout_id = p.id)""",
    )
