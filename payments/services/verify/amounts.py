"""The amounts of a transaction are nested, and each is the sum of what stands behind it."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def amounts_are_nested(asked: Asked) -> Found:
    """Refunded, reserved for refunds and charged back <= captured <= authorised <= asked for; none is negative."""
    return query(
        examined="transaction",
        violations="""
            SELECT concat('transaction ', id, ': refunded ', amount_refunded_minor, ' reserved ', amount_refund_pending_minor, ' and charged back ', amount_disputed_minor,
                          ' of captured ', amount_captured_minor, ' of authorised ', amount_authorized_minor, ' of ', amount_minor)
            FROM transaction
            WHERE NOT (amount_refunded_minor >= 0 AND amount_refund_pending_minor >= 0 AND amount_disputed_minor >= 0
                AND amount_refunded_minor + amount_refund_pending_minor + amount_disputed_minor <= amount_captured_minor
                AND amount_captured_minor <= amount_authorized_minor AND amount_authorized_minor <= amount_minor)""",
    )


@check
def captured_is_what_operations_took(asked: Asked) -> Found:
    """Captured is the sum of the sales and captures that succeeded, and of what people accepted of the others; what came too late
    or otherwise than asked counts only as far as it was accepted."""
    return query(
        examined="operation WHERE kind IN ('SALE', 'CAPTURE') AND state = 'SUCCEEDED'",
        violations="""
            WITH took AS (
                SELECT p.transaction_id, sum(coalesce(i.minor, CASE o.state WHEN 'SUCCEEDED' THEN o.amount_minor ELSE 0 END)) AS minor
                FROM operation o JOIN payment p ON p.id = o.payment_id LEFT JOIN (
                    SELECT operation_id, sum(accepted_minor) AS minor FROM review_item
                    WHERE kind IN ('LATE_SUCCESS', 'CONFLICT') GROUP BY operation_id
                ) i ON i.operation_id = o.id
                WHERE o.kind IN ('SALE', 'CAPTURE') AND (o.state = 'SUCCEEDED' OR i.minor > 0)
                GROUP BY p.transaction_id
            )
            SELECT concat('transaction ', t.id, ': captured ', t.amount_captured_minor, ', its operations took ',
                          coalesce(took.minor, 0))
            FROM transaction t LEFT JOIN took ON took.transaction_id = t.id
            WHERE t.from_account_id IS NULL AND t.amount_captured_minor <> coalesce(took.minor, 0)""",
    )


@check
def refunded_is_what_refunds_gave_back(asked: Asked) -> Found:
    """Refunded is the sum of the refunds that succeeded; of one that was accepted as it moved, what moved."""
    return _sum_of_refunds("refunded", "amount_refunded_minor", ["SUCCEEDED"])


@check
def reserved_is_what_open_refunds_ask_for(asked: Asked) -> Found:
    """Reserved for refunds is the sum of the refunds that are pending, or conflicted and not decided."""
    return _sum_of_refunds("reserved", "amount_refund_pending_minor", ["PENDING", "CONFLICTED"])


def _sum_of_refunds(word: str, column: str, states: list[str]) -> Found:
    return query(
        examined="refund WHERE state = ANY(%(states)s)",
        violations=f"""
            WITH refunds AS (
                SELECT r.transaction_id, sum(coalesce(i.accepted_minor, r.amount_minor)) AS minor
                FROM refund r LEFT JOIN operation o ON o.refund_id = r.id
                LEFT JOIN review_item i ON i.operation_id = o.id AND i.accepted_minor > 0
                WHERE r.state = ANY(%(states)s) GROUP BY r.transaction_id
            )
            SELECT concat('transaction ', t.id, ': {word} ', t.{column}, ', its refunds ', coalesce(refunds.minor, 0))
            FROM transaction t LEFT JOIN refunds ON refunds.transaction_id = t.id
            WHERE t.{column} <> coalesce(refunds.minor, 0)""",  # noqa: S608 -- constants of this module
        states=states,
    )
