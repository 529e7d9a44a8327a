"""Setting a price in the console: the calculator sets nothing, a reason is needed, and nobody without the permission gets there."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from django.db import transaction as database

from common.console.html import page_url
from common.database import constraint_of
from common.models import AuditRecord, Proposal
from merchants.models import ProviderAccount
from payments.ledger.fees import Tier
from payments.models import FeePlan
from tests.console.conftest import SignIn
from tests.factories.agreed import plan_agreed

REASON = {"reason": "Checked", "_form_submitted": "True"}
URL = "/admin/payments/feeplan/set-price/"


def form(account: ProviderAccount, **changes: str) -> dict[str, str]:
    filled = {
        "merchant": account.merchant_id,
        "mode": "test",
        "method": "fpx",
        "currency": "MYR",
        "tiers": "0  1.5%  0.20\n1000.00  1%  0",
        "minimum": "0.50",
        "maximum": "",
        "valid_from": "",
        "reason": "As agreed",
    }
    return filled | changes


def test_the_calculator_shows_and_sets_nothing(account: ProviderAccount, sign_in: SignIn) -> None:
    response = sign_in("finance_lead").post(URL, form(account, reason="", calculate="1"))

    text = response.content.decode()
    assert response.status_code == 200
    for amount in ("0.50", "1.70", "15.20", "10.00", "100.00"):  # of 10, 100, 999.99, 1,000 and 10,000
        assert f"</span> {amount}</span>" in text
    assert not FeePlan.objects.exists()


def test_a_price_holds_when_a_second_person_has_agreed(account: ProviderAccount, sign_in: SignIn) -> None:
    response = sign_in("finance").post(URL, form(account))

    proposal = Proposal.objects.get()
    assert response["Location"] == page_url(proposal)
    assert not FeePlan.objects.exists()
    assert "from the yes on" in sign_in("finance_lead").get(response["Location"]).content.decode()
    for who in ("finance", "finance_lead"):
        sign_in(who).post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
        assert FeePlan.objects.exists() == (who == "finance_lead")

    plan = FeePlan.objects.get()
    assert plan.tiers == [
        {"from_minor": 0, "basis_points": 150, "fixed_minor": 20},
        {"from_minor": 100_000, "basis_points": 100, "fixed_minor": 0},
    ]
    assert (plan.minimum_minor, plan.maximum_minor, plan.method, plan.live) == (50, None, "fpx", False)
    assert (plan.created_by, plan.proposal) == ("operator:demo_finance", proposal)
    record = AuditRecord.objects.get(action="fee_plan.set")
    assert (record.actor, record.reason) == ("operator:demo_finance_lead", "As agreed")


def test_the_database_takes_no_price_that_two_people_did_not_agree_on(account: ProviderAccount) -> None:
    key = {"merchant_id": account.merchant_id, "live": False, "method": "fpx", "currency": "MYR"}
    plan = plan_agreed(**key, tiers=[Tier(0, 150, 20)])
    values = {field.attname: getattr(plan, field.attname) for field in FeePlan._meta.concrete_fields}
    free = [{"from_minor": 0, "basis_points": 0, "fixed_minor": 0}]
    for lie in ({"proposal_id": None}, {"tiers": free}, {"maximum_minor": 1}):
        with pytest.raises(IntegrityError) as refused, database.atomic():
            FeePlan.objects.create(**values | {"id": "fpl_x", "version": 2} | lie)
        assert constraint_of(refused.value) == "fee_plan_as_agreed"

    assert FeePlan.objects.get() == plan


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": ""}, "required"),
        ({"tiers": "0 1.5 0"}, "Line 1"),
        ({"tiers": "0 1.555% 0"}, "Line 1"),
        ({"tiers": "0 1.5% 0.205"}, "not an amount"),
        ({"tiers": "5.00 1.5% 0"}, "begin at 0"),
        ({"minimum": "2", "maximum": "1"}, "not above the maximum"),
        ({"currency": "XXQ"}, "not an ISO 4217 currency"),
        ({"mode": ""}, "required"),
        ({"valid_from": "2020-01-01"}, "cannot begin in the past"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_set(
    account: ProviderAccount, sign_in: SignIn, changes: dict[str, Any], said: str
) -> None:
    response = sign_in("finance_lead").post(URL, form(account, **changes))

    assert response.status_code == 200
    assert said in response.content.decode()
    assert not Proposal.objects.exists()


@pytest.mark.parametrize("role", ["operations", "support", "refunds", "auditor", "none"])
def test_no_permission_no_price(account: ProviderAccount, sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post(URL, form(account)).status_code == 403
    assert not Proposal.objects.exists()


def test_opening_the_page_changes_nothing(account: ProviderAccount, sign_in: SignIn) -> None:
    assert sign_in("superuser").get(URL, form(account)).status_code == 200
    assert not Proposal.objects.exists()
