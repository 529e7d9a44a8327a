"""The invariants of money, checked over the live database (common/books.py; reliability: money, states, outbox)."""

from payments.services.verify import amounts, history, ledger, states

__all__ = ["amounts", "history", "ledger", "states"]
