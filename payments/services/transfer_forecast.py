"""What the next run of the batch will do, if nothing changes until then: the batch's own rules on the balances of this moment. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from payments.models import Account, Transaction
from payments.services.transfer_batch import waiting_transfers
from payments.services.transfers import Refused, why_refused
from payments.transfer_types import TRANSFER_TYPES

MOST = 1_000  # further ones wait too, and are only counted


@dataclass(frozen=True, slots=True)
class Forecast:
    """One waiting transfer; `refused` says why it would fail, None if its money would move."""

    transaction: Transaction
    refused: Refused | None


def transfer_forecast(*, now: datetime) -> list[Forecast]:
    """The first of what waits, in the order of the batch: each with the money that those before it leave."""
    waiting = waiting_transfers(now=now).select_related("merchant")[:MOST]
    transactions = list(waiting)
    ids = {pk for one in transactions for pk in (one.from_account_id, one.to_account_id)}
    accounts = Account.objects.in_bulk(ids)
    return [Forecast(one, _play(one, accounts)) for one in transactions]


def _play(transaction: Transaction, accounts: dict[str, Account]) -> Refused | None:
    """Move the money in memory, as _settle would."""
    payer, payee = accounts[str(transaction.from_account_id)], accounts[str(transaction.to_account_id)]
    holds = TRANSFER_TYPES[transaction.method].holds
    refused = why_refused(payer, payee, transaction.amount, funded=holds)
    if holds:
        payer.held_minor -= transaction.amount_minor
    if refused is None:
        payer.balance_minor -= transaction.amount_minor
        payee.balance_minor += transaction.amount_minor
    return refused
