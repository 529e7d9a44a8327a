"""Money of provider accounts that are not ours: it waits in the house's suspense, leaves it by two people, and has its limit like any other."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from common.books import Asked
from common.database import constraint_of
from common.errors import Forbidden, InvalidState
from common.models import Proposal
from reconciliation.models import Break, Remittance
from reconciliation.services.imports import statement_import
from reconciliation.services.resolutions import ADJUST, MATCH, WRITE_OFF
from tests.factories import ProviderAccountFactory
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file, reconciled
from tests.reconciliation.given_bank import Booked, bank_account, bank_imported, bank_reconciled, open_bank_kinds
from tests.reconciliation.people import person
from tests.reconciliation.test_reconcile_bank import balances, named
from tests.reconciliation.test_resolutions import LATER, approved, proposed

pytestmark = pytest.mark.django_db

ASKED = Asked(now=LATER + timedelta(days=9), unpublished_for=timedelta(days=99))


def strange(minor: int = 40_000) -> Remittance:
    """A line, and so a remittance, of an account that nobody has registered."""
    bank_account()
    account = ProviderAccountFactory(account_key="SE1")
    line = Listed("SE9", "F9", "EPG9", minor=minor, fee=0)
    statement_import(
        content=fpx_file([line]), provider="fpx", account=None, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    )
    reconciled(account)
    return Remittance.objects.get(account_key="SE9", provider_account=None)


def test_what_comes_for_a_strange_account_waits_and_is_paid_back() -> None:
    remittance = strange()
    bank_imported([Booked("B1", 40_000, text=named(remittance)), Booked("B2", -40_000), Booked("B3", -40_000)])
    bank_reconciled()
    assert balances() == {"bank": 40_000, "suspense": -40_000}
    assert wrong(ASKED) == {}
    back, again = (Break.objects.get(bank_line__reference=name) for name in ("B2", "B3"))

    waiting = proposed(again, ADJUST, counter="suspense")
    approved(proposed(back, ADJUST, counter="suspense"))

    assert balances() == {}
    for act in (lambda: approved(waiting), lambda: proposed(again, ADJUST, counter="suspense")):
        with pytest.raises(InvalidState, match=r"Only 0\.00 MYR waits in suspense"):
            act()
    assert (balances(), wrong(ASKED)) == ({}, {})


def test_only_what_a_bank_shows_is_booked_against_suspense() -> None:
    strange()

    for kind in (ADJUST, WRITE_OFF):
        with pytest.raises(InvalidState, match="Only what a bank shows"):
            proposed(Break.objects.get(line__provider_reference="F9"), kind, counter="suspense")

    assert not Proposal.objects.filter(subject_type="break").exists()


def test_matched_by_hand_it_waits_as_well() -> None:
    remittance = strange()
    bank_imported([Booked("B1", 30_000)])
    bank_reconciled()

    proposal = proposed(
        Break.objects.get(bank_line__reference="B1"), MATCH, remittances=[remittance.pk], counter="bank_charges"
    )
    assert "difference MYR -100.00; booked MYR 400.00" in proposal.summary
    approved(proposal)

    assert open_bank_kinds() == []
    assert balances() == {"bank": 30_000, "bank_charges": 10_000, "suspense": -40_000}
    assert wrong(ASKED) == {}


def test_the_limit_sees_what_books_nothing() -> None:
    strange(50_001)
    found = Break.objects.get(line__provider_reference="F9")
    clerk = person("clerk")

    with pytest.raises(Forbidden, match=r"500\.01 MYR is above your limit of 500\.00 MYR"):
        proposed(found, WRITE_OFF, by=clerk)
    assert not Proposal.objects.filter(subject_type="break").exists()

    proposal = proposed(found, WRITE_OFF, by=person("lead", "finance_lead"))
    assert "difference MYR 500.01; nothing to book" in proposal.summary
    copy = "INSERT INTO proposal SELECT (jsonb_populate_record(NULL::proposal, to_jsonb(p) || %s)).* FROM proposal p WHERE id = %s"
    asked = json.dumps({"id": "prp_2", "subject_id": "x", "proposed_by_id": clerk.pk})
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(copy, [asked, proposal.pk])
    assert constraint_of(caught.value) == "proposal_within_write_off_limit"


def test_suspense_of_the_house_that_nothing_explains_is_named() -> None:
    remittance = strange()
    bank_imported([Booked("B1", 40_000, text=named(remittance))])
    bank_reconciled()

    with rules_lifted("reconciliation_match_group"), connection.cursor() as cursor:
        cursor.execute("UPDATE reconciliation_match_group SET entry_id = NULL")

    assert "the_house_s_suspense_is_what_came_for_strangers" in wrong(ASKED)
