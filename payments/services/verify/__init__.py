"""The invariants of money, checked over the live database (common/books.py; reliability: money, states, outbox)."""

from payments.services.verify import accounts, amounts, fees, history, ledger, refund_batches, states

__all__ = ["accounts", "amounts", "fees", "history", "ledger", "refund_batches", "states"]
