"""What must be true of reconciliation and settlement (common/books.py): a module for each kind of rule."""

from reconciliation.services.verify import agreed, balances, breaks, matching, pages, payouts, settlements, statements

__all__ = ["agreed", "balances", "breaks", "matching", "pages", "payouts", "settlements", "statements"]
