"""The console's pages of the payments app."""

from payments.admin import (
    accounts,
    events,
    fees,
    ledger,
    operations,
    overview,
    payments,
    refund_batches,
    refunds,
    review,
    transactions,
    transfer_runs,
)

__all__ = [
    "accounts",
    "events",
    "fees",
    "ledger",
    "operations",
    "overview",
    "payments",
    "refund_batches",
    "refunds",
    "review",
    "transactions",
    "transfer_runs",
]
