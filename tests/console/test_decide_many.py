"""Several proposals decided on one page: each on its own, only those of others, only by who may; looking decides nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection

from common.models import AuditRecord, Proposal
from reconciliation.models import Break, MatchGroup
from tests.console.conftest import SignIn
from tests.factories import NOW, ProviderAccountFactory
from tests.payments.verify.books import wrong
from tests.reconciliation.given import Listed, imported, reconciled

pytestmark = pytest.mark.django_db

DECIDE = "/admin/common/proposal/decide/"
FORM = {"act": "approve", "reason": "Looked at each"}


@pytest.fixture
def proposals(sign_in: SignIn) -> list[Proposal]:
    """Three breaks of 10.00, 20.00 and 30.00 that finance proposes to write off."""
    account = ProviderAccountFactory(account_key="SE1", created_at=NOW - timedelta(days=30))
    imported(account, [Listed("SE1", f"F{n}", f"EPG{n}", minor=n * 1_000) for n in (1, 2, 3)])
    reconciled(account)
    clerk = sign_in("finance")
    picked = {"pick": [found.pk for found in Break.objects.order_by("pk")]}
    clerk.post("/admin/reconciliation/break/bulk/", picked | {"act": "write_off", "text": "Small"})
    found = list(Proposal.objects.filter(kind="break.write_off").order_by("pk"))
    assert len(found) == 3
    return found


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def picked(proposals: list[Proposal]) -> dict[str, list[str]]:
    return {"pick": [proposal.pk for proposal in proposals]}


def test_each_is_done_on_its_own_and_one_that_changed_is_void(sign_in: SignIn, proposals: list[Proposal]) -> None:
    lead = sign_in("finance_lead")
    with connection.cursor() as cursor:  # what the second proposal saw is not so any more
        cursor.execute(
            "UPDATE reconciliation_break SET their_minor = 2001 WHERE id = %s", [int(proposals[1].subject_id)]
        )

    shown = lead.get(DECIDE, picked(proposals)).content.decode()
    assert shown.count("provider_receivable:") == 3  # the postings of each
    assert not MatchGroup.objects.exists()
    refused = lead.post(DECIDE, picked(proposals) | {"act": "approve", "reason": ""})
    assert (refused.status_code, MatchGroup.objects.count()) == (200, 0)
    answer = lead.post(DECIDE, picked(proposals) | FORM)

    assert "2 of 3 proposals approved." in said(answer)
    assert "it is void" in said(answer)
    states = dict(Proposal.objects.values_list("pk", "state"))
    assert [states[proposal.pk] for proposal in proposals] == ["EXECUTED", "VOID", "EXECUTED"]
    assert MatchGroup.objects.count() == 2
    approved = AuditRecord.objects.filter(action="proposal.approved", actor="operator:demo_finance_lead")
    assert [record.reason for record in approved] == ["Looked at each"] * 2
    assert wrong() == {}
    again = lead.post(DECIDE, picked(proposals) | FORM)
    assert "Choose proposals that you may decide" in said(again)
    assert MatchGroup.objects.count() == 2


def test_nobody_decides_their_own_or_without_the_permission(sign_in: SignIn, proposals: list[Proposal]) -> None:
    for role in ("finance", "auditor", "operations"):
        answer = sign_in(role).post(DECIDE, picked(proposals) | FORM)
        assert "Choose proposals that you may decide" in said(answer)
    assert sign_in("support").post(DECIDE, picked(proposals) | FORM).status_code == 403
    assert not MatchGroup.objects.exists()

    sign_in("finance_lead").post(DECIDE, picked(proposals[:1]) | {"act": "reject", "reason": "Ask them first"})

    assert sorted(Proposal.objects.filter(kind="break.write_off").values_list("state", flat=True)) == [
        "OPEN",
        "OPEN",
        "REJECTED",
    ]
    assert not MatchGroup.objects.exists()
