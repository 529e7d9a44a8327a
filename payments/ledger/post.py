"""Booking: the journal entry of a fact joins the statement that writes the fact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from common.ids import new_id
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.recipes import Leg
from payments.models import JournalEntry, LedgerAccount, Posting


def open_ledger_account(rows: Rows, account: AccountRef) -> None:
    """Add the account unless it is there."""
    rows.insert_if_missing(
        LedgerAccount,
        code=account.code,
        kind=account.kind,
        currency=account.currency,
        live=account.live,
        merchant_id=account.merchant_id,
        provider_account_id=account.provider_account_id,
    )


def post(
    rows: Rows, *, fact_id: str, fact_name: str, transaction_id: str | None, legs: Sequence[Leg], now: datetime
) -> str:
    """Add one balanced journal entry; accounts that are new are opened. The database refuses an unbalanced one."""
    entry_id = new_id("jrn")
    rows.insert(
        JournalEntry, id=entry_id, fact_id=fact_id, fact_name=fact_name, transaction_id=transaction_id, booked_at=now
    )
    for account in {leg.account.code: leg.account for leg in legs}.values():
        open_ledger_account(rows, account)
    for leg in legs:
        rows.insert(
            Posting,
            entry_id=entry_id,
            account_id=leg.account.code,
            currency=leg.account.currency,
            amount_minor=leg.minor,
        )
    return entry_id
