"""The statements that claim bookkeeping for a settlement: set-wise, so that a million payments are one INSERT .. SELECT.

What an entry is for follows from its fact: `payment.*` credits the gross and debits the fee, `refund.*` and `dispute.*` debit (a dispute that
was won credits, so it counts negative), everything else is an adjustment. Our own entries, which move what is settled, are not claimed.

A settlement remembers up to which posting everything of the account is claimed, so the next one does not read the merchant's history again. That goes
no further than the first posting that is left open, nor than the last that had its number when nobody was still writing a lower one: a transaction
that is open then may commit any time later, and what it booked has to be found.
"""

from __future__ import annotations

OWN_FACT = "settlement.created"

# What of a merchant's account no line has claimed. `due`: false for payments whose captures the provider's statement has not proven yet, where
# the terms ask for that (`%(proven)s`). What people took as paid, of another amount or after the end, has to be proven like the rest.
_OPEN = """
    SELECT e.id, e.booked_at, e.fact_name, min(p.id) AS first,
           -sum(p.amount_minor) AS net, coalesce(-sum(p.amount_minor) FILTER (WHERE p.amount_minor < 0), 0) AS credited,
           coalesce(sum(p.amount_minor) FILTER (WHERE p.amount_minor > 0), 0) AS debited,
           NOT %(proven)s OR e.fact_name NOT LIKE 'payment.%%' OR NOT EXISTS (
               SELECT FROM payment y JOIN operation o ON o.payment_id = y.id
               WHERE y.transaction_id = e.transaction_id AND o.kind IN ('SALE', 'CAPTURE')
                   AND (o.state = 'SUCCEEDED' OR EXISTS (SELECT FROM review_item r WHERE r.operation_id = o.id AND r.accepted_minor > 0))
                   AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = o.id)) AS due
    FROM posting p JOIN journal_entry e ON e.id = p.entry_id
    WHERE p.account_id = %(payable)s AND p.id > %(floor)s AND e.fact_name <> %(own)s
        AND NOT EXISTS (SELECT FROM settlement_line l WHERE l.entry_id = p.entry_id)
    GROUP BY e.id
"""

EARLIEST_OPEN = f"SELECT min(booked_at) FROM ({_OPEN}) open WHERE due"  # noqa: S608 -- constants of this module

# The last number that a posting has, then who may be writing one: asked in this order.
LAST_POSTING = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM posting_id_seq"
WRITING = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND relation = 'posting'::regclass AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid()
"""

# Claims all that was booked before `%(until)s`, and says what it adds up to and which posting is the first that it leaves.
CLAIM = f"""
WITH open AS ({_OPEN}), claimed AS (
    INSERT INTO settlement_line (
        entry_id, settlement_id, booked_at, gross_minor, refund_minor, dispute_minor, fee_minor, adjustment_minor)
    SELECT id, %(settlement)s, booked_at,
           CASE WHEN fact_name LIKE 'payment.%%' THEN credited ELSE 0 END,
           CASE WHEN fact_name LIKE 'refund.%%' THEN -net ELSE 0 END,
           CASE WHEN fact_name LIKE 'dispute.%%' THEN -net ELSE 0 END,
           CASE WHEN fact_name LIKE 'payment.%%' THEN debited ELSE 0 END,
           CASE WHEN fact_name LIKE ANY (ARRAY['payment.%%', 'refund.%%', 'dispute.%%']) THEN 0 ELSE net END
    FROM open WHERE due AND booked_at < %(until)s
    RETURNING *
)
SELECT (SELECT min(first) FROM open WHERE NOT due OR booked_at >= %(until)s),
       count(*), min(l.booked_at), coalesce(sum(gross_minor), 0)::bigint, coalesce(sum(refund_minor), 0)::bigint,
       coalesce(sum(dispute_minor), 0)::bigint, coalesce(sum(fee_minor), 0)::bigint, coalesce(sum(adjustment_minor), 0)::bigint,
       coalesce(sum(c.percentage_minor), 0)::bigint, coalesce(sum(c.fixed_minor), 0)::bigint, coalesce(sum(c.limit_minor), 0)::bigint
FROM claimed l LEFT JOIN fee_charge c ON c.entry_id = l.entry_id
"""  # noqa: S608 -- as above
