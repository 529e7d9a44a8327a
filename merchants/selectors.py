"""Reading merchants: cached for seconds where every request needs it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from merchants.models import ProviderAccount

_CACHE_SECONDS = 5.0
_opened: dict[tuple[str, bool], tuple[float, tuple[OpenAccount, ...]]] = {}


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """A provider account with its credentials opened, for one call or a few seconds."""

    id: str
    merchant_id: str
    provider: str
    live: bool
    account_key: str
    config: Mapping[str, str]
    credentials: Mapping[str, str] = field(repr=False)
    confirm_events: bool = False


def open_account(account: ProviderAccount) -> OpenAccount:
    """Open the sealed credentials. Raises common.crypto.CannotOpen."""
    return OpenAccount(
        id=account.pk,
        merchant_id=account.merchant_id,
        provider=account.provider,
        live=account.live,
        account_key=account.account_key,
        config={str(key): str(value) for key, value in account.config.items()} | {"account_key": account.account_key},
        credentials=account.open_credentials(),
        confirm_events=account.confirm_events,
    )


def active_accounts(merchant_id: str, *, live: bool) -> tuple[OpenAccount, ...]:
    """The merchant's active provider accounts in this mode, first choice first. Up to 5 s old."""
    found = _opened.get((merchant_id, live))
    if found is not None and time.monotonic() - found[0] < _CACHE_SECONDS:
        return found[1]
    rows = ProviderAccount.objects.filter(merchant_id=merchant_id, live=live, is_active=True).order_by("priority", "id")
    accounts = tuple(open_account(row) for row in rows)
    _opened[merchant_id, live] = (time.monotonic(), accounts)
    return accounts


def forget_accounts() -> None:
    """Drop the cache: after an account was changed, and between tests."""
    _opened.clear()
