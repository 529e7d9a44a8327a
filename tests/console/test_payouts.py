"""Payouts in the console: proposed, released by somebody else, files taken and handed over; by who may, and looking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.utils import timezone

from common.models import AuditRecord, Proposal
from reconciliation.models import Payout, PayoutFile
from reconciliation.services.payout_files import payouts_send
from tests.console.conftest import SignIn
from tests.reconciliation.paying import bank_lines, our_bank, proven, released, to_account, to_bank

pytestmark = pytest.mark.django_db
BASE = "/admin/reconciliation/payout/"
REASON = {"reason": "Due", "_form_submitted": "True"}


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_one_proposes_and_another_releases(sign_in: SignIn) -> None:
    settlement, account = to_account()
    other = to_bank()
    clerk = sign_in("finance")
    page = clerk.get(f"{BASE}propose/").content.decode()
    assert settlement.merchant.code in page
    assert other.merchant.code in page

    answer = clerk.post(f"{BASE}propose/", {"settlements": [settlement.pk], "reason": "Due"})

    proposal = Proposal.objects.get(kind="payout.release")
    assert answer["Location"] == f"/admin/common/proposal/{proposal.pk}/change/"
    shown = sign_in("finance_lead").get(answer["Location"]).content.decode()
    assert f"account {account.pk}" in shown
    clerk.post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    assert Payout.objects.get().state == "PENDING_APPROVAL"
    for _ in range(2):
        sign_in("finance_lead").post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    account.refresh_from_db()
    assert (Payout.objects.get().state, account.balance_minor) == ("PAID", 9_830)
    assert settlement.pk not in clerk.get(f"{BASE}propose/").content.decode()


def test_a_refusal_is_said_and_leaves_nothing(sign_in: SignIn) -> None:
    settlement = to_bank()
    client = sign_in("finance")
    client.post(f"{BASE}propose/", {"settlements": [settlement.pk], "reason": "Due"})

    again = client.post(f"{BASE}propose/", {"settlements": [settlement.pk], "reason": "Due"})

    assert again.status_code == 200  # it is not on offer any more
    assert (Payout.objects.count(), Proposal.objects.filter(kind="payout.release").count()) == (1, 1)


def test_a_file_is_taken_and_handed_over(sign_in: SignIn) -> None:
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=timezone.now())
    file, client = PayoutFile.objects.get(), sign_in("finance")
    url = f"/admin/reconciliation/payoutfile/{file.pk}/"
    assert payout.end_to_end_id in client.get(f"{url}change/").content.decode()

    taken = client.get(f"{url}download/")
    client.post(f"{url}handed-over/", REASON)

    assert taken.content == file.content()
    assert "no-store" in taken["Cache-Control"]
    file.refresh_from_db()
    assert file.state == "ACCEPTED"
    client.post(f"{BASE}{payout.pk}/arrived/", REASON)
    client.post(f"{BASE}{payout.pk}/cancel/", REASON)
    payout.refresh_from_db()
    assert (payout.state, Proposal.objects.filter(kind="payout.confirm_paid").count()) == ("SENT", 1)


def test_a_line_of_another_account_is_offered_as_what_has_paid_it(sign_in: SignIn) -> None:
    our_bank()
    [payout, other] = released(to_bank(), to_bank())
    payouts_send(now=timezone.now())
    [line, _] = bank_lines((payout.end_to_end_id, -payout.amount_minor), ("x", -1), account_key="9999")
    client, url = sign_in("finance"), f"{BASE}{payout.pk}/arrived/"

    assert "The line that shows it" not in client.get(f"{BASE}{other.pk}/arrived/").content.decode()
    offered = client.get(url).content.decode()
    assert "The line that shows it" in offered
    assert str(line) in offered
    for odd in ("x", str(line.pk + 1), "\x00"):
        assert client.post(url, REASON | {"line": odd}).status_code == 200
    assert not Proposal.objects.filter(kind="payout.confirm_paid").exists()
    client.post(url, REASON | {"line": str(line.pk)})

    assert Proposal.objects.get(kind="payout.confirm_paid").parameters == {"bank_line": line.pk}


def test_a_line_that_brings_less_back_is_offered_of_one_that_is_paid(sign_in: SignIn) -> None:
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=timezone.now())
    bank_lines((payout.end_to_end_id, -payout.amount_minor))
    proven()
    client, page = sign_in("finance"), f"{BASE}{payout.pk}/change/"
    assert "It came back" not in client.get(page).content.decode()
    [line] = bank_lines(("", payout.amount_minor - 100))

    shown = client.get(page).content.decode()
    client.post(f"{BASE}{payout.pk}/came-back/", REASON)
    assert not Proposal.objects.filter(kind="payout.confirm_returned").exists()
    client.post(f"{BASE}{payout.pk}/came-back/", REASON | {"line": str(line.pk)})

    assert ("It came back" in shown, "It arrived" in shown) == (True, False)
    proposal = Proposal.objects.get(kind="payout.confirm_returned")
    assert proposal.summary.endswith(f"came back by {line.reference}, 1.00 MYR less for charges")


@pytest.mark.parametrize("role", ["operations", "refunds", "support", "auditor", "none"])
def test_without_the_permission_nothing_happens(role: str, sign_in: SignIn) -> None:
    our_bank()
    settlement = to_bank()
    [payout] = released(to_bank())
    payouts_send(now=timezone.now())
    file, client = PayoutFile.objects.get(), sign_in(role)
    before = AuditRecord.objects.exclude(action="console.refused").count()

    answers = [
        client.post(f"{BASE}propose/", {"settlements": [settlement.pk], "reason": "x"}),
        *(client.post(f"{BASE}{payout.pk}/{act}/", REASON) for act in ("arrived", "came-back", "cancel")),
        client.get(f"/admin/reconciliation/payoutfile/{file.pk}/download/"),
        client.post(f"/admin/reconciliation/payoutfile/{file.pk}/handed-over/", REASON),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    payout.refresh_from_db()
    file.refresh_from_db()
    assert (payout.state, file.state, Payout.objects.count()) == ("SENT", "PREPARED", 1)
    assert AuditRecord.objects.exclude(action="console.refused").count() == before


def test_looking_changes_nothing(sign_in: SignIn) -> None:
    our_bank()
    [payout] = released(to_bank())
    client = sign_in("superuser")

    for act in ("propose/", f"{payout.pk}/arrived/", f"{payout.pk}/came-back/", f"{payout.pk}/cancel/"):
        assert client.get(f"{BASE}{act}", REASON).status_code == 200

    payout.refresh_from_db()
    assert (payout.state, payout.version, Proposal.objects.filter(kind="payout.release").count()) == ("APPROVED", 2, 1)
