"""What the checks of the books say is wrong."""

from __future__ import annotations

from datetime import timedelta

from common.books import Asked, Check, verify
from tests.factories import NOW

SOON = Asked(now=NOW + timedelta(minutes=1))


def wrong(asked: Asked = SOON) -> dict[str, list[str]]:
    """Name of each check that fails, and what it says."""
    return {check.name: list(found.violations) for check, found in verify(asked) if found.violations}


def proven_elsewhere(check: Check) -> bool:
    """Whether the check has its planted violation in tests/reconciliation/test_verify_settlements.py or test_verify_breaks.py."""
    return check.look.__module__ in ELSEWHERE


ELSEWHERE = ("reconciliation.services.verify.settlements", "reconciliation.services.verify.breaks")
