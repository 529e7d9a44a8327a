"""Accounts: opening, paying in, freezing and closing, and the one way in which a balance changes.

The balance on an account's row is moved by the very legs that are posted, under the row's lock, so it cannot drift from the ledger; the
database refuses a row whose available balance would be below zero. Accounts are locked after their transaction and in the order of their
ids, so two transfers between the same two accounts wait for each other instead of deadlocking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction as database

from common.changes import Actor, Subject, record_change
from common.errors import InvalidState, NotFound
from common.ids import new_id
from common.money import Money
from common.queue import nudge_coalesced
from common.rows import Rows
from payments.ledger.account_recipes import Purse, deposited
from payments.ledger.post import open_ledger_account, post
from payments.ledger.recipes import Leg
from payments.models import Account, Transaction
from payments.services.payloads import account_payload
from payments.states import ACCOUNT_MOVES, AccountStatus


def account_open(
    *,
    merchant_id: str,
    live: bool,
    currency: str,
    name: str,
    actor: Actor,
    now: datetime,
    account_id: str | None = None,
) -> Account:
    """Open an account, empty. Raises IntegrityError if `account_id` is taken."""
    purse = Purse(account_id or new_id("acc"), merchant_id, live, currency)
    account = Account(
        id=purse.account_id,
        merchant_id=merchant_id,
        live=live,
        currency=currency,
        name=name,
        ledger_account_id=purse.available.code,
        held_ledger_account_id=purse.held.code,
        created_at=now,
        updated_at=now,
    )
    rows = Rows()
    open_ledger_account(rows, purse.available)
    open_ledger_account(rows, purse.held)
    rows.add(account)
    _record(rows, account, "account.opened", {"status": [None, account.status]}, actor, now)
    rows.write()
    return account


def account_deposit(*, account_id: str, amount: Money, actor: Actor, reason: str, now: datetime) -> Account:
    """Pay in money that has reached the house. Raises NotFound, InvalidState (closed, another currency, nothing)."""
    with database.atomic():
        account = _lock_one(account_id)
        if account.status == AccountStatus.CLOSED or amount.currency != account.currency or amount.minor <= 0:
            raise InvalidState(f"{amount} {amount.currency} cannot be paid in to {account_id}.", status=account.status)
        legs = deposited(purse_of(account), amount)
        rows = Rows()
        fact_id = change_balance(rows, account, legs, fact="account.deposited", actor=actor, now=now, reason=reason)
        post(rows, fact_id=fact_id, fact_name="account.deposited", transaction_id=None, legs=legs, now=now)
        rows.write()
        nudge_coalesced("notifications.relay_outbox")
    return account


def account_move(*, account_id: str, to: AccountStatus, actor: Actor, reason: str, now: datetime) -> Account:
    """Freeze, unfreeze or close an account. Raises NotFound, InvalidState (not such a move, or closing with money on it)."""
    with database.atomic():
        account = _lock_one(account_id)
        before = AccountStatus(account.status)
        fact = ACCOUNT_MOVES.get((before, to))
        if fact is None:
            raise InvalidState(f"An account that is {before} cannot become {to}.", status=before)
        if to is AccountStatus.CLOSED and account.balance_minor:
            raise InvalidState("There is still money on this account.", availableBalance=account.available)
        account.status = to
        account.version += 1
        account.updated_at = now
        rows = Rows()
        rows.update(
            Account,
            account.pk,
            {"version": account.version - 1},
            status=to,
            version=account.version,
            updated_at=now,
        )
        _record(rows, account, fact, {"status": [before, to]}, actor, now, reason=reason)
        rows.write()
    return account


def purse_of(account: Account) -> Purse:
    return Purse(account.pk, account.merchant_id, account.live, account.currency)


def lock_accounts(*account_ids: str, merchant_id: str, live: bool) -> list[Account]:
    """These accounts of the merchant, as asked, locked until the end of the transaction. Raises NotFound."""
    rows = Account.objects.select_for_update(no_key=True).filter(pk__in=account_ids, merchant_id=merchant_id, live=live)
    found = {account.pk: account for account in rows.order_by("pk")}
    if len(found) != len(account_ids):
        raise NotFound("There is no such account.")
    return [found[account_id] for account_id in account_ids]


def lock_parties(transfer: Transaction) -> list[Account]:
    """The paying and the receiving account of a transfer, locked."""
    parties = (transfer.from_account_id or "", transfer.to_account_id or "")
    return lock_accounts(*parties, merchant_id=transfer.merchant_id, live=transfer.live)


def change_balance(
    rows: Rows,
    account: Account,
    legs: Sequence[Leg],
    *,
    fact: str,
    actor: Actor,
    now: datetime,
    transaction_id: str | None = None,
    reason: str = "",
) -> str:
    """Move the locked account's row by what `legs` post to it, with a fact of its own. Returns the fact's id."""
    purse = purse_of(account)
    available, held = (-sum(leg.minor for leg in legs if leg.account == side) for side in (purse.available, purse.held))
    changes = {
        "balance_minor": [account.balance_minor, account.balance_minor + available + held],
        "held_minor": [account.held_minor, account.held_minor + held],
    }
    account.balance_minor += available + held
    account.held_minor += held
    account.version += 1
    account.updated_at = now
    rows.update(
        Account,
        account.pk,
        {"version": account.version - 1},
        balance_minor=account.balance_minor,
        held_minor=account.held_minor,
        version=account.version,
        updated_at=now,
    )
    changed = {name: sides for name, sides in changes.items() if sides[0] != sides[1]}
    return _record(rows, account, fact, changed, actor, now, transaction_id=transaction_id, reason=reason)


def _lock_one(account_id: str) -> Account:
    account = Account.objects.select_for_update(no_key=True).filter(pk=account_id).first()
    if account is None:
        raise NotFound("There is no such account.")
    return account


def _record(
    rows: Rows,
    account: Account,
    fact: str,
    changes: Mapping[str, list[Any]],
    actor: Actor,
    now: datetime,
    *,
    transaction_id: str | None = None,
    reason: str = "",
) -> str:
    return record_change(
        rows,
        subject=Subject("account", account.pk, account.version, account.merchant_id, account.live),
        fact=fact,
        payload=account_payload(account, transaction_id),
        changes=changes,
        actor=actor,
        now=now,
        reason=reason,
    )
