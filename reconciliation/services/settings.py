"""What finance has agreed with sources, our accounts at banks, bank holidays and limits: two people change them, because they make differences vanish and lead money away."""

from __future__ import annotations

from datetime import datetime

from common.agreed import Setting
from common.ids import new_id
from reconciliation.models import BankAccount, BankCalendar, PayoutBank, Source, WriteOffLimit
from reconciliation.models.calendar import CALENDAR_AGREED
from reconciliation.models.limit import LIMIT_AGREED
from reconciliation.models.payout import PAYOUT_BANK_AGREED
from reconciliation.models.source import BANK_ACCOUNT_AGREED, SOURCE_AGREED


def _nothing(row: object, now: datetime) -> None:
    """A new row has nothing but what was agreed."""


def _new_payout_bank(bank: PayoutBank, now: datetime) -> None:
    bank.pk, bank.created_at = new_id("pbk"), now


_ACCOUNTS = {
    "may_propose": "reconciliation.propose_bankaccount",
    "may_approve": "reconciliation.approve_bankaccount",
}
SOURCE = Setting(
    kind="source.set",
    title="Change what is agreed with a source",
    subject="source",
    model=Source,
    columns=SOURCE_AGREED,
    may_propose="reconciliation.propose_source",
    may_approve="reconciliation.approve_source",
    about=lambda source: source.code,
    fill=_nothing,
)
BANK_ACCOUNT = Setting(
    kind="bank_account.set",
    title="Set an account of ours",
    subject="bank_account",
    model=BankAccount,
    columns=BANK_ACCOUNT_AGREED,
    about=lambda account: f"{account.source_id} {account.account_key}",
    fill=_nothing,
    **_ACCOUNTS,
)
PAYOUT_BANK = Setting(
    kind="payout_bank.set",
    title="Set from which account payouts are made",
    subject="payout_bank",
    model=PayoutBank,
    columns=PAYOUT_BANK_AGREED,
    about=lambda bank: f"{bank.currency} {'live' if bank.live else 'test'}",
    fill=_new_payout_bank,
    **_ACCOUNTS,
)
CALENDAR = Setting(
    kind="bank_calendar.set",
    title="Set bank holidays",
    subject="bank_calendar",
    model=BankCalendar,
    columns=CALENDAR_AGREED,
    may_propose="reconciliation.propose_bankcalendar",
    may_approve="reconciliation.approve_bankcalendar",
    about=lambda calendar: calendar.code,
    fill=_nothing,
)
WRITE_OFF_LIMIT = Setting(
    kind="write_off_limit.set",
    title="Set how much may be written off",
    subject="write_off_limit",
    model=WriteOffLimit,
    columns=LIMIT_AGREED,
    may_propose="reconciliation.propose_writeofflimit",
    may_approve="reconciliation.approve_writeofflimit",
    about=lambda limit: limit.currency,
    fill=_nothing,
)
SETTINGS = (SOURCE, BANK_ACCOUNT, PAYOUT_BANK, CALENDAR, WRITE_OFF_LIMIT)
