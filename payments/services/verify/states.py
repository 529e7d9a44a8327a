"""The states of transactions, payments, refunds and operations tell one story, and nothing open can be forgotten."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from payments.states import OVER, TERMINAL_OPERATION

_ENDED = sorted(TERMINAL_OPERATION)


@check
def status_agrees_with_the_payment(asked: Asked) -> Found:
    """A transaction's status is that of its payment that was captured, else of its last one, and of what was refunded of it. Transfers
    have checks of their own; on our page the payer may choose again, or leave, while none of the payments is open."""
    return query(
        examined="transaction",
        violations="""
            SELECT concat('transaction ', t.id, ' is ', t.status, ', its payment ', coalesce(p.state, 'not there'), ', captured ',
                          t.amount_captured_minor, ', refunded ', t.amount_refunded_minor)
            FROM transaction t LEFT JOIN LATERAL (
                SELECT state FROM payment WHERE transaction_id = t.id
                ORDER BY state = 'CAPTURED' DESC, attempt DESC LIMIT 1
            ) p ON true
            WHERE t.from_account_id IS NULL
                AND NOT (t.hosted AND coalesce(p.state, 'DECLINED') = 'DECLINED' AND t.status IN ('PENDING', 'EXPIRED', 'CANCELLED'))
                AND t.status IS DISTINCT FROM CASE p.state
                WHEN 'CREATED' THEN 'PENDING' WHEN 'PROCESSING' THEN 'PROCESSING' WHEN 'CONFLICTED' THEN 'PROCESSING'
                WHEN 'AUTHORIZED' THEN 'AUTHORIZED' WHEN 'DECLINED' THEN 'FAILED' WHEN 'EXPIRED' THEN 'EXPIRED'
                WHEN 'CANCELLED' THEN 'CANCELLED'
                WHEN 'CAPTURED' THEN CASE t.amount_refunded_minor
                    WHEN 0 THEN 'COMPLETED' WHEN t.amount_captured_minor THEN 'REFUNDED' ELSE 'PARTIALLY_REFUNDED' END
                END""",
    )


@check
def payments_agree_with_their_operations(asked: Asked) -> Found:
    """A payment's state follows from how its operations ended, or from what people decided."""
    return query(
        examined="payment",
        violations="""
            SELECT concat('payment ', p.id, ' is ', p.state, ', its operations: ', coalesce(o.story, 'none'))
            FROM payment p LEFT JOIN LATERAL (
                SELECT string_agg(kind || ' ' || state, ', ' ORDER BY created_at, id) AS story,
                       bool_or(kind IN ('SALE', 'CAPTURE') AND state = 'SUCCEEDED') AS took,
                       bool_or(kind IN ('SALE', 'CAPTURE') AND state = 'SUCCEEDED' AND final) AS took_last,
                       bool_or(kind = 'AUTHORIZE' AND state = 'SUCCEEDED') AS held,
                       bool_or(kind = 'VOID' AND state = 'SUCCEEDED') AS released,
                       bool_or(kind <> 'REFUND' AND state = 'CONFLICTED') AS conflicted,
                       bool_or(kind IN ('SALE', 'AUTHORIZE') AND state = 'DECLINED') AS declined,
                       bool_or(kind IN ('SALE', 'AUTHORIZE') AND state = 'EXPIRED') AS expired,
                       bool_or(kind IN ('SALE', 'AUTHORIZE') AND NOT state = ANY(%(ended)s)) AS waiting
                FROM operation WHERE payment_id = p.id
            ) o ON true LEFT JOIN LATERAL (
                SELECT bool_or(accepted_minor > 0 OR decision = 'ACCEPT') AS accepted, bool_or(decision <> 'ACCEPT') AS refused
                FROM review_item WHERE payment_id = p.id AND kind IN ('CONFLICT', 'LATE_SUCCESS') AND decision <> ''
            ) d ON true
            WHERE NOT coalesce(CASE p.state
                WHEN 'CREATED' THEN o.waiting WHEN 'PROCESSING' THEN o.waiting WHEN 'AUTHORIZED' THEN (o.held OR d.accepted) AND NOT o.took_last AND NOT o.released
                WHEN 'CAPTURED' THEN o.took_last OR o.took AND (o.released OR d.refused) OR d.accepted
                WHEN 'CANCELLED' THEN (o.released OR o.expired) AND NOT o.took WHEN 'CONFLICTED' THEN o.conflicted
                WHEN 'DECLINED' THEN o.declined OR d.refused WHEN 'EXPIRED' THEN o.expired END, false)""",
        ended=_ENDED,
    )


@check
def only_hosted_transactions_are_tried_again(asked: Asked) -> Found:
    """A transaction has one payment unless its payer chooses on our page; then they are numbered from 1, and one at most can charge."""
    return query(
        examined="payment WHERE attempt > 1",
        violations="""
            SELECT concat('transaction ', t.id, ' has ', p.count, ' payments, the last numbered ', p.last, ', and ', p.open, ' that can charge')
            FROM transaction t JOIN (
                SELECT transaction_id, count(*) AS count, max(attempt) AS last,
                       count(*) FILTER (WHERE NOT state = ANY(%(over)s)) AS open
                FROM payment GROUP BY transaction_id HAVING max(attempt) > 1
            ) p ON p.transaction_id = t.id
            WHERE NOT t.hosted OR p.count <> p.last OR p.open > 1""",
        over=sorted(OVER),
    )


