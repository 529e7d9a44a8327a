"""The console's pages of the reconciliation app."""

from reconciliation.admin import bank, breaks, parts, statements

__all__ = ["bank", "breaks", "parts", "statements"]
