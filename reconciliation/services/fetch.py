"""Fetching a day's statements from the providers, account by account, and importing them.

A statement that came after its day had ended is complete and not fetched again, so a job that broke off goes on where it was; one that
came earlier is. No transaction is open while a provider answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import structlog

from common.changes import Actor
from common.crypto import CannotOpen
from merchants.models import ProviderAccount
from merchants.selectors import open_account
from payments.providers.base import ProviderError
from payments.services.calls import open_provider
from reconciliation.models import Statement, StatementState
from reconciliation.services.imports import statement_import
from reconciliation.sources import SOURCES

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one account's statement; `problem` is "" when it is there."""

    account: ProviderAccount
    statement: Statement | None
    problem: str = ""


def accounts_of(provider: str) -> list[ProviderAccount]:
    """The active accounts whose statements are fetched."""
    return list(ProviderAccount.objects.filter(provider=provider, is_active=True).order_by("id"))


def statement_fetch(*, account: ProviderAccount, day: date, actor: Actor, now: datetime) -> Fetched:
    """Fetch and import one account's statement of the provider's `day`, unless the complete one is there."""
    complete = Statement.objects.filter(
        provider_account=account,
        day=day,
        state=StatementState.IMPORTED,
        received_at__gte=day_ends_at(account.provider, day),
    ).first()
    if complete is not None:
        return Fetched(account, complete)
    try:
        content = open_provider(open_account(account)).statement(day)
    except (ProviderError, CannotOpen) as exc:
        log.warning("statement.not_fetched", account=account.pk, day=day.isoformat(), reason=str(exc))
        return Fetched(account, None, f"The statement could not be fetched: {exc}")
    statement = statement_import(
        content=content, provider=account.provider, account=account, live=account.live, day=day, actor=actor, now=now
    ).statement
    refused = statement.state == StatementState.REFUSED
    return Fetched(account, statement, f"The statement was refused: {statement.reason}" if refused else "")


def day_ends_at(provider: str, day: date) -> datetime:
    """When the provider's day is over."""
    return datetime.combine(day + timedelta(days=1), time(), SOURCES[provider].format.zone)


def yesterday(provider: str, now: datetime) -> date:
    """The last day of the provider that is over at `now`."""
    return now.astimezone(SOURCES[provider].format.zone).date() - timedelta(days=1)
