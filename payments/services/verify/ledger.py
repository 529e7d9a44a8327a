"""The ledger balances, books what the facts say and nothing else, and its balances are what the transactions add up to."""

from __future__ import annotations

from common.books import Asked, Found, check, query


@check
def journal_entries_balance(asked: Asked) -> Found:
    """Every journal entry has two legs at least and sums to zero in each currency."""
    return query(
        examined="journal_entry",
        violations="""
            SELECT concat('journal entry ', id, ' has ', legs, ' legs and sums to ', coalesce(sums, '0'))
            FROM (
                SELECT e.id, coalesce(sum(c.legs), 0) AS legs,
                       string_agg(c.total || ' ' || c.currency, ', ') FILTER (WHERE c.total <> 0) AS sums
                FROM journal_entry e LEFT JOIN (
                    SELECT entry_id, currency, sum(amount_minor) AS total, count(*) AS legs
                    FROM posting GROUP BY entry_id, currency
                ) c ON c.entry_id = e.id
                GROUP BY e.id
            ) entry
            WHERE legs < 2 OR sums IS NOT NULL""",
    )


@check
def the_ledger_sums_to_zero(asked: Asked) -> Found:
    """All postings together sum to zero, in each currency, live and test apart."""
    return query(
        examined="posting",
        violations="""
            SELECT concat('the ', CASE WHEN a.live THEN 'live' ELSE 'test' END, ' ledger in ', p.currency, ' sums to ',
                          sum(p.amount_minor))
            FROM posting p JOIN ledger_account a ON a.code = p.account_id
            GROUP BY a.live, p.currency HAVING sum(p.amount_minor) <> 0""",
    )


@check
def postings_are_in_their_account_s_currency(asked: Asked) -> Found:
    """No posting is in another currency than its account."""
    return query(
        examined="posting",
        violations="""
            SELECT concat('posting ', p.id, ' in ', p.currency, ' is on account ', a.code)
            FROM posting p JOIN ledger_account a ON a.code = p.account_id WHERE p.currency <> a.currency""",
    )


@check
def entries_have_their_fact(asked: Asked) -> Found:
    """Every journal entry books a fact that exists, under that fact's name; a transaction's fact is booked with it."""
    return query(
        examined="journal_entry",
        violations="""
            SELECT concat('journal entry ', e.id, ' books ', e.fact_name, ' ', e.fact_id, ', which is ',
                          coalesce(f.name || ' of ' || f.subject_id, 'not there'))
            FROM journal_entry e LEFT JOIN fact f ON f.id = e.fact_id
            WHERE f.id IS NULL OR f.name <> e.fact_name
                OR CASE f.subject_type WHEN 'transaction' THEN f.subject_id END IS DISTINCT FROM e.transaction_id""",
    )


@check
def facts_are_booked(asked: Asked) -> Found:
    """Every fact books exactly what it says was captured or refunded; unexplained money waits in suspense beside it."""
    return query(
        examined="fact WHERE subject_type = 'transaction'",
        violations="""
            WITH said AS (
                SELECT id, name, subject_id,
                       replace(payload ->> 'amountCaptured', '.', '')::bigint AS captured,
                       replace(payload ->> 'amountRefunded', '.', '')::bigint AS refunded,
                       sequence
                FROM fact WHERE subject_type = 'transaction'
            ), moved AS (
                SELECT id, name, subject_id,
                       captured - lag(captured, 1, 0::bigint) OVER of_transaction
                       - refunded + lag(refunded, 1, 0::bigint) OVER of_transaction AS minor
                FROM said WINDOW of_transaction AS (PARTITION BY subject_id ORDER BY sequence)
            ), booked AS (
                SELECT e.fact_id, sum(p.amount_minor) AS minor
                FROM journal_entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.code = p.account_id
                LEFT JOIN transaction t ON t.id = e.transaction_id LEFT JOIN account payer ON payer.id = t.from_account_id
                WHERE a.kind IN ('provider_receivable', 'suspense', 'differences')
                    OR a.code IN (payer.ledger_account_id, payer.held_ledger_account_id)  -- what left the paying account
                GROUP BY e.fact_id
            )
            SELECT concat(moved.name, ' ', moved.id, ' of ', moved.subject_id, ' moved ', moved.minor, ', booked is ',
                          coalesce(booked.minor::text, 'nothing'))
            FROM moved LEFT JOIN booked ON booked.fact_id = moved.id
            WHERE moved.minor <> coalesce(booked.minor, 0)""",
    )


@check
def merchants_are_owed_what_was_captured(asked: Asked) -> Found:
    """What payments made us owe a merchant is captured less refunded less fees, in each currency, live and test apart."""
    return query(
        examined="ledger_account WHERE kind = 'merchant_payable'",
        violations="""
            WITH earned AS (
                SELECT t.merchant_id, t.live, t.currency,
                       sum(t.amount_captured_minor - t.amount_refunded_minor
                           - (SELECT coalesce(sum(p.fee_minor), 0) FROM payment p WHERE p.transaction_id = t.id)) AS minor
                FROM transaction t WHERE t.from_account_id IS NULL GROUP BY t.merchant_id, t.live, t.currency
            ), owed AS (
                SELECT a.merchant_id, a.live, a.currency, -sum(p.amount_minor) AS minor
                FROM ledger_account a JOIN posting p ON p.account_id = a.code JOIN journal_entry e ON e.id = p.entry_id
                WHERE a.kind = 'merchant_payable' AND e.fact_name !~ '^(settlement|payout|dispute|break)[.]'
                GROUP BY a.merchant_id, a.live, a.currency
            )
            SELECT concat('merchant ', merchant_id, CASE WHEN live THEN ' live' ELSE ' test' END, ' is owed ',
                          coalesce(owed.minor, 0), ' ', currency, ' by the ledger, ', coalesce(earned.minor, 0),
                          ' by its transactions')
            FROM earned FULL JOIN owed USING (merchant_id, live, currency)
            WHERE coalesce(owed.minor, 0) <> coalesce(earned.minor, 0)""",
    )


@check
def suspense_is_what_is_under_review(asked: Asked) -> Found:
    """What lies in suspense at a provider account is what its review items say waits there; a closed item leaves nothing.

    What came for accounts that are not ours lies in the house's own: reconciliation explains that.
    """
    return query(
        examined="review_item WHERE suspense_minor <> 0",
        violations="""
            WITH under_review AS (
                SELECT p.provider_account_id, i.currency, sum(i.suspense_minor) AS minor
                FROM review_item i JOIN payment p ON p.id = i.payment_id
                WHERE i.suspense_minor <> 0 AND i.state <> 'CLOSED' GROUP BY p.provider_account_id, i.currency
            ), suspense AS (
                SELECT a.provider_account_id, a.currency, -sum(p.amount_minor) AS minor
                FROM ledger_account a JOIN posting p ON p.account_id = a.code
                WHERE a.kind = 'suspense' AND a.provider_account_id IS NOT NULL GROUP BY a.provider_account_id, a.currency
            )
            SELECT concat('provider account ', provider_account_id, ' has ', coalesce(suspense.minor, 0), ' ', currency,
                          ' in suspense, ', coalesce(under_review.minor, 0), ' under review')
            FROM under_review FULL JOIN suspense USING (provider_account_id, currency)
            WHERE coalesce(suspense.minor, 0) <> coalesce(under_review.minor, 0)""",
    )
