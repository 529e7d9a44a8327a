"""Setting a price in the console: the calculator sets nothing, a reason is needed, and nobody without the permission gets there."""

from __future__ import annotations

from typing import Any

import pytest

from common.models import AuditRecord
from merchants.models import ProviderAccount
from payments.models import FeePlan
from tests.console.conftest import SignIn

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


def test_a_price_is_set_with_its_reason(account: ProviderAccount, sign_in: SignIn) -> None:
    response = sign_in("finance_lead").post(URL, form(account))

    plan = FeePlan.objects.get()
    assert response.status_code == 302
    assert plan.tiers == [
        {"from_minor": 0, "basis_points": 150, "fixed_minor": 20},
        {"from_minor": 100_000, "basis_points": 100, "fixed_minor": 0},
    ]
    assert (plan.minimum_minor, plan.maximum_minor, plan.method, plan.live) == (50, None, "fpx", False)
    assert plan.created_by == "operator:demo_finance_lead"
    assert AuditRecord.objects.get(action="fee_plan.set").reason == "As agreed"


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
    assert not FeePlan.objects.exists()


@pytest.mark.parametrize("role", ["finance", "support", "refunds", "auditor", "none"])
def test_no_permission_no_price(account: ProviderAccount, sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post(URL, form(account)).status_code == 403
    assert not FeePlan.objects.exists()


def test_opening_the_page_changes_nothing(account: ProviderAccount, sign_in: SignIn) -> None:
    assert sign_in("superuser").get(URL, form(account)).status_code == 200
    assert not FeePlan.objects.exists()
