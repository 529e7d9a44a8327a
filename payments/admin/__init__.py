"""The console's pages of the payments app."""

from payments.admin import (
    accounts,
    events,
    ledger,
    operations,
    overview,
    payments,
    refund_batches,
    refunds,
    review,
    transactions,
)

__all__ = [
    "accounts",
    "events",
    "ledger",
    "operations",
    "overview",
    "payments",
    "refund_batches",
    "refunds",
    "review",
    "transactions",
]
