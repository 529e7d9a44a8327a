"""Settlements, reserves and payouts are what the ledger says, to the minor unit: nothing forgotten, nothing twice (common/books.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from reconciliation.models.settlement import IN_TRANSIT
from reconciliation.settlement.claims import OWN_FACT

_OWED = """
    SELECT a.code, a.merchant_id, a.live, a.currency, -sum(p.amount_minor) AS minor
    FROM ledger_account a JOIN posting p ON p.account_id = a.code WHERE a.kind = '{kind}' GROUP BY a.code
"""
_NAME = "concat('merchant ', merchant_id, CASE WHEN live THEN ' live' ELSE ' test' END, ' ', currency)"


@check
def settlement_lines_add_up(asked: Asked) -> Found:
    """A settlement's amounts are the sums of its lines, and its net is the sum of its parts."""
    return query(
        examined="settlement",
        violations="""
            SELECT concat('settlement ', s.id, ' of net ', s.net_minor, ' has ', s.line_count, ' lines, found are ',
                          coalesce(l.lines, 0), ' of net ', coalesce(l.net, 0))
            FROM settlement s LEFT JOIN (
                SELECT settlement_id, count(*) AS lines, sum(gross_minor) AS gross, sum(refund_minor) AS refund,
                       sum(dispute_minor) AS dispute, sum(fee_minor) AS fee, sum(adjustment_minor) AS adjustment,
                       sum(gross_minor - refund_minor - dispute_minor - fee_minor + adjustment_minor) AS net
                FROM settlement_line GROUP BY settlement_id
            ) l ON l.settlement_id = s.id
            WHERE (s.line_count, s.gross_minor, s.refund_minor, s.dispute_minor, s.fee_minor, s.adjustment_minor)
                    <> (coalesce(l.lines, 0), coalesce(l.gross, 0), coalesce(l.refund, 0), coalesce(l.dispute, 0),
                        coalesce(l.fee, 0), coalesce(l.adjustment, 0))
                OR s.net_minor <> coalesce(l.net, 0) - s.reserve_held_minor + s.reserve_released_minor + s.carried_over_minor""",
    )


@check
def settlement_lines_are_what_was_booked(asked: Asked) -> Found:
    """A line's net is what its entry credits to the merchant of its settlement, in that mode and currency."""
    return query(
        examined="settlement_line",
        violations="""
            SELECT concat('line ', l.entry_id, ' of settlement ', l.settlement_id, ' says ',
                          l.gross_minor - l.refund_minor - l.dispute_minor - l.fee_minor + l.adjustment_minor,
                          ', booked is ', coalesce(b.minor::text, 'nothing'))
            FROM settlement_line l JOIN settlement s ON s.id = l.settlement_id
            JOIN ledger_account a ON (a.kind, a.merchant_id, a.live, a.currency)
                = ('merchant_payable', s.merchant_id, s.live, s.currency)
            LEFT JOIN (
                SELECT entry_id, account_id, -sum(amount_minor) AS minor FROM posting GROUP BY entry_id, account_id
            ) b ON b.entry_id = l.entry_id AND b.account_id = a.code
            WHERE b.minor IS DISTINCT FROM
                l.gross_minor - l.refund_minor - l.dispute_minor - l.fee_minor + l.adjustment_minor""",
    )


@check
def settlement_fees_are_what_was_charged(asked: Asked) -> Found:
    """The parts of a settlement's fees are those of the fees that its lines were charged."""
    return query(
        examined="settlement WHERE fee_minor <> 0",
        violations="""
            SELECT concat('settlement ', s.id, ' has fees of ', s.fee_percentage_minor, ' + ', s.fee_fixed_minor, ' + ', s.fee_limit_minor,
                          ', its lines ', coalesce(c.percentage, 0), ' + ', coalesce(c.fixed, 0), ' + ', coalesce(c.limited, 0))
            FROM settlement s LEFT JOIN (
                SELECT l.settlement_id, sum(c.percentage_minor) AS percentage, sum(c.fixed_minor) AS fixed,
                       sum(c.limit_minor) AS limited
                FROM settlement_line l JOIN fee_charge c ON c.entry_id = l.entry_id GROUP BY l.settlement_id
            ) c ON c.settlement_id = s.id
            WHERE (s.fee_percentage_minor, s.fee_fixed_minor, s.fee_limit_minor)
                <> (coalesce(c.percentage, 0), coalesce(c.fixed, 0), coalesce(c.limited, 0))""",
    )


