"""Several proposals decided on one page: each on its own, only those of others, only by who may; looking decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.messages import get_messages
from django.db import connection

from common.console import proposals_bulk
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


@contextmanager
def run_at_work() -> Iterator[None]:
    """Another connection holds the lock that a run of the source has; who waits for it here waits not long."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('reconcile:fpx:False', 0))")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20ms'")
            try:
                yield
            finally:
                cursor.execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)  # what is proposed here took the same lock
def test_what_a_run_holds_is_said_to_be_busy_and_nothing_is_done(sign_in: SignIn, proposals: list[Proposal]) -> None:
    lead = sign_in("finance_lead")
    one = f"/admin/common/proposal/{proposals[0].pk}/approve/"
    with run_at_work():
        many = lead.post(DECIDE, picked(proposals) | FORM)
        single = lead.post(one, {"reason": "Seen", "_form_submitted": "True"})

    assert said(many).count("Something else is at work on it") == 2
    assert "1 more were not tried." in said(many)
    assert "0 of 3 proposals approved." in said(many)
    assert "Not done: Something else is at work on it" in said(single)
    assert not MatchGroup.objects.exists()
    assert set(Proposal.objects.filter(kind="break.write_off").values_list("state", flat=True)) == {"OPEN"}
    assert "3 of 3 proposals approved." in said(lead.post(DECIDE, picked(proposals) | FORM))


def test_an_act_of_an_older_release_holds_up_no_other(sign_in: SignIn, proposals: list[Proposal]) -> None:
    Proposal.objects.create(
        **{field.attname: getattr(proposals[0], field.attname) for field in Proposal._meta.concrete_fields}
        | {"id": "prp_0_first", "kind": "break.forgotten"}
    )
    lead = sign_in("finance_lead")

    answer = lead.post(DECIDE, {"pick": ["prp_0_first", *picked(proposals)["pick"]]} | FORM)

    assert "no such act" in said(answer)
    assert "3 of 4 proposals approved." in said(answer)
    assert Proposal.objects.get(pk="prp_0_first").state == "OPEN"


def test_what_is_no_key_and_what_is_more_than_at_once_is_counted(
    sign_in: SignIn, proposals: list[Proposal], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = sign_in("finance_lead")
    odd = {"pick": ["a\x00b", "prp_nobody", *picked(proposals)["pick"]]}
    assert "2 of the chosen are left out" in lead.get(DECIDE, odd).content.decode()
    monkeypatch.setattr(proposals_bulk, "AT_ONCE", 2)

    assert "3 of the chosen are left out" in lead.get(DECIDE, odd).content.decode()
    answer = lead.post(DECIDE, odd | FORM)

    assert "2 of 2 proposals approved. 3 of the chosen left out" in said(answer)
    states = list(Proposal.objects.filter(kind="break.write_off").order_by("pk").values_list("state", flat=True))
    assert states == ["EXECUTED", "EXECUTED", "OPEN"]
