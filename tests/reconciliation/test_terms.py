"""Terms change by a new version with a reason; where the money goes is sealed, and only to the merchant's own account."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.approvals import approve, propose, reject
from common.console.html import page_url
from common.database import constraint_of
from common.errors import Forbidden, InvalidRequest, InvalidState
from common.models import AuditRecord, Proposal
from reconciliation.admin.terms_form import TermsForm
from reconciliation.models import PayTo, Settlement, SettlementTerms
from reconciliation.services.terms import SET, NewTerms, terms_propose
from reconciliation.settlement.calendar import Cycle
from tests.console.conftest import SignIn
from tests.factories import NOW, MerchantFactory, captured_transaction, new_account
from tests.factories.agreed import terms_agreed, two_people
from tests.reconciliation.people import person
from tests.reconciliation.test_settle import ACTOR, priced, settled

pytestmark = pytest.mark.django_db
BANK = {"name": "Kedai Sdn Bhd", "account": "514011112222", "bic": "MBBEMYKL", "bank": "Maybank", "country": "MY"}
REASON = {"reason": "Checked", "_form_submitted": "True"}
URL = "/admin/reconciliation/settlementterms/set-terms/"


def agree(merchant: Any, new: NewTerms, currency: str = "MYR") -> SettlementTerms:
    return terms_agreed(merchant.pk, new, currency=currency)


def ask(merchant: Any, new: NewTerms, by: User | None = None, currency: str = "MYR") -> Proposal:
    key = {"merchant_id": merchant.pk, "live": False, "currency": currency}
    return terms_propose(**key, new=new, by=by or two_people()[0], actor=ACTOR, reason="As agreed", now=NOW)


def say_yes(proposal: Proposal, by: User | None = None) -> None:
    approve(proposal_id=proposal.pk, by=by or two_people()[1], reason="", actor=ACTOR, now=NOW)


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
        cursor.execute("SELECT concat(t::text, r::text, p::text) FROM settlement_terms t, audit_record r, proposal p")
        rows = cursor.fetchall()
    assert rows
    assert all("514011112222" not in row for (row,) in rows)


def test_only_to_an_account_of_the_merchants_own() -> None:
    merchant, other = MerchantFactory(), MerchantFactory()
    own, foreign = new_account(merchant, 0), new_account(other, 0)

    terms = agree(merchant, NewTerms(pay_to=PayTo.ACCOUNT, account_id=own.pk), own.currency)

    assert terms.account == own
    with pytest.raises(InvalidRequest):
        agree(merchant, NewTerms(pay_to=PayTo.ACCOUNT, account_id=foreign.pk), own.currency)
    values = {field.attname: getattr(terms, field.attname) for field in SettlementTerms._meta.concrete_fields}
    with pytest.raises(IntegrityError, match="not of the merchant"), database.atomic():
        SettlementTerms.objects.create(**values | {"id": "trm_x", "version": 2, "account_id": foreign.pk})
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
        ask(MerchantFactory(), replace(NewTerms(), **changes))

    assert not Proposal.objects.exists()
    assert not AuditRecord.objects.exists()


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


def test_one_person_makes_no_terms(sign_in: SignIn) -> None:
    merchant = MerchantFactory()

    answer = sign_in("finance").post(URL, form(merchant))

    proposal = Proposal.objects.get()
    assert answer["Location"] == page_url(proposal)
    assert not SettlementTerms.objects.exists()
    shown = sign_in("finance_lead").get(answer["Location"]).content.decode()
    for what in ("Weekly", "Friday", "514011112222", "Kedai Sdn Bhd", "2.5 %", "50.00"):
        assert what in shown
    sign_in("finance").post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    assert not SettlementTerms.objects.exists()

    sign_in("finance_lead").post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)

    terms = SettlementTerms.objects.get()
    assert (terms.cycle, terms.weekday, terms.cut_off, terms.pay_after_days) == ("WEEKLY", 5, time(17, 0), 2)
    assert (terms.reserve_basis_points, terms.reserve_days, terms.minimum_payout_minor) == (250, 90, 5_000)
    assert terms.open_bank() == {"name": "Kedai Sdn Bhd", "account": "514011112222", "bic": "MBBEMYKL"}
    assert (terms.reason, terms.created_by, terms.proposal) == ("Contract 7", "operator:demo_finance", proposal)
    assert "514011112222" not in sign_in("finance_lead").get(page_url(proposal)).content.decode()


def test_only_two_different_people_who_may_agree() -> None:
    merchant, fin, lead = MerchantFactory(), person("fin"), person("lead", "finance_lead")
    mine = ask(merchant, NewTerms(pay_to=PayTo.BANK, bank=BANK), by=lead)

    for by in (lead, fin):
        with pytest.raises(Forbidden):
            say_yes(mine, by)
    with pytest.raises(InvalidState):  # others wait already
        ask(merchant, NewTerms(pay_after_days=3), by=fin)
    reject(proposal_id=mine.pk, by=lead, reason="", actor=ACTOR, now=NOW)
    theirs = ask(merchant, NewTerms(pay_after_days=3), by=fin)
    lead.groups.clear()
    with pytest.raises(Forbidden):
        say_yes(theirs, User.objects.get(pk=lead.pk))

    assert not SettlementTerms.objects.exists()
    assert not AuditRecord.objects.filter(action=SET).exists()


def test_terms_that_came_in_between_make_a_proposal_void() -> None:
    merchant = MerchantFactory()
    late = ask(merchant, NewTerms(pay_to=PayTo.BANK, bank=BANK))
    _, second = two_people()
    other = propose(  # the same merchant, asked in another way
        kind=SET,
        subject_type="x",
        subject_id="x",
        summary="x",
        reason="x",
        pins=[],
        by=second,
        actor=ACTOR,
        now=NOW,
        merchant_id=merchant.pk,
        parameters=late.parameters
        | {"row": late.parameters["row"] | {"id": "trm_other", "bank_sealed": "", "pay_to": "NOWHERE"}},
    )
    say_yes(other, two_people()[0])

    with pytest.raises(InvalidState, match="in between"):
        say_yes(late)

    late.refresh_from_db()
    assert (late.state, SettlementTerms.objects.get().pk) == ("VOID", "trm_other")


def test_the_database_takes_no_terms_that_two_people_did_not_agree_on() -> None:
    terms = agree(MerchantFactory(), NewTerms(pay_to=PayTo.BANK, bank=BANK))
    values = {field.attname: getattr(terms, field.attname) for field in SettlementTerms._meta.concrete_fields}
    waiting = ask(terms.merchant, NewTerms(pay_after_days=5))
    lies: list[dict[str, Any]] = [
        {"proposal_id": None},
        {"proposal_id": waiting.pk},
        {"bank_hint": "Another bank …6666"},
        {"minimum_payout_minor": 1},
    ]
    for lie in lies:
        with pytest.raises(IntegrityError) as refused, database.atomic():
            SettlementTerms.objects.create(**values | {"id": "trm_x", "version": 2} | lie)
        assert constraint_of(refused.value) == "settlement_terms_as_agreed"

    assert SettlementTerms.objects.get() == terms


@pytest.mark.parametrize("role", ["operations", "support", "auditor", "none"])
def test_no_permission_no_terms(sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post(URL, form(MerchantFactory())).status_code == 403
    assert not Proposal.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"minimum_payout": "1.234"}, {"reserve": "101"}, {"cut_off": "25:00"}]
)
def test_what_is_wrong_is_said(sign_in: SignIn, changes: dict[str, str]) -> None:
    response = sign_in("finance").post(URL, form(MerchantFactory(), **changes))

    assert response.status_code == 200
    assert not Proposal.objects.exists()


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


def test_the_form_of_terms_shows_each_of_its_fields_once() -> None:
    form = TermsForm()

    assert sorted(field.name for _, fields in form.groups() for field in fields) == sorted(form.fields)
