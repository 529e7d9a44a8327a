"""A break ends by two people: claimed, booked and closed at once, or nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from common.approvals import approve, reject
from common.books import Asked, verify
from common.database import constraint_of
from common.errors import Forbidden, InvalidState
from common.models import AuditRecord, Fact, Proposal, ProposalState
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import JournalEntry, Operation, Posting
from reconciliation.limits import DEFAULTS, sync_limits
from reconciliation.models import Break, Match, MatchGroup, StatementLine, WriteOffLimit
from reconciliation.services.day_figures import unexplained
from reconciliation.services.resolutions import ADJUST, DISPUTE, MATCH, WRITE_OFF, propose_resolution
from tests.factories import ProviderAccountFactory, captured_transaction, new_transaction, sale_of
from tests.factories.agreed import write_off_limit_agreed
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import ACTOR, NEXT_MORNING, Listed, imported, listed, reconciled
from tests.reconciliation.people import person
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NEXT_MORNING + timedelta(hours=2)


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccountFactory()


def orphan(account: ProviderAccount, minor: int = 7_000, name: str = "F404") -> Break:
    """A line that nobody knows."""
    imported(account, [Listed(account.account_key, name, "EPG404", minor=minor)])
    reconciled(account)
    return Break.objects.get(line__provider_reference=name, resolved_at=None)


def proposed(found: Break, kind: str, **more: Any) -> Proposal:
    by = more.pop("by", None) or person(f"maker{User.objects.count()}")
    return propose_resolution(kind=kind, break_id=found.pk, by=by, reason="Known", actor=ACTOR, now=LATER, **more)


def approved(proposal: Proposal) -> Proposal:
    lead = person(f"second{User.objects.count()}", "finance_lead")
    return approve(proposal_id=proposal.pk, by=lead, reason="Seen", actor=ACTOR, now=LATER)


def booked() -> dict[str, int]:
    """Of entries that no payment and no remittance made: the sum per kind of account."""
    sums: dict[str, int] = {}
    of_people = Posting.objects.filter(entry__transaction=None).exclude(entry__fact_name="remittance.announced")
    for kind, minor in of_people.values_list("account__kind", "amount_minor"):
        sums[kind] = sums.get(kind, 0) + minor
    return sums


def books_are_right() -> list[str]:
    return [
        f"{check.name}: {line}"
        for check, found in verify(Asked(now=LATER, unpublished_for=timedelta(days=9)))
        for line in found.violations
    ]


def test_a_write_off_claims_books_and_closes(account: ProviderAccount) -> None:
    found = orphan(account)

    proposal = proposed(found, WRITE_OFF)
    assert not MatchGroup.objects.exists()
    assert "difference MYR 70.00; booked MYR 70.00" in proposal.summary
    approved(proposal)

    found.refresh_from_db()
    assert (found.resolution, found.resolved_by_proposal, found.resolved_by_run) == ("WRITTEN_OFF", proposal, None)
    group = MatchGroup.objects.get()
    assert (group.proposal, group.rule, group.explanation["differences"]["amount"]) == (
        proposal,
        "BY_HAND",
        {"MYR": 7_000},
    )
    assert booked() == {"provider_receivable": 7_000, "differences": -7_000}
    fact = Fact.objects.get(subject_id=group.pk)
    assert (fact.name, fact.sequence, JournalEntry.objects.get(fact_id=fact.pk)) == (
        "break.written_off",
        1,
        group.entry,
    )
    assert AuditRecord.objects.filter(subject_id=group.pk, action="break.written_off", reason="Known").count() == 1
    run = reconciled(account, now=LATER)
    assert (run.breaks_opened, run.breaks_closed, unexplained(provider="fpx", live=False)) == (0, 0, {})
    assert books_are_right() == []


def test_a_payment_that_never_arrives_is_written_off_the_other_way(account: ProviderAccount) -> None:
    sale_of(captured_transaction(account))
    imported(account, [])
    reconciled(account)

    approved(proposed(Break.objects.get(), WRITE_OFF))

    assert booked() == {"provider_receivable": -10_000, "differences": 10_000}
    assert books_are_right() == []


def test_two_breaks_are_matched_with_each_other(account: ProviderAccount) -> None:
    sale = sale_of(captured_transaction(account))
    found = orphan(account, minor=10_000)

    approved(proposed(found, MATCH, operations=[sale.pk]))

    assert set(Break.objects.values_list("resolution", flat=True)) == {"MATCHED"}
    assert Break.objects.count() == 2
    assert set(Match.objects.values_list("line", "operation")) == {(found.line_id, None), (None, sale.pk)}
    assert booked() == {}
    assert reconciled(account, now=LATER).breaks_opened == 0


def test_what_does_not_add_up_is_matched_with_the_difference_booked(account: ProviderAccount) -> None:
    sales = [sale_of(captured_transaction(account)) for _ in range(2)]
    found = orphan(account, minor=19_950)

    proposal = approved(proposed(found, MATCH, operations=[sale.pk for sale in sales], counter="provider_fees"))

    assert proposal.parameters["differences"] == {"MYR": -50}
    assert len(proposal.parameters["breaks"]) == 3
    assert booked() == {"provider_receivable": -50, "provider_fees": 50}
    assert unexplained(provider="fpx", live=False) == {}


def test_another_fee_is_accepted_without_a_posting(account: ProviderAccount) -> None:
    imported(account, [listed(sale_of(captured_transaction(account)), fee=90)])
    reconciled(account)
    assert unexplained(provider="fpx", live=False) == {"MYR": -40}

    approved(proposed(Break.objects.get(kind="FEE_MISMATCH"), ADJUST))

    assert booked() == {}
    assert Break.objects.get().resolution == "ADJUSTED"


def test_a_line_listed_twice_is_written_off_alone(account: ProviderAccount) -> None:
    sale = sale_of(captured_transaction(account))
    imported(account, [listed(sale, provider_reference="F1"), listed(sale, provider_reference="F2")])
    reconciled(account)
    found = Break.objects.get(kind="DUPLICATE_LINE")

    approved(proposed(found, WRITE_OFF))

    assert booked() == {"provider_receivable": 10_000, "differences": -10_000}
    assert Match.objects.filter(operation=sale).count() == 1


def chargeback(account: ProviderAccount) -> Break:
    """A chargeback line, written past the parser: the format of the file is not the question here."""
    found = orphan(account)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO statement_line (statement_id, number, provider, account_key, provider_account_id, type, provider_reference,"
            " occurrence, our_reference, at, currency, amount_minor, fee_minor, net_minor, status_code) SELECT statement_id, 2, provider,"
            " account_key, provider_account_id, 'CHARGEBACK', 'CB1', 1, '', at, currency, -2500, 0, -2500, status_code FROM statement_line"
            " RETURNING id"
        )
        line_id = cursor.fetchone()[0]
    Break.objects.filter(pk=found.pk).update(line=line_id, their_minor=-2_500)
    found.refresh_from_db()
    return found


def test_a_chargeback_is_taken_from_what_the_merchant_is_owed(account: ProviderAccount) -> None:
    found = chargeback(account)

    with pytest.raises(InvalidState, match="not a chargeback"):
        proposed(orphan(account, name="F405"), DISPUTE)
    approved(proposed(found, DISPUTE))

    assert booked() == {"merchant_payable": 2_500, "provider_receivable": -2_500}
    merchant = Posting.objects.get(account__kind="merchant_payable", entry__transaction=None).account.merchant_id
    assert merchant == account.merchant_id
    assert Fact.objects.get(name="dispute.charged_back").merchant_id == account.merchant_id


def test_what_may_not_be_proposed_is_refused_and_nothing_happens(account: ProviderAccount) -> None:
    sale = sale_of(new_transaction(account).transaction)
    Operation.objects.filter(pk=sale.pk).update(state="PENDING", due_at=LATER)
    imported(account, [listed(sale)])
    reconciled(account)
    pending = Break.objects.get()
    unknown = orphan(account)

    with pytest.raises(InvalidState, match="ask the provider first"):
        proposed(pending, WRITE_OFF)
    with pytest.raises(InvalidState, match="other side"):
        proposed(unknown, MATCH)
    with pytest.raises(InvalidState, match="not booked by hand"):
        proposed(unknown, ADJUST, counter="merchant_payable")
    with pytest.raises(InvalidState, match="not there"):
        proposed(unknown, MATCH, operations=[sale_of(captured_transaction(ProviderAccountFactory(provider="migs"))).pk])
    with pytest.raises(Forbidden):
        proposed(unknown, WRITE_OFF, by=person("ops", "operations"))

    assert not Proposal.objects.exists()
    assert not MatchGroup.objects.exists()


def test_above_the_limit_only_a_lead_proposes(account: ProviderAccount) -> None:
    found = orphan(account, minor=50_001)

    with pytest.raises(Forbidden, match=r"500\.01 MYR is above your limit of 500\.00 MYR"):
        proposed(found, WRITE_OFF)

    assert proposed(found, WRITE_OFF, by=person("lead", "finance_lead")).state == ProposalState.OPEN


def test_the_limit_is_what_two_people_agreed_on(account: ProviderAccount) -> None:
    found = orphan(account, minor=50_001)
    clerk = person("clerk")
    write_off_limit_agreed("MYR", 50_001)

    proposal = proposed(found, WRITE_OFF, by=clerk)
    reject(proposal_id=proposal.pk, by=clerk, reason="", actor=ACTOR, now=LATER)
    write_off_limit_agreed("MYR", 0)

    with pytest.raises(Forbidden, match=r"above your limit of 0\.00 MYR"):
        proposed(found, WRITE_OFF, by=clerk)


def above_the_limit(account: ProviderAccount) -> Break:
    return orphan(account, minor=50_001)


def fee_above_the_limit(account: ProviderAccount) -> Break:
    imported(account, [listed(sale_of(captured_transaction(account, amount=Money(200_000, "MYR"))), fee=50_051)])
    reconciled(account)
    return Break.objects.get(kind="FEE_MISMATCH")


@pytest.mark.parametrize("given", [above_the_limit, fee_above_the_limit])
def test_the_database_keeps_the_limit_too(account: ProviderAccount, given: Callable[[ProviderAccount], Break]) -> None:
    proposal = proposed(given(account), WRITE_OFF, by=person("lead", "finance_lead"))
    clerk, before = person("clerk"), Proposal.objects.count()
    copy = """INSERT INTO proposal SELECT (jsonb_populate_record(NULL::proposal, to_jsonb(p) || %s)).* FROM proposal p WHERE id = %s"""

    def refused(**changes: Any) -> str:
        asked = {"id": "prp_2", "subject_id": "x", "proposed_by_id": clerk.pk} | changes
        with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(copy, [json.dumps(asked), proposal.pk])
        return constraint_of(caught.value)

    for kind in (WRITE_OFF, ADJUST, MATCH):
        assert refused(kind=kind) == "proposal_within_write_off_limit"
    assert Proposal.objects.count() == before
    write_off_limit_agreed("MYR", 50_001)
    with connection.cursor() as cursor:
        cursor.execute(copy, [json.dumps({"id": "prp_2", "subject_id": "x", "proposed_by_id": clerk.pk}), proposal.pk])
        assert cursor.rowcount == 1


def test_what_the_product_begins_with_is_let_in_and_nothing_else() -> None:
    assert dict(WriteOffLimit.objects.values_list("currency", "limit_minor")) == DEFAULTS
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        WriteOffLimit.objects.create(currency="THB", limit_minor=1)
    assert constraint_of(caught.value) == "write_off_limit_as_agreed"
    with rules_lifted("write_off_limit"):
        WriteOffLimit.objects.filter(currency="MYR").delete()
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        WriteOffLimit.objects.create(currency="MYR", limit_minor=DEFAULTS["MYR"] + 1)
    assert constraint_of(caught.value) == "write_off_limit_as_agreed"
    sync_limits()
    assert WriteOffLimit.objects.get(pk="MYR").limit_minor == DEFAULTS["MYR"]


def test_nobody_approves_their_own_and_twice_is_once(account: ProviderAccount) -> None:
    found = orphan(account)
    maker = person("boss", "superuser")
    proposal = proposed(found, WRITE_OFF, by=maker)
    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=maker, reason="", actor=ACTOR, now=LATER)
    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=person("clerk"), reason="", actor=ACTOR, now=LATER)
    assert not MatchGroup.objects.exists()
    leads = [person(f"lead{n}", "finance_lead") for n in range(4)]

    results = race(4, lambda n: approve(proposal_id=proposal.pk, by=leads[n], reason="", actor=ACTOR, now=LATER))

    assert sum(isinstance(result, Proposal) for result in results) == 1
    assert booked() == {"provider_receivable": 7_000, "differences": -7_000}


@pytest.mark.parametrize("change", ["resolved by a run", "operation moved", "claimed"])
def test_what_changed_since_makes_it_void(account: ProviderAccount, change: str) -> None:
    sale = sale_of(captured_transaction(account))
    found = orphan(account, minor=10_000)
    proposal = proposed(found, MATCH, operations=[sale.pk])
    match change:
        case "resolved by a run":
            imported(account, [listed(sale, provider_reference="F2")])
            reconciled(account, now=LATER)
        case "operation moved":
            Operation.objects.filter(pk=sale.pk).update(provider_reference="other")
        case "claimed":
            run = reconciled(account)
            Match.objects.create(run=run, line=found.line, operation=sale, rule="REFERENCE")

    with pytest.raises(InvalidState, match="void"):
        approved(proposal)

    proposal.refresh_from_db()
    assert proposal.state == ProposalState.VOID
    assert not MatchGroup.objects.exists()
    assert booked() == {}


def test_the_database_closes_a_break_only_by_its_own_approved_proposal(account: ProviderAccount) -> None:
    found = orphan(account)
    proposal = proposed(found, WRITE_OFF)

    def close(break_id: int, proposal: Proposal) -> str:
        try:
            with transaction.atomic():
                Break.objects.filter(pk=break_id).update(
                    resolved_at=LATER, resolved_by_proposal=proposal, resolution="WRITTEN_OFF"
                )
        except IntegrityError as exc:
            return constraint_of(exc)
        return ""

    assert close(found.pk, proposal) == "reconciliation_break_needs_approval"
    with pytest.raises(IntegrityError, match="needs an approved proposal"), transaction.atomic():
        MatchGroup.objects.create(id="g", comparison="LEDGER", rule="BY_HAND", proposal=proposal, created_at=LATER)
    approved(proposal)
    other = orphan(account, name="F405")
    assert close(other.pk, proposal) == "reconciliation_break_s_own_proposal"
    assert StatementLine.objects.count() == 2
