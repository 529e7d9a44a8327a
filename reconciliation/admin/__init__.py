"""The console's pages of the reconciliation app."""

from reconciliation.admin import bank, breaks, days, fee_claims, parts, rule_sets, settlements, statements

__all__ = ["bank", "breaks", "days", "fee_claims", "parts", "rule_sets", "settlements", "statements"]
