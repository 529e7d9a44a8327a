"""Accounts say what the ledger says, are never overdrawn, and hold what waiting transfers need; transfers tell one story."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from payments.transfer_types import TRANSFER_TYPES


@check
def accounts_say_what_the_ledger_says(asked: Asked) -> Found:
    """What an account's row says is available and held is the sum of the postings to its two ledger accounts."""
    return query(
        examined="account",
        violations="""
            WITH booked AS (SELECT account_id, -sum(amount_minor) AS minor FROM posting GROUP BY account_id)
            SELECT concat('account ', a.id, ': available ', a.balance_minor - a.held_minor, ' and held ', a.held_minor,
                          ', in the ledger ', coalesce(available.minor, 0), ' and ', coalesce(held.minor, 0))
            FROM account a LEFT JOIN booked available ON available.account_id = a.ledger_account_id
            LEFT JOIN booked held ON held.account_id = a.held_ledger_account_id
            WHERE (a.balance_minor - a.held_minor, a.held_minor)
                <> (coalesce(available.minor, 0), coalesce(held.minor, 0))""",
    )


@check
def accounts_are_not_overdrawn(asked: Asked) -> Found:
    """No account has less than nothing, available or held."""
    return query(
        examined="account",
        violations="""
            SELECT concat('account ', id, ' has ', balance_minor, ', of which held ', held_minor)
            FROM account WHERE held_minor < 0 OR balance_minor < held_minor""",
    )


@check
def accounts_hold_what_waits(asked: Asked) -> Found:
    """What is held on an account is the sum of the transfers from it that wait for their batch with their money held."""
    return query(
        examined="account",
        violations="""
            WITH waiting AS (
                SELECT from_account_id, sum(amount_minor) AS minor FROM transaction
                WHERE status = 'PENDING' AND method = ANY(%(holding)s) GROUP BY from_account_id
            )
            SELECT concat('account ', a.id, ' holds ', a.held_minor, ', its waiting transfers need ', coalesce(waiting.minor, 0))
            FROM account a LEFT JOIN waiting ON waiting.from_account_id = a.id
            WHERE a.held_minor <> coalesce(waiting.minor, 0)""",
        holding=[method for method, kind in TRANSFER_TYPES.items() if kind.holds],
    )


@check
def transfers_stay_within_their_merchant(asked: Asked) -> Found:
    """Both accounts of a transfer are its merchant's, in its mode and currency."""
    return query(
        examined="transaction WHERE from_account_id IS NOT NULL",
        violations="""
            SELECT concat('transfer ', t.id, ' touches account ', a.id, ', which is not its merchant''s in its mode and currency')
            FROM transaction t JOIN account a ON a.id IN (t.from_account_id, t.to_account_id)
            WHERE (a.merchant_id, a.live, a.currency) <> (t.merchant_id, t.live, t.currency)""",
    )


@check
def transfers_agree_with_their_amounts(asked: Asked) -> Found:
    """A transfer has no payments, moved its whole amount or nothing, and its status says so, refunds included."""
    return query(
        examined="transaction WHERE from_account_id IS NOT NULL",
        violations="""
            SELECT concat('transfer ', t.id, ' of ', t.amount_minor, ' is ', t.status, ', moved ', t.amount_captured_minor,
                          ', gave back ', t.amount_refunded_minor)
            FROM transaction t
            WHERE t.from_account_id IS NOT NULL AND (
                EXISTS (SELECT FROM payment p WHERE p.transaction_id = t.id)
                OR t.amount_captured_minor <> CASE WHEN t.status IN ('PENDING', 'FAILED') THEN 0 ELSE t.amount_minor END
                OR t.status NOT IN ('PENDING', 'FAILED') AND t.status <> CASE t.amount_refunded_minor
                    WHEN 0 THEN 'COMPLETED' WHEN t.amount_captured_minor THEN 'REFUNDED' ELSE 'PARTIALLY_REFUNDED' END)""",
    )


@check
def runs_tell_how_transfers_ended(asked: Asked) -> Found:
    """What a run of the batch says became of a transfer is what the transfer says, and only batched transfers are in one."""
    return query(
        examined="transfer_run_item",
        violations="""
            SELECT concat('run ', i.run_id, ' says ', i.status, ' of transfer ', t.id, ', a ', t.method, ' that is ', t.status)
            FROM transfer_run_item i JOIN transaction t ON t.id = i.transaction_id
            WHERE t.method <> ALL(%(batched)s)
                OR i.status <> CASE WHEN t.status IN ('PARTIALLY_REFUNDED', 'REFUNDED') THEN 'COMPLETED' ELSE t.status END
                OR i.failure_code <> t.failure_code""",
        batched=sorted(method for method, kind in TRANSFER_TYPES.items() if kind.batched),
    )
