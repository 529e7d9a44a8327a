"""The bank list: fetched from the provider by a scheduled job, kept in our database, read from there."""

from __future__ import annotations

from datetime import datetime

import structlog

from merchants.models import ProviderAccount
from merchants.selectors import open_account
from payments.models import Bank
from payments.providers.base import ProviderError
from payments.providers.registry import PROVIDERS
from payments.services.calls import open_provider

log = structlog.get_logger(__name__)


def banks_refresh(*, now: datetime) -> int:
    """Fetch the lists of every provider that has one, with any active account. Returns how many banks are known to be there.

    A bank that is no longer listed goes offline; a provider that does not answer leaves its list as it was.
    """
    known = 0
    for code, provider in PROVIDERS.items():
        account = ProviderAccount.objects.filter(provider=code, is_active=True).order_by("created_at").first()
        if not provider.lists_banks or account is None:
            continue
        for business in (False, True):
            try:
                banks = open_provider(open_account(account)).banks(business=business)
            except ProviderError as exc:
                log.warning("banks.not_refreshed", provider=code, business=business, reason=str(exc))
                continue
            Bank.objects.bulk_create(
                [
                    Bank(
                        provider=code,
                        business=business,
                        code=bank.code,
                        name=bank.name,
                        online=bank.online,
                        refreshed_at=now,
                    )
                    for bank in banks
                ],
                update_conflicts=True,
                unique_fields=["provider", "business", "code"],
                update_fields=["name", "online", "refreshed_at"],
            )
            Bank.objects.filter(provider=code, business=business, refreshed_at__lt=now).update(online=False)
            known += len(banks)
    return known
