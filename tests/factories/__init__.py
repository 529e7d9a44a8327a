"""Rows for tests, made through the real services wherever a service exists."""

from tests.factories.accounts import new_account, new_transfer
from tests.factories.merchants import ApiKeyFactory, MerchantFactory, ProviderAccountFactory, api_key_secret
from tests.factories.payments import (
    NOW,
    PROVIDER,
    attempt,
    captured_transaction,
    new_hosted,
    new_transaction,
    sale_of,
    settle,
)

__all__ = [
    "NOW",
    "PROVIDER",
    "ApiKeyFactory",
    "MerchantFactory",
    "ProviderAccountFactory",
    "api_key_secret",
    "attempt",
    "captured_transaction",
    "new_account",
    "new_hosted",
    "new_transaction",
    "new_transfer",
    "sale_of",
    "settle",
]