@check
def hosted_transactions_end(asked: Asked) -> Found:
    """A page whose time is over and that waits for no payment is ended by the sweep."""
    return query(
        examined="transaction WHERE hosted",
        violations="""
            SELECT concat('transaction ', t.id, ' had time until ', t.expires_at, ' and still is PENDING')
            FROM transaction t
            WHERE t.hosted AND t.status = 'PENDING' AND t.expires_at < %(before)s
                AND NOT EXISTS (SELECT FROM payment p WHERE p.transaction_id = t.id AND NOT p.state = ANY(%(over)s))""",
        before=asked.now - asked.unpublished_for,
        over=sorted(OVER),
    )


@check
def refunds_agree_with_their_operations(asked: Asked) -> Found:
    """A refund of a payment has one operation of the same amount, and ended as that did, or as people decided of it; one of a transfer
    has neither."""
    return query(
        examined="refund",
        violations="""
            SELECT concat('refund ', r.id, ' of ', r.amount_minor, ' is ', r.state, ', its operation ',
                          coalesce(o.state || ' of ' || o.amount_minor, 'not there'))
            FROM refund r JOIN transaction t ON t.id = r.transaction_id LEFT JOIN operation o ON o.refund_id = r.id
            LEFT JOIN LATERAL (
                SELECT max(CASE decision WHEN 'ACCEPT' THEN 'SUCCEEDED' ELSE 'FAILED' END) AS state
                FROM review_item WHERE operation_id = o.id AND kind IN ('CONFLICT', 'LATE_SUCCESS') AND state = 'CLOSED'
            ) d ON true
            WHERE (t.from_account_id IS NULL) <> (r.payment_id IS NOT NULL)
                OR r.payment_id IS NULL AND (o.id IS NOT NULL OR r.state <> 'SUCCEEDED')
                OR r.payment_id IS NOT NULL AND (o.id IS NULL OR (o.kind, o.amount_minor, o.currency) <> ('REFUND', r.amount_minor, r.currency)
                OR r.state <> coalesce(d.state, CASE o.state WHEN 'SUCCEEDED' THEN 'SUCCEEDED' WHEN 'CONFLICTED' THEN 'CONFLICTED'
                                           WHEN 'DECLINED' THEN 'FAILED' WHEN 'EXPIRED' THEN 'FAILED' ELSE 'PENDING' END))""",
    )


@check
def open_operations_are_due(asked: Asked) -> Found:
    """Every operation whose outcome is open has a time at which somebody looks at it next."""
    return query(
        examined="operation WHERE NOT state = ANY(%(ended)s)",
        violations="""
            SELECT concat('operation ', id, ' is ', state, ' and nobody will look at it')
            FROM operation WHERE NOT state = ANY(%(ended)s) AND due_at IS NULL""",
        ended=_ENDED,
    )


@check
def ended_operations_are_not_due(asked: Asked) -> Found:
    """No operation that has ended is looked at again, and each has the time of its end."""
    return query(
        examined="operation WHERE state = ANY(%(ended)s)",
        violations="""
            SELECT concat('operation ', id, ' is ', state, ', due at ', coalesce(due_at::text, 'no time'), ', ended at ',
                          coalesce(ended_at::text, 'no time'))
            FROM operation WHERE state = ANY(%(ended)s) AND (due_at IS NOT NULL OR ended_at IS NULL)""",
        ended=_ENDED,
    )


@check
def questions_are_closed_by_two(asked: Asked) -> Found:
    """Every closed question has an approved proposal about it, by another person than the one who asked, or has been answered."""
    return query(
        examined="review_item WHERE state = 'CLOSED'",
        violations="""
            SELECT concat('review item ', i.id, ' was closed as ', i.decision, ', proposal ', coalesce(p.kind || ' ' || p.state, 'none'))
            FROM review_item i LEFT JOIN proposal p ON p.id = i.proposal_id LEFT JOIN operation o ON o.id = i.operation_id
            WHERE i.state = 'CLOSED' AND CASE i.decision
                WHEN 'ANSWERED' THEN i.proposal_id IS NOT NULL OR NOT coalesce(o.state, 'SUCCEEDED') = ANY(%(ended)s)
                ELSE (p.state, p.subject_id, p.kind) IS DISTINCT FROM ('EXECUTED', i.id, 'review.' || lower(i.decision))
                    OR p.decided_by_id = p.proposed_by_id END""",
        ended=_ENDED,
    )


@check
def payments_stay_within_their_merchant(asked: Asked) -> Found:
    """A payment goes through an account of its transaction's merchant and mode; its refunds and their operations are its own."""
    return query(
        examined="payment",
        violations="""
            SELECT concat('payment ', p.id, ' of ', t.id, ' goes through ', a.id, ', another merchant''s or mode''s')
            FROM payment p JOIN transaction t ON t.id = p.transaction_id JOIN provider_account a ON a.id = p.provider_account_id
            WHERE (t.merchant_id, t.live, t.currency) <> (a.merchant_id, a.live, p.currency)
            UNION ALL
            SELECT concat('refund ', r.id, ' of ', r.transaction_id, ' is of payment ', p.id, ' of ', p.transaction_id)
            FROM refund r JOIN payment p ON p.id = r.payment_id WHERE p.transaction_id <> r.transaction_id
            UNION ALL
            SELECT concat('operation ', o.id, ' of payment ', o.payment_id, ' carries out refund ', r.id, ' of ', r.payment_id)
            FROM operation o JOIN refund r ON r.id = o.refund_id WHERE r.payment_id IS DISTINCT FROM o.payment_id""",
    )
