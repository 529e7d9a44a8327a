"""The console's pages of the payments app."""

from payments.admin import events, ledger, operations, overview, payments, refunds, review, transactions

__all__ = ["events", "ledger", "operations", "overview", "payments", "refunds", "review", "transactions"]