@check
def what_is_owed_is_not_settled_yet(asked: Asked) -> Found:
    """What the ledger owes a merchant is what no settlement has claimed, and what the last one carried over."""
    return query(
        examined="ledger_account WHERE kind = 'merchant_payable'",
        violations=f"""
            WITH owed AS ({_OWED.format(kind="merchant_payable")}), open AS (
                SELECT p.account_id AS code, -sum(p.amount_minor) AS minor
                FROM posting p JOIN journal_entry e ON e.id = p.entry_id JOIN ledger_account a ON a.code = p.account_id
                WHERE a.kind = 'merchant_payable' AND e.fact_name <> %(own)s
                    AND NOT EXISTS (SELECT FROM settlement_line l WHERE l.entry_id = p.entry_id)
                GROUP BY p.account_id
            ), carried AS (
                SELECT s.merchant_id, s.live, s.currency, sum(s.net_minor) AS minor FROM settlement s
                WHERE s.state = 'CARRIED' AND NOT EXISTS (SELECT FROM settlement n WHERE n.carried_from_id = s.id)
                GROUP BY s.merchant_id, s.live, s.currency
            )
            SELECT concat({_NAME}, ' is owed ', owed.minor, ', not settled are ', coalesce(open.minor, 0), ', carried over ',
                          coalesce(carried.minor, 0))
            FROM owed LEFT JOIN open USING (code) LEFT JOIN carried USING (merchant_id, live, currency)
            WHERE owed.minor <> coalesce(open.minor, 0) + coalesce(carried.minor, 0)""",  # noqa: S608 -- constants
        own=OWN_FACT,
    )


@check
def settlements_leave_nothing_behind(asked: Asked) -> Found:
    """Up to where a merchant's last settlement says that all is claimed, everything is."""
    return query(
        examined="settlement",
        violations="""
            SELECT concat('settlement ', last.id, ' says that all is claimed up to posting ', last.claimed_up_to, ', not claimed is ', p.id)
            FROM (
                SELECT DISTINCT ON (merchant_id, live, currency) * FROM settlement ORDER BY merchant_id, live, currency, period_to DESC
            ) last
            JOIN ledger_account a ON (a.kind, a.merchant_id, a.live, a.currency)
                = ('merchant_payable', last.merchant_id, last.live, last.currency)
            JOIN posting p ON p.account_id = a.code AND p.id <= last.claimed_up_to
            JOIN journal_entry e ON e.id = p.entry_id
            WHERE e.fact_name <> %(own)s AND NOT EXISTS (SELECT FROM settlement_line l WHERE l.entry_id = p.entry_id)""",
        own=OWN_FACT,
    )


@check
def settlements_follow_one_another(asked: Asked) -> Found:
    """What a settlement carries over is the net of the one before, if that was not paid out, and nothing else."""
    return query(
        examined="settlement",
        violations="""
            WITH chain AS (
                SELECT s.*, lag(s.id) OVER w AS before_id, lag(s.net_minor) OVER w AS before_minor, lag(s.state) OVER w AS before_state,
                       lag(s.period_to) OVER w AS before_to
                FROM settlement s WINDOW w AS (PARTITION BY merchant_id, live, currency ORDER BY period_to)
            )
            SELECT concat('settlement ', id, ' carries over ', carried_over_minor, ' of ', coalesce(carried_from_id, 'none'),
                          ', the one before, ', coalesce(before_id, 'none'), ', is ', coalesce(before_state, 'none'), ' with ',
                          coalesce(before_minor, 0))
            FROM chain
            WHERE carried_over_minor <> CASE WHEN before_state = 'CARRIED' THEN before_minor ELSE 0 END
                OR carried_over_minor <> 0 AND carried_from_id IS DISTINCT FROM before_id
                OR before_to IS NOT NULL AND period_from <> before_to""",
    )


