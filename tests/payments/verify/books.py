"""What the checks of the books say is wrong."""

from __future__ import annotations

from datetime import timedelta

from common.books import Asked, Check, verify
from tests.factories import NOW

SOON = Asked(now=NOW + timedelta(minutes=1))


def wrong(asked: Asked = SOON) -> dict[str, list[str]]:
    """Name of each check that fails, and what it says."""
    return {check.name: list(found.violations) for check, found in verify(asked) if found.violations}


AGREED, BALANCES, BREAKS, SETTLEMENTS, PAYOUTS, MATCHING, PAGES = (
    f"reconciliation.services.verify.{name}"
    for name in ("agreed", "balances", "breaks", "settlements", "payouts", "matching", "pages")
)


def proven_elsewhere(check: Check, *modules: str) -> bool:
    """Whether the check is of one of `modules`, by default of those whose planted violations are in tests/reconciliation."""
    return check.look.__module__ in (modules or (AGREED, BALANCES, BREAKS, SETTLEMENTS, PAYOUTS, MATCHING, PAGES))
