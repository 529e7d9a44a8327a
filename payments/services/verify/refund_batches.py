"""A batch of refunds was approved by two people, and refunded what it says and no more."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def refund_batches_were_approved(asked: Asked) -> Found:
    """Every batch whose refunds were asked for has a proposal that one person made for it and another approved."""
    return query(
        examined="refund_batch WHERE state IN ('APPROVED', 'DONE')",
        violations="""
            SELECT concat('refund batch ', b.id, ' is ', b.state, ' by proposal ', coalesce(p.id, 'none'), ', which is ',
                          coalesce(p.state, 'not there'), ' for ', p.subject_id)
            FROM refund_batch b LEFT JOIN proposal p ON p.id = b.proposal_id
            WHERE (b.state IN ('APPROVED', 'DONE') OR EXISTS (
                       SELECT FROM refund_batch_item i WHERE i.batch_id = b.id AND i.refund_id IS NOT NULL))
                AND (p.state, p.kind, p.subject_id) IS DISTINCT FROM ('EXECUTED', 'refund_batch.approve', b.id)""",
    )


@check
def refund_batch_items_have_their_refund(asked: Asked) -> Found:
    """An item's refund is of its transaction and amount, and no batch is done while one of its items waits."""
    return query(
        examined="refund_batch_item",
        violations="""
            SELECT concat('item ', i.number, ' of refund batch ', b.id, ' (', b.state, ') is ', i.state, ' for ', i.amount_minor, ' of ',
                          i.transaction_id, ', its refund ', coalesce(r.amount_minor || ' of ' || r.transaction_id, 'not there'))
            FROM refund_batch_item i JOIN refund_batch b ON b.id = i.batch_id LEFT JOIN refund r ON r.id = i.refund_id
            WHERE i.state = 'REQUESTED' AND (r.transaction_id, r.amount_minor, r.currency)
                      IS DISTINCT FROM (i.transaction_id, i.amount_minor, i.currency)
                OR i.state <> 'REQUESTED' AND r.id IS NOT NULL
                OR b.state = 'DONE' AND i.state = 'WAITING'""",
    )
