"""Whose statements a source owes us for a day, and which of them are complete: those that came after the day was over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from django.db.models import F, Min

from reconciliation.models import BankAccount, Remittance, Side, Source, Statement, StatementState
from reconciliation.services.fetch import accounts_of
from reconciliation.sources import day_ends_at

ALL = ""  # a statement of all accounts of its mode


def sources() -> list[Source]:
    """The active sources that have accounts, providers first."""
    active = Source.objects.filter(is_active=True).order_by("-side", "code")
    return [source for source in active if modes_of(source)]


def modes_of(source: Source) -> list[bool]:
    """The modes in which the source has accounts, live first."""
    if source.side == Side.BANK:
        found = set(BankAccount.objects.filter(source=source).values_list("live", flat=True))
    else:
        found = {account.live for account in accounts_of(source.code)}
    return sorted(found, reverse=True)


def expected_keys(source: Source, live: bool, days: Iterable[date]) -> dict[date, set[str]]:
    """Per day the accounts that were there before it was over; a bank's from its first statement or the first money that is due."""
    if source.side == Side.BANK:
        keys = set(BankAccount.objects.filter(source=source, live=live).values_list("account_key", flat=True))
        first = _first_day(source, live)
        return {day: keys if first is not None and day >= first else set() for day in days}
    accounts = [account for account in accounts_of(source.code) if account.live == live]
    return {
        day: {account.account_key for account in accounts if account.created_at < day_ends_at(source, day)}
        for day in days
    }


def missing_keys(source: Source, live: bool, days: Iterable[date]) -> dict[date, list[str]]:
    """Per day the accounts without a complete statement, sorted."""
    wanted = expected_keys(source, live, days)
    if not wanted:
        return {}
    there: dict[date, set[str]] = defaultdict(set)
    statements = Statement.objects.filter(
        provider=source.code, live=live, state=StatementState.IMPORTED, day__gte=min(wanted), day__lte=max(wanted)
    )
    key = F("balances__account_key") if source.side == Side.BANK else F("provider_account__account_key")
    for day, received_at, account in statements.annotate(key=key).values_list("day", "received_at", "key"):
        if received_at >= day_ends_at(source, day):
            there[day].add(account or ALL)
    return {day: [] if ALL in there[day] else sorted(keys - there[day]) for day, keys in wanted.items()}


def _first_day(bank: Source, live: bool) -> date | None:
    spoken = Statement.objects.filter(provider=bank.code, live=live, state=StatementState.IMPORTED)
    owed = Remittance.objects.filter(live=live)
    firsts = [spoken.aggregate(first=Min("day"))["first"], owed.aggregate(first=Min("due_on"))["first"]]
    return min((first for first in firsts if first is not None), default=None)
