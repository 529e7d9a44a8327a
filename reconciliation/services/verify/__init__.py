"""What must be true of reconciliation and settlement (common/books.py): a module for each kind of rule."""

from reconciliation.services.verify import breaks, payouts, settlements, statements

__all__ = ["breaks", "payouts", "settlements", "statements"]
