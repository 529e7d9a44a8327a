"""The console's pages of the payments app."""

from payments.admin import accounts, events, ledger, operations, overview, payments, refunds, review, transactions

__all__ = ["accounts", "events", "ledger", "operations", "overview", "payments", "refunds", "review", "transactions"]
