"""Every fee is explained: its parts are what was booked, and what its plan says of the amount."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from payments.ledger.fees import FEE_IN_SQL


@check
def fees_are_their_parts(asked: Asked) -> Found:
    """The parts of a fee add up to what its entry books as our income, of the amount that it books as captured."""
    return query(
        examined="fee_charge",
        violations="""
            SELECT concat('the fee of entry ', c.entry_id, ' has parts of ', c.percentage_minor + c.fixed_minor + c.limit_minor, ' of ',
                          c.amount_minor, ', booked are ', coalesce(b.fee, 0), ' of ', coalesce(b.captured, 0))
            FROM fee_charge c LEFT JOIN (
                SELECT p.entry_id, -sum(p.amount_minor) FILTER (WHERE a.kind = 'fee_income') AS fee,
                       -sum(p.amount_minor) FILTER (WHERE a.kind = 'merchant_payable' AND p.amount_minor < 0) AS captured
                FROM posting p JOIN ledger_account a ON a.code = p.account_id GROUP BY p.entry_id
            ) b ON b.entry_id = c.entry_id
            WHERE (c.percentage_minor + c.fixed_minor + c.limit_minor, c.amount_minor) IS DISTINCT FROM (b.fee, b.captured)""",
    )


@check
def fees_follow_their_plan(asked: Asked) -> Found:
    """A fee that was charged by a plan is what the plan says, charged again here; the plan is the merchant's and was valid."""
    return query(
        examined="fee_charge WHERE plan_id IS NOT NULL",
        violations=f"""
            SELECT concat('the fee of entry ', c.entry_id, ' by plan ', f.id, ' has parts ', c.percentage_minor, ' + ', c.fixed_minor, ' + ',
                          c.limit_minor, ', the plan says ', again.percentage_minor, ' + ', again.fixed_minor, ' + ', again.limit_minor)
            FROM fee_charge c JOIN fee_plan f ON f.id = c.plan_id JOIN journal_entry e ON e.id = c.entry_id
            JOIN transaction t ON t.id = e.transaction_id CROSS JOIN LATERAL ({FEE_IN_SQL}) again
            WHERE (c.percentage_minor, c.fixed_minor, c.limit_minor)
                    <> (again.percentage_minor, again.fixed_minor, again.limit_minor)
                OR (f.merchant_id, f.live, f.currency) <> (t.merchant_id, t.live, t.currency)
                OR f.valid_from > e.booked_at""",  # noqa: S608 -- constants
    )
