"""The console's pages of the reconciliation app."""

from reconciliation.admin import (
    bank,
    breaks,
    calendars,
    days,
    fee_claims,
    groups,
    parts,
    payouts,
    proposed,
    quarantine,
    rule_sets,
    runs,
    settlements,
    sources,
    statements,
    whereabouts,
)

__all__ = [
    "bank",
    "breaks",
    "calendars",
    "days",
    "fee_claims",
    "groups",
    "parts",
    "payouts",
    "proposed",
    "quarantine",
    "rule_sets",
    "runs",
    "settlements",
    "sources",
    "statements",
    "whereabouts",
]
