"""The providers there are. A new one is its own folder and one line here (docs/adding-a-provider.md)."""

from __future__ import annotations

from collections.abc import Mapping

from payments.providers.base import Provider
from payments.providers.fpx.adapter import Fpx
from payments.providers.migs.adapter import Migs

PROVIDERS: dict[str, type[Provider]] = {provider.code: provider for provider in (Fpx, Migs)}


def provider_class(code: str) -> type[Provider]:
    """The adapter of a provider. Raises KeyError when there is none."""
    return PROVIDERS[code]


def method_providers(method: str) -> list[str]:
    """Codes of the providers that serve a payment type, in the registry's order."""
    return [code for code, provider in PROVIDERS.items() if method in provider.methods]


def identify(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """(provider code, account key) that an unverified callback names; None unless exactly one dialect fits.

    It only finds the account whose key can check the message; nothing in it is believed before `read` has verified it.
    """
    claimed = [provider for provider in PROVIDERS.values() if provider.claims(fields)]
    if len(claimed) != 1:
        return None
    return claimed[0].code, claimed[0].account_key(fields)
