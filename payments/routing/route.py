"""Which provider account serves a payment: the merchant's first active one that can do the method, currency and kind."""

from __future__ import annotations

from collections.abc import Mapping

from common.errors import InvalidRequest, UnsupportedCurrency
from merchants.selectors import OpenAccount, active_accounts
from payments.providers.base import Kind
from payments.providers.registry import provider_class


def route(*, merchant_id: str, live: bool, method: str, currency: str, kind: Kind) -> OpenAccount:
    """Raises InvalidRequest if the merchant has no account for the method, UnsupportedCurrency if none takes the currency."""
    serving = [
        account
        for account in active_accounts(merchant_id, live=live)
        if method in provider_class(account.provider).methods and kind in kinds(account)
    ]
    if not serving:
        raise InvalidRequest(
            "This payment method is not available to you.",
            fields={"paymentTypeId": [f"{method} is not set up for this merchant, or not for this way of capture."]},
        )
    for account in serving:
        if currency in provider_class(account.provider).currencies:
            return account
    raise UnsupportedCurrency(f"{method} does not take {currency}.", currencyCode=currency, paymentTypeId=method)


def choices(*, merchant_id: str, live: bool, currency: str, kind: Kind) -> Mapping[str, OpenAccount]:
    """What a payer may choose from: each method that takes the currency in this way of capture, with the account that serves it."""
    found: dict[str, OpenAccount] = {}
    for account in active_accounts(merchant_id, live=live):
        provider = provider_class(account.provider)
        if kind in kinds(account) and currency in provider.currencies:
            for method in sorted(provider.methods):
                found.setdefault(method, account)
    return found


def kinds(account: OpenAccount) -> frozenset[Kind]:
    """What a payer's payment on this account is: a sale, or an authorisation where the account is set up so at the provider."""
    opening = Kind.AUTHORIZE if account.config.get("mode") == "authorise" else Kind.SALE
    return frozenset({opening}) & provider_class(account.provider).supports
