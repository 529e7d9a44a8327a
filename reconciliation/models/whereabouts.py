"""Captured payments as the console lists them by where their money is (reconciliation/whereabouts.py)."""

from __future__ import annotations

from payments.models import Transaction


class PaymentMoney(Transaction):
    """A transaction, seen from its money."""

    class Meta:
        proxy = True
        verbose_name = "payment's money"
        verbose_name_plural = "where is the money"