@check
def reserves_are_what_is_held_back(asked: Asked) -> Found:
    """What the ledger holds back from a merchant is what settlements held and none has released."""
    return query(
        examined="settlement WHERE reserve_held_minor > 0",
        violations=f"""
            WITH booked AS ({_OWED.format(kind="merchant_reserve")}), held AS (
                SELECT s.merchant_id, s.live, s.currency, sum(s.reserve_held_minor - coalesce(r.amount_minor, 0)) AS minor
                FROM settlement s LEFT JOIN settlement_reserve_release r ON r.held_by_id = s.id
                GROUP BY s.merchant_id, s.live, s.currency
            )
            SELECT concat({_NAME}, ' has ', coalesce(booked.minor, 0), ' held back by the ledger, ', coalesce(held.minor, 0),
                          ' by its settlements')
            FROM booked FULL JOIN held USING (merchant_id, live, currency)
            WHERE coalesce(booked.minor, 0) <> coalesce(held.minor, 0)""",  # noqa: S608 -- constants
    )


@check
def reserves_are_released_whole(asked: Asked) -> Found:
    """A release gives back all that its settlement held back, and a settlement releases the sum of its releases."""
    return query(
        examined="settlement_reserve_release",
        violations="""
            SELECT concat('settlement ', h.id, ' held back ', h.reserve_held_minor, ', released were ', r.amount_minor)
            FROM settlement_reserve_release r JOIN settlement h ON h.id = r.held_by_id
            WHERE h.reserve_held_minor <> r.amount_minor
            UNION ALL
            SELECT concat('settlement ', s.id, ' releases ', s.reserve_released_minor, ', its releases are ', coalesce(sum(r.amount_minor), 0))
            FROM settlement s LEFT JOIN settlement_reserve_release r ON r.released_by_id = s.id
            GROUP BY s.id HAVING s.reserve_released_minor <> coalesce(sum(r.amount_minor), 0)""",
    )


@check
def payouts_in_transit_are_what_was_settled(asked: Asked) -> Found:
    """What is on its way to a merchant is the net of the settlements whose payout has not arrived."""
    return query(
        examined="settlement WHERE state = ANY(%(in_transit)s)",
        violations=f"""
            WITH booked AS ({_OWED.format(kind="payout_in_transit")}), due AS (
                SELECT merchant_id, live, currency, sum(net_minor) AS minor FROM settlement WHERE state = ANY(%(in_transit)s)
                GROUP BY merchant_id, live, currency
            )
            SELECT concat({_NAME}, ' has ', coalesce(booked.minor, 0), ' on its way by the ledger, ', coalesce(due.minor, 0),
                          ' by its settlements')
            FROM booked FULL JOIN due USING (merchant_id, live, currency)
            WHERE coalesce(booked.minor, 0) <> coalesce(due.minor, 0)""",  # noqa: S608 -- constants
        in_transit=[state.value for state in IN_TRANSIT],
    )


@check
def every_settlement_version_has_its_fact(asked: Asked) -> Found:
    """The facts and the audit records of a settlement are numbered 1 to its version."""
    return query(
        examined="settlement",
        violations="""
            SELECT concat('settlement ', s.id, ' is at version ', s.version, ' and has ', f.count, ' facts, ', r.count, ' audit records')
            FROM settlement s
            CROSS JOIN LATERAL (SELECT count(*), max(sequence) FROM fact WHERE subject_id = s.id) f
            CROSS JOIN LATERAL (
                SELECT count(*), max(version) FROM audit_record WHERE subject_id = s.id AND version IS NOT NULL
            ) r
            WHERE (f.count, f.max, r.count, r.max) IS DISTINCT FROM (s.version, s.version, s.version, s.version)""",
    )
