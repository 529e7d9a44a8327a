"""Fetching a day's statements, account by account, from the providers and the banks, and importing them.

A statement that came after its day had ended is complete and not fetched again, so a job that broke off goes on where it was; one that
came earlier is. No transaction is open while somebody answers, and a statement came when its answer was there, so the clock is read then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import BinaryIO, cast

import requests
import structlog
from django.conf import settings

from common.changes import Actor
from common.crypto import CannotOpen
from merchants.models import ProviderAccount
from merchants.selectors import open_account
from payments.providers.base import ProviderError
from payments.providers.session import open_session
from payments.services.calls import open_provider
from reconciliation.models import BankAccount, Side, Source, Statement, StatementState
from reconciliation.parsers.bytes import MAX_BYTES, PIECE, TooLarge
from reconciliation.services.imports import statement_import
from reconciliation.sources import day_ends_at

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]

_IN_MEMORY = 4 * PIECE  # larger files lie on the disk while they are read


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one account's statement; `problem` is "" when it is there."""

    account: ProviderAccount | BankAccount
    statement: Statement | None
    problem: str = ""


def accounts_of(provider: str) -> list[ProviderAccount]:
    """The active accounts whose statements are fetched."""
    return list(ProviderAccount.objects.filter(provider=provider, is_active=True).order_by("id"))


def bank_accounts_of(source: Source) -> list[BankAccount]:
    """The accounts of ours whose statements are fetched from this bank; none if it does not serve any."""
    return list(BankAccount.objects.filter(source=source).order_by("id")) if source.fetch_url else []


def fetched_accounts(source: Source, live: bool | None = None) -> Sequence[ProviderAccount | BankAccount]:
    """The accounts whose statements are fetched from a provider or a bank, of one mode or (None) both."""
    accounts = bank_accounts_of(source) if source.side == Side.BANK else accounts_of(source.code)
    return [account for account in accounts if live in (None, account.live)]


def fetch(*, account: ProviderAccount | BankAccount, day: date, actor: Actor, clock: Clock) -> Fetched:
    """Fetch and import the account's statement of the day, unless the complete one is there."""
    if isinstance(account, BankAccount):
        return bank_statement_fetch(account=account, day=day, actor=actor, clock=clock)
    return statement_fetch(account=account, day=day, actor=actor, clock=clock)


def fetches(
    *, source: Source, day: date, actor: Actor, clock: Clock, live: bool | None = None
) -> list[Callable[[], Fetched]]:
    """What has to be asked for of a day, an account each, of one mode or (None) both; nobody is asked before one of them is called."""
    return [
        partial(fetch, account=account, day=day, actor=actor, clock=clock) for account in fetched_accounts(source, live)
    ]


def statement_fetch(*, account: ProviderAccount, day: date, actor: Actor, clock: Clock) -> Fetched:
    """Fetch and import one account's statement of the provider's `day`, unless the complete one is there."""
    source = Source.objects.get(pk=account.provider)
    complete = Statement.objects.filter(
        provider_account=account,
        day=day,
        state=StatementState.IMPORTED,
        received_at__gte=day_ends_at(source, day),
    ).first()
    if complete is not None:
        return Fetched(account, complete)
    try:
        content = open_provider(open_account(account)).statement(day)
    except (ProviderError, CannotOpen) as exc:
        log.warning("statement.not_fetched", account=account.pk, day=day.isoformat(), reason=str(exc))
        return Fetched(account, None, f"The statement could not be fetched: {exc}")
    statement = statement_import(
        content=content,
        provider=account.provider,
        account=account,
        live=account.live,
        day=day,
        actor=actor,
        now=clock(),
    ).statement
    return Fetched(account, statement, _refusal(statement))


def bank_statement_fetch(*, account: BankAccount, day: date, actor: Actor, clock: Clock) -> Fetched:
    """Fetch and import the bank's statement of one of our accounts, unless the complete one is there."""
    source = account.source
    complete = Statement.objects.filter(
        provider=source.code,
        balances__account_key=account.account_key,
        day=day,
        state=StatementState.IMPORTED,
        received_at__gte=day_ends_at(source, day),
    ).first()
    if complete is not None:
        return Fetched(account, complete)
    url = source.fetch_url.replace("{date}", day.isoformat()).replace("{account}", account.account_key)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        file = cast(BinaryIO, spool)
        try:
            _download(url, file)
        except (ProviderError, requests.RequestException, TooLarge) as exc:
            log.warning("statement.not_fetched", account=str(account), day=day.isoformat(), reason=str(exc))
            return Fetched(account, None, f"The statement could not be fetched: {exc}")
        statement = statement_import(
            content=file, provider=source.code, account=None, live=account.live, day=day, actor=actor, now=clock()
        ).statement
    return Fetched(account, statement, _refusal(statement))


def _refusal(statement: Statement) -> str:
    if statement.state == StatementState.WAITING:
        return f"The statement is not whole yet: {statement.reason}"
    return f"The statement was refused: {statement.reason}" if statement.state == StatementState.REFUSED else ""


def _download(url: str, file: BinaryIO) -> None:
    """Raises ProviderError, requests.RequestException, TooLarge."""
    size = 0
    with open_session(connections=1) as session:
        response = session.get(url, stream=True, allow_redirects=False, timeout=settings.PROVIDER_TIMEOUT_SECONDS)
        if response.status_code != 200:
            raise ProviderError(f"HTTP {response.status_code}")
        for piece in response.iter_content(PIECE):
            size += len(piece)
            if size > MAX_BYTES:
                raise TooLarge(f"larger than {MAX_BYTES} bytes")
            file.write(piece)
