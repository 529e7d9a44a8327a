"""Reading merchants: cached for seconds where every request needs it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet

from common.errors import NotFound
from merchants.caller import Caller
from merchants.models import ApiKey, Merchant, ProviderAccount
from merchants.models.merchant import ChecksumScheme

MERCHANT_CODE = re.compile(r"[A-Z][A-Z0-9]{1,19}")
_CACHE_SECONDS = 5.0
_MOST_MERCHANTS = 10_000  # remembered at once: codes that do not exist are remembered too, and anybody may invent those
_opened: dict[tuple[str, bool], tuple[float, tuple[OpenAccount, ...]]] = {}
_named: dict[tuple[str, str], tuple[float, OpenAccount]] = {}
_eps_merchants: dict[str, tuple[float, EpsMerchant | None]] = {}


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


def account_named(provider: str, account_key: str) -> OpenAccount | None:
    """The account, active or not, that a provider's message names. Up to 5 s old."""
    found = _named.get((provider, account_key))
    if found is not None and time.monotonic() - found[0] < _CACHE_SECONDS:
        return found[1]
    row = ProviderAccount.objects.filter(provider=provider, account_key=account_key).first()
    if row is None:
        return None
    _named[provider, account_key] = (time.monotonic(), open_account(row))
    return _named[provider, account_key][1]


def forget_accounts() -> None:
    """Drop the cache: after an account was changed, and between tests."""
    _opened.clear()
    _named.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsMerchant:
    """What the EPS facade needs to know of a merchant, its secrets opened."""

    id: str
    code: str
    name: str
    currency: str
    time_zone: str
    live: bool
    checksum_scheme: str
    extra_fields: tuple[str, ...]
    rate_plan: str
    api_key: str = field(repr=False)
    pass_phrase: str = field(repr=False)

    @property
    def can_sign(self) -> bool:
        """An empty secret is a key that everybody knows."""
        return bool(self.pass_phrase) and (bool(self.api_key) or self.checksum_scheme != ChecksumScheme.EPIC_V1)


def eps_merchant(code: str) -> EpsMerchant | None:
    """The active merchant of this MERCHANT_CODE that has EPS secrets. Up to 5 s old, and so is the answer that there is none."""
    if not MERCHANT_CODE.fullmatch(code):
        return None
    found = _eps_merchants.get(code)
    if found is not None and time.monotonic() - found[0] < _CACHE_SECONDS:
        return found[1]
    row = Merchant.objects.filter(code=code, is_active=True).exclude(pass_phrase_sealed="").first()
    merchant = None if row is None else _open_merchant(row)
    if merchant is not None and not merchant.can_sign:
        merchant = None
    if len(_eps_merchants) >= _MOST_MERCHANTS:
        _eps_merchants.clear()
    _eps_merchants[code] = (time.monotonic(), merchant)
    return merchant


def _open_merchant(row: Merchant) -> EpsMerchant:
    return EpsMerchant(
        id=row.pk,
        code=row.code,
        name=row.name,
        currency=row.currency,
        time_zone=row.time_zone,
        live=row.eps_live,
        checksum_scheme=row.checksum_scheme,
        extra_fields=tuple(row.extra_fields),
        rate_plan=row.rate_plan,
        api_key=row.eps_api_key if row.eps_api_key_sealed else "",
        pass_phrase=row.pass_phrase,
    )


def forget_merchants() -> None:
    """Drop the cache: after a merchant was changed, and between tests."""
    _eps_merchants.clear()


def api_keys_of(caller: Caller) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(merchant_id=caller.merchant_id, live=caller.live)


def api_key_of(caller: Caller, key_id: str) -> ApiKey:
    """One of the caller's keys. Raises NotFound."""
    key = api_keys_of(caller).filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such API key.")
    return key
