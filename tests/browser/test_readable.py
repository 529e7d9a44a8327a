"""The pages of reconciliation and settlement on a phone in the dark and on a desk by day: readable, named, and as wide as the window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db.models import Model

from common.console.html import page_url
from common.models import Proposal
from reconciliation.models import (
    Break,
    MatchGroup,
    Payout,
    PayoutFile,
    QuarantinedLine,
    ReconciliationRun,
    Rehearsal,
    RuleSet,
    Settlement,
    Source,
    Statement,
)
from tests.browser.operator_tab import OpenPage, open_console
from tests.browser.readable import faint_texts, nameless_controls
from tests.console.world import build_world

__all__ = ["open_console"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

RECONCILIATION = "/admin/reconciliation"
_LISTS = ("break", "statement", "quarantinedline", "matchgroup", "feeclaim", "settlement", "payout", "paymentmoney")
_ROWS: tuple[type[Model], ...] = (
    Break,
    MatchGroup,
    Payout,
    PayoutFile,
    Proposal,
    QuarantinedLine,
    ReconciliationRun,
    Rehearsal,
    RuleSet,
    Settlement,
    Statement,
)


def pages() -> Iterator[str]:
    found, line = Break.objects.get(), QuarantinedLine.objects.get()
    bank = Source.objects.get(format="mapped")
    yield from (f"{RECONCILIATION}/{name}/" for name in _LISTS)
    yield from (page_url(rows._default_manager.latest("pk")) for rows in _ROWS)
    yield f"{RECONCILIATION}/dayclose/board/"
    yield f"{RECONCILIATION}/dayclose/money/"
    yield f"{RECONCILIATION}/dayclose/fpx/test/{found.day}/"
    yield f"{RECONCILIATION}/break/{found.pk}/match/"
    yield f"{RECONCILIATION}/break/bulk/?pick={found.pk}"
    yield f"{RECONCILIATION}/break/import/"
    yield f"{RECONCILIATION}/statement/upload/"
    yield f"{RECONCILIATION}/quarantinedline/{line.pk}/fix/"
    yield f"{RECONCILIATION}/source/{bank.pk}/columns/"
    yield f"{RECONCILIATION}/payout/propose/"
    yield f"{RECONCILIATION}/settlementterms/set-terms/"
    yield "/admin/common/proposal/"
    yield f"/admin/common/proposal/decide/?pick={Proposal.objects.filter(state='OPEN').latest('pk').pk}"


@pytest.mark.parametrize("phone", [True, False], ids=["phone-dark", "desk-light"])
def test_every_page_is_readable_named_and_no_wider_than_the_window(open_console: OpenPage, phone: bool) -> None:
    build_world()
    console = open_console("finance_lead", phone=phone, dark=phone)

    wrong: dict[str, list[str]] = {}
    for path in pages():
        page = console.go(path)
        said = [*faint_texts(page), *nameless_controls(page)]
        if console.overflow > 0:
            said.append(f"{console.overflow} pixels too wide")
        if said:
            wrong[path] = said

    assert wrong == {}
    assert console.troubles == []
