"""Open questions in the console: one proposes with a reason, another approves on the proposal's page, and only then money moves."""

from __future__ import annotations

import pytest
from django.db.models import QuerySet

from common.models import Proposal
from payments.models import ReviewItem, Transaction
from tests.console.conftest import SignIn
from tests.console.world import World

FORM = {"reason": "The bank's letter of today", "_form_submitted": "True"}


@pytest.fixture
def item(world: World) -> ReviewItem:
    return ReviewItem.objects.get()


def asked() -> QuerySet[Proposal]:
    return Proposal.objects.filter(subject_type="review_item")


def _url(item: ReviewItem, act: str) -> str:
    return f"/admin/payments/reviewitem/{item.pk}/{act}/"


def _status(item: ReviewItem) -> str:
    assert item.payment is not None
    return Transaction.objects.get(payments=item.payment_id).status


def test_finance_proposes_and_its_lead_approves(item: ReviewItem, sign_in: SignIn) -> None:
    assert item.payment is not None
    answer = sign_in("finance").post(_url(item, "accept"), FORM)

    proposal = asked().get()
    assert (answer.status_code, proposal.kind, proposal.reason) == (302, "review.accept", FORM["reason"])
    assert (_status(item), ReviewItem.objects.get().state) == ("PROCESSING", "OPEN")
    page = sign_in("finance_lead").get(f"/admin/payments/transaction/{item.payment.transaction_id}/change/")
    assert proposal.summary in page.content.decode()
    assert _url(item, "accept") not in page.content.decode()  # it is proposed

    sign_in("finance_lead").post(f"/admin/common/proposal/{proposal.pk}/approve/", FORM)

    item.refresh_from_db()
    assert (_status(item), item.state, item.resolved_by) == ("COMPLETED", "CLOSED", "operator:demo_finance_lead")


def test_what_is_booked_off_says_against_whom(item: ReviewItem, sign_in: SignIn) -> None:
    client = sign_in("finance")
    assert client.post(_url(item, "write-off"), FORM).status_code == 200  # the dialog comes back
    assert not asked().exists()

    client.post(_url(item, "write-off"), FORM | {"keep": "yes"})

    assert asked().get().parameters == {"keep": True}
    assert "as a difference of ours" in asked().get().summary


def test_buttons_are_what_may_be_decided_about_it(item: ReviewItem, sign_in: SignIn) -> None:
    assert item.payment is not None
    for page in (_url(item, "change"), f"/admin/payments/transaction/{item.payment.transaction_id}/change/"):
        text = sign_in("finance").get(page).content.decode()
        offered = [act for act in ("accept", "return", "write-off", "give-up", "stands") if _url(item, act) in text]
        assert offered == ["accept", "return", "write-off"], page
        assert _url(item, "accept") not in sign_in("support").get(page).content.decode()


@pytest.mark.parametrize("role", ["operations", "refunds", "support", "auditor", "none"])
def test_without_the_permission_nothing_happens(role: str, item: ReviewItem, sign_in: SignIn) -> None:
    client = sign_in(role)

    assert client.post(_url(item, "accept"), FORM).status_code == 403
    assert client.get(_url(item, "accept")).status_code == 403

    assert not asked().exists()


def test_a_get_and_a_decision_of_another_kind_change_nothing(item: ReviewItem, sign_in: SignIn) -> None:
    client = sign_in("finance")
    assert client.get(_url(item, "accept"), FORM).status_code == 200
    client.post(_url(item, "give-up"), FORM)

    assert not asked().exists()
