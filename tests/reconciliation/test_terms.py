"""Terms change by a new version with a reason; where the money goes is sealed, and only to the merchant's own account."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.errors import InvalidRequest
from common.models import AuditRecord
from reconciliation.models import PayTo, Settlement, SettlementTerms
from reconciliation.services.terms import NewTerms, terms_set
from reconciliation.settlement.calendar import Cycle
from tests.console.conftest import SignIn
from tests.factories import NOW, MerchantFactory, captured_transaction, new_account
from tests.reconciliation.test_settle import ACTOR, agreed, priced, settled

pytestmark = pytest.mark.django_db
BANK = {"name": "Kedai Sdn Bhd", "account": "514011112222", "bic": "MBBEMYKL", "bank": "Maybank", "country": "MY"}
URL = "/admin/reconciliation/settlementterms/set-terms/"


def agree(merchant: Any, new: NewTerms, currency: str = "MYR") -> SettlementTerms:
    key = {"merchant_id": merchant.pk, "live": False, "currency": currency}
    return terms_set(**key, new=new, actor=ACTOR, reason="As agreed", now=NOW)


def test_each_change_is_a_version_and_holds_for_the_next_settlement() -> None:
    account = priced()
    first = agree(account.merchant, NewTerms(minimum_payout_minor=10))
    captured_transaction(account)
    [made] = settled(account.merchant)

    second = agree(account.merchant, NewTerms(cycle=Cycle.WEEKLY, weekday=3, cut_off=time(17, 0)))

    assert (first.version, second.version, made.terms) == (1, 2, first)
    record = AuditRecord.objects.filter(action="settlement_terms.set").latest("id")
    assert record.reason == "As agreed"
    assert record.changes["cycle"] == ["DAILY", "WEEKLY"]
    assert record.changes["minimum_payout_minor"] == [10, 0]
    with pytest.raises(IntegrityError, match="append-only"), database.atomic():
        SettlementTerms.objects.filter(pk=first.pk).update(minimum_payout_minor=5)


def test_the_bank_account_is_sealed_and_nowhere_in_clear() -> None:
    merchant = MerchantFactory()

    terms = agree(merchant, NewTerms(pay_to=PayTo.BANK, bank=BANK))

    assert terms.open_bank() == BANK
    assert terms.bank_hint == "Maybank …2222"
    with connection.cursor() as cursor:
        cursor.execute("SELECT concat(t::text, r::text) FROM settlement_terms t, audit_record r")
        assert all("514011112222" not in row for (row,) in cursor.fetchall())


def test_only_to_an_account_of_the_merchants_own() -> None:
    merchant, other = MerchantFactory(), MerchantFactory()
    own, foreign = new_account(merchant, 0), new_account(other, 0)

    terms = agree(merchant, NewTerms(pay_to=PayTo.ACCOUNT, account_id=own.pk), own.currency)

    assert terms.account == own
    with pytest.raises(InvalidRequest):
        agree(merchant, NewTerms(pay_to=PayTo.ACCOUNT, account_id=foreign.pk), own.currency)
    with pytest.raises(IntegrityError, match="not of the merchant"), database.atomic():
        agreed(merchant, pay_to="ACCOUNT", account=foreign)
    assert SettlementTerms.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cycle": Cycle.WEEKLY},
        {"weekday": 1},
        {"cycle": Cycle.WEEKLY, "weekday": 8},
        {"reserve_basis_points": 500},
        {"reserve_basis_points": 10_001, "reserve_days": 1},
        {"pay_after_days": 61},
        {"minimum_payout_minor": -1},
        {"pay_to": PayTo.BANK},
        {"bank": BANK},
        {"pay_to": PayTo.BANK, "bank": BANK | {"account": "5140 1111"}},
        {"pay_to": PayTo.BANK, "bank": BANK | {"bic": "MAYBANK"}},
        {"pay_to": PayTo.BANK, "bank": BANK | {"name": ""}},
        {"pay_to": PayTo.ACCOUNT, "account_id": "acc_none"},
    ],
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        agree(MerchantFactory(), replace(NewTerms(), **changes))

    assert not SettlementTerms.objects.exists()
    assert not AuditRecord.objects.filter(action="settlement_terms.set").exists()


def form(merchant: Any, **changes: str) -> dict[str, str]:
    return {
        "merchant": merchant.pk,
        "mode": "test",
        "currency": "MYR",
        "cycle": "WEEKLY 5",
        "cut_off": "17:00",
        "pay_after_days": "2",
        "reserve": "2.5",
        "reserve_days": "90",
        "minimum_payout": "50.00",
        "pay_to": "BANK",
        "holder": "Kedai Sdn Bhd",
        "number": "5140 1111 2222",
        "bic": "MBBEMYKL",
        "reason": "Contract 7",
    } | changes


def test_terms_are_set_in_the_console(sign_in: SignIn) -> None:
    merchant = MerchantFactory()

    assert sign_in("finance_lead").post(URL, form(merchant)).status_code == 302

    terms = SettlementTerms.objects.get()
    assert (terms.cycle, terms.weekday, terms.cut_off, terms.pay_after_days) == ("WEEKLY", 5, time(17, 0), 2)
    assert (terms.reserve_basis_points, terms.reserve_days, terms.minimum_payout_minor) == (250, 90, 5_000)
    assert terms.open_bank() == {"name": "Kedai Sdn Bhd", "account": "514011112222", "bic": "MBBEMYKL"}
    assert (terms.reason, terms.created_by) == ("Contract 7", "operator:demo_finance_lead")


@pytest.mark.parametrize("role", ["finance", "support", "auditor", "none"])
def test_no_permission_no_terms(sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post(URL, form(MerchantFactory())).status_code == 403
    assert not SettlementTerms.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"minimum_payout": "1.234"}, {"reserve": "101"}, {"cut_off": "25:00"}]
)
def test_what_is_wrong_is_said(sign_in: SignIn, changes: dict[str, str]) -> None:
    response = sign_in("finance_lead").post(URL, form(MerchantFactory(), **changes))

    assert response.status_code == 200
    assert not SettlementTerms.objects.exists()


@pytest.mark.parametrize(("format_", "starts"), [("pdf", b"%PDF"), ("xlsx", b"PK"), ("csv", b"id,type,")])
def test_the_document_is_downloaded_from_the_console(sign_in: SignIn, format_: str, starts: bytes) -> None:
    account = priced()
    captured_transaction(account)
    [made] = settled(account.merchant)

    response = sign_in("finance").get(f"/admin/reconciliation/settlement/{made.pk}/{format_}/")

    content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    assert response.status_code == 200
    assert content.startswith(starts)
    assert sign_in("support").get(f"/admin/reconciliation/settlement/{made.pk}/{format_}/").status_code == 403
    assert Settlement.objects.get().version == 1
