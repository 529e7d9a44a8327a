"""The console's pages of the reconciliation app."""

from reconciliation.admin import breaks, parts, statements

__all__ = ["breaks", "parts", "statements"]
