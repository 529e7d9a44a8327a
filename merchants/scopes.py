"""What an API key may do. A key has exactly the scopes it was given; a route without one lets nobody in."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    TRANSACTION_READ = "transaction:read"
    TRANSACTION_CREATE = "transaction:create"
    REFUND_CREATE = "refund:create"
    ACCOUNT_READ = "account:read"
    WEBHOOK_MANAGE = "webhook:manage"
    SETTLEMENT_READ = "settlement:read"
    API_KEY_MANAGE = "api_key:manage"
