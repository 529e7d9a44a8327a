"""Payouts: two people, one destination, one payment; paid only when it is shown, and what comes back is owed again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.approvals import reject
from common.database import constraint_of
from common.errors import Forbidden, InvalidAccountStatus, InvalidRequest, InvalidState, NotFound
from common.events import EVENT_OF_FACT
from common.models import AuditRecord, Fact, Proposal, ProposalState
from payments.models import Posting
from payments.models.ledger import AccountKind
from payments.services.accounts import account_move
from payments.states import AccountStatus
from reconciliation.models import (
    BankMatch,
    Comparison,
    MatchGroup,
    MatchRule,
    Payout,
    PayoutState,
    ReconciliationRun,
    Settlement,
)
from reconciliation.services.payout_files import payouts_send
from reconciliation.services.payouts import payout_cancel, payout_confirm, payouts_propose, payouts_tidy
from tests.factories import NOW, captured_transaction
from tests.payments.verify.books import wrong
from tests.reconciliation.paying import (
    ACTOR,
    LATER,
    SHOP,
    bank_lines,
    banked,
    checker,
    maker,
    our_bank,
    proposed,
    proven,
    released,
    to_account,
    to_bank,
    yes,
)
from tests.reconciliation.people import person
from tests.reconciliation.test_settle import AFTER, DAY, owed, priced, settled
from tests.support.race import race

pytestmark = pytest.mark.django_db
NET = 9_830  # 100.00 less 1.5 % and 0.20


def ledger(code: str) -> int:
    return sum(Posting.objects.filter(account=code).values_list("amount_minor", flat=True))


def facts(subject_id: str) -> list[str]:
    return list(Fact.objects.filter(subject_id=subject_id).order_by("sequence").values_list("name", flat=True))


def refused_sql(sql: str, *parameters: object) -> str:
    with pytest.raises(IntegrityError) as caught, database.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return constraint_of(caught.value)


def test_a_book_transfer_is_paid_when_a_second_person_releases_it() -> None:
    settlement, account = to_account()
    proposal = proposed(settlement)
    assert proposal.summary == f"Pay 98.30 MYR to {settlement.merchant.code} (test): account {account.pk}"

    yes(proposal)

    payout = Payout.objects.get()
    settlement.refresh_from_db()
    account.refresh_from_db()
    assert (payout.state, payout.amount_minor, payout.paid_at, settlement.state) == ("PAID", NET, LATER, "PAID")
    assert (account.balance_minor, owed(settlement.merchant, AccountKind.PAYOUT_IN_TRANSIT)) == (NET, 0)
    assert facts(payout.pk) == ["payout.proposed", "payout.approved", "payout.paid"]
    assert facts(settlement.pk) == ["settlement.created", "settlement.payout_pending", "settlement.paid"]
    assert EVENT_OF_FACT["payout.paid"] == "payout.paid"
    fact = Fact.objects.get(name="payout.paid")
    assert (fact.payload["amount"], fact.payload["reference"]) == ("98.30", payout.end_to_end_id)
    assert wrong() == {}


def test_a_bank_payout_is_paid_when_the_bank_s_line_proves_it() -> None:
    our_bank()
    settlement = to_bank()
    [payout] = released(settlement)
    assert (payout.state, payout.destination) == ("APPROVED", "Kedai Sdn Bhd, Maybank …8901")
    payouts_send(now=LATER)
    assert proven().paid == 0

    bank_lines((payout.end_to_end_id, -NET))
    assert (proven().paid, proven().paid) == (1, 0)

    payout.refresh_from_db()
    settlement.refresh_from_db()
    assert (payout.state, settlement.state) == ("PAID", "PAID")
    assert ledger("bank:mybank/514011112222:test:MYR") == -NET
    assert owed(settlement.merchant, AccountKind.PAYOUT_IN_TRANSIT) == 0
    assert wrong() == {}


@pytest.mark.parametrize(
    "lines",
    [
        [("{}", -NET + 1)],
        [("{}", NET)],  # a return of what the bank never showed to leave
        [("PYT20260302XXXXXXXXXXXX", -NET)],
    ],
)
def test_a_line_that_does_not_fit_proves_nothing(lines: list[tuple[str, int]]) -> None:
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=LATER)
    bank_lines(*((name.format(payout.end_to_end_id), minor) for name, minor in lines))

    assert (proven().paid, proven().returned) == (0, 0)

    payout.refresh_from_db()
    assert payout.state == "SENT"
    assert ledger("bank:mybank/514011112222:test:MYR") == 0


def test_what_comes_back_is_owed_again_and_in_the_next_settlement() -> None:
    our_bank()
    settlement = to_bank()
    [payout] = released(settlement)
    payouts_send(now=LATER)
    bank_lines((payout.end_to_end_id, NET), (payout.end_to_end_id, -NET))

    assert (lambda found: (found.paid, found.returned))(proven()) == (1, 1)

    payout.refresh_from_db()
    settlement.refresh_from_db()
    assert (payout.state, payout.reason, settlement.state) == ("RETURNED", "RETURN AC04", "RETURNED")
    assert ledger("bank:mybank/514011112222:test:MYR") == 0
    assert owed(settlement.merchant) == NET
    assert wrong() == {}
    [following] = settled(settlement.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    assert (following.adjustment_minor, following.net_minor, following.state) == (NET, NET, "CREATED")
    assert wrong() == {}


def test_two_people_may_say_that_it_arrived_and_the_bank_may_say_it_later() -> None:
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=LATER)
    ask = {"payout_id": payout.pk, "reason": "The merchant confirmed", "actor": ACTOR, "now": LATER}

    yes(payout_confirm(**ask, returned=False, by=maker()))

    payout.refresh_from_db()
    assert (payout.state, ledger("bank:unproven:test:MYR")) == ("PAID", -NET)
    assert wrong() == {}
    bank_lines((payout.end_to_end_id, -NET))
    assert proven().paid == 1
    assert (ledger("bank:unproven:test:MYR"), ledger("bank:mybank/514011112222:test:MYR")) == (0, -NET)
    assert facts(payout.pk)[-2:] == ["payout.paid", "payout.proven"]
    assert wrong() == {}


def test_two_people_may_say_that_it_came_back() -> None:
    our_bank()
    settlement = to_bank()
    [payout] = released(settlement)
    payouts_send(now=LATER)

    yes(payout_confirm(payout_id=payout.pk, returned=True, by=maker(), reason="Letter", actor=ACTOR, now=LATER))

    payout.refresh_from_db()
    assert (payout.state, owed(settlement.merchant)) == ("RETURNED", NET)
    assert wrong() == {}


def test_several_settlements_are_released_together_or_not_at_all() -> None:
    (first, account), second = to_account(), to_bank()
    account_move(account_id=account.pk, to=AccountStatus.FROZEN, actor=ACTOR, reason="x", now=NOW)
    proposal = proposed(first, second)
    assert proposal.summary == "Pay 196.60 MYR out to 2 merchants in 2 payouts"

    with pytest.raises(InvalidAccountStatus):
        yes(proposal)

    proposal.refresh_from_db()
    assert proposal.state == ProposalState.OPEN
    assert set(Payout.objects.values_list("state", flat=True)) == {"PENDING_APPROVAL"}
    account_move(account_id=account.pk, to=AccountStatus.ACTIVE, actor=ACTOR, reason="x", now=NOW)
    yes(proposal)
    assert set(Payout.objects.values_list("state", flat=True)) == {"PAID", "APPROVED"}
    assert wrong() == {}


def test_nobody_releases_their_own_or_without_the_permission() -> None:
    settlement, account = to_account()
    boss = person("boss", "superuser")
    proposal = proposed(settlement, by=boss)
    lost = checker("lost")
    lost.groups.clear()

    for who in (boss, lost, person("clerk")):
        with pytest.raises(Forbidden):
            yes(proposal, type(who).objects.get(pk=who.pk))

    account.refresh_from_db()
    assert (Payout.objects.get().state, account.balance_minor) == ("PENDING_APPROVAL", 0)
    with pytest.raises(Forbidden):
        proposed(to_bank(), by=person("reader", "auditor"))
    assert Payout.objects.count() == 1


def test_above_the_limit_it_takes_a_permission_of_its_own(settings) -> None:
    settings.PAYOUT_LIMIT = 98
    settlement, _ = to_account()

    proposal = proposed(settlement)

    assert proposal.permission == "reconciliation.release_large_payout"
    with pytest.raises(Forbidden):
        yes(proposal)
    yes(proposal, checker("boss", "superuser"))
    assert Payout.objects.get().state == "PAID"


def test_changed_terms_void_the_proposal_and_a_new_destination_has_to_cool() -> None:
    settlement = to_bank()
    proposal = proposed(settlement)
    banked(settlement.merchant, SHOP | {"account": "599999999999"}, now=LATER)

    with pytest.raises(InvalidState, match="void"):
        yes(proposal)

    again = proposed(settlement, now=LATER)
    old, new = Payout.objects.order_by("pk")
    assert (old.state, old.destination[-4:], new.state, new.destination[-4:]) == (
        "CANCELLED",
        "8901",
        "PENDING_APPROVAL",
        "9999",
    )
    with pytest.raises(InvalidState, match="may be used from"):
        yes(again, now=LATER + timedelta(hours=23, minutes=59))
    yes(again, now=LATER + timedelta(hours=24))
    new.refresh_from_db()
    assert new.state == "APPROVED"


def test_other_changes_of_the_terms_do_not_restart_the_cooling() -> None:
    settlement = to_bank()
    banked(settlement.merchant, SHOP | {"account": "599999999999"}, now=NOW)
    banked(settlement.merchant, SHOP | {"account": "599999999999"}, now=LATER, minimum_payout_minor=1)

    proposed(settlement)

    assert Payout.objects.get().usable_from == NOW + timedelta(hours=24)


def test_what_cannot_be_paid_out_is_not_proposed() -> None:
    nowhere = priced()
    captured_transaction(nowhere)
    [unknown] = settled(nowhere.merchant)
    spoiled = to_bank()
    banked(spoiled.merchant, SHOP | {"account": "GB82WEST12345698765433"})
    paid, _ = to_account()
    released(paid)

    for settlements, error in (([unknown], InvalidState), ([spoiled], InvalidState), ([paid], InvalidState)):
        with pytest.raises(error):
            proposed(*settlements)
    with pytest.raises(NotFound):
        payouts_propose(settlement_ids=["stl_none"], by=maker(), reason="x", actor=ACTOR, now=LATER)
    with pytest.raises(InvalidRequest):
        proposed()
    assert Payout.objects.count() == Proposal.objects.filter(kind="payout.release").count() == 1


def test_cancelling_leaves_the_settlement_to_be_paid_out_anew() -> None:
    settlement = to_bank()
    [payout] = released(settlement)

    payout_cancel(payout_id=payout.pk, reason="wrong day", actor=ACTOR, now=LATER)

    settlement.refresh_from_db()
    assert settlement.state == "CREATED"
    assert facts(settlement.pk)[-1] == "settlement.payout_cancelled"
    our_bank()
    payouts_send(now=LATER)
    [_, second] = released(settlement)
    payouts_send(now=LATER)
    with pytest.raises(InvalidState):
        payout_cancel(payout_id=second.pk, reason="late", actor=ACTOR, now=LATER)
    assert list(Payout.objects.order_by("pk").values_list("state", flat=True)) == ["CANCELLED", "SENT"]
    assert wrong() == {}


def test_what_nobody_released_is_given_up() -> None:
    settlement = to_bank()
    proposal = proposed(settlement)
    assert payouts_tidy(actor=ACTOR, now=LATER) == 0
    reject(proposal_id=proposal.pk, by=checker(), reason="no", actor=ACTOR, now=LATER)

    assert payouts_tidy(actor=ACTOR, now=LATER) == 1

    assert Payout.objects.get().state == "CANCELLED"
    assert proposed(settlement).state == ProposalState.OPEN


def test_the_database_refuses_what_the_service_would_not_do() -> None:
    our_bank()
    settlement = to_bank()
    other = to_bank()
    [gone] = released(other)
    proposal = proposed(settlement)
    payout = Payout.objects.get(settlement=settlement)
    move = "UPDATE payout SET state = %s, approved_at = now(), paid_at = now() WHERE id = %s"

    assert refused_sql(move, "APPROVED", payout.pk) == "payout_needs_approval"
    by_another = "UPDATE payout SET state = 'APPROVED', approved_at = now(), proposal_id = %s WHERE id = %s"
    assert refused_sql(by_another, gone.proposal_id, payout.pk) == "payout_needs_approval"
    assert refused_sql("UPDATE payout SET bank_sealed = 'x' WHERE id = %s", payout.pk) == "payout_fixed_columns"
    assert refused_sql("UPDATE payout SET amount_minor = 1 WHERE id = %s", payout.pk) == "payout_fixed_columns"
    yes(proposal)
    payouts_send(now=LATER)
    assert refused_sql(move, "PAID", payout.pk) == "payout_is_proven"
    assert refused_sql(move, "RETURNED", payout.pk) == "payout_is_proven"
    [line] = bank_lines((payout.end_to_end_id, NET))
    claimless = "UPDATE payout SET state = 'RETURNED', returned_line_id = %s WHERE id = %s"
    assert refused_sql(claimless, line.pk, payout.pk) == "payout_is_proven"
    [elsewhere] = bank_lines((payout.end_to_end_id, -payout.amount_minor), account_key="9999")
    run = ReconciliationRun.objects.create(
        id="run_x", provider="mybank", live=False, day=DAY, actor="system:test", started_at=LATER
    )
    group = MatchGroup.objects.create(
        id="mtg_x", comparison=Comparison.BANK, rule=MatchRule.REFERENCE, run=run, created_at=LATER
    )
    BankMatch.objects.create(group=group, bank_line=elsewhere)
    claim = "INSERT INTO reconciliation_bank_match (group_id, payout_id) VALUES ('mtg_x', %s)"
    assert refused_sql(claim, payout.pk) == "payout_match_of_its_account"
    copy = (
        "INSERT INTO payout SELECT (jsonb_populate_record(NULL::payout, to_jsonb(p) || "
        '\'{"id": "pyt_2", "end_to_end_id": "X", "state": "PENDING_APPROVAL", "file_id": null}\')).* FROM payout p WHERE id = %s'
    )
    assert refused_sql(copy, payout.pk) == "payout_of_its_settlement"


@pytest.mark.django_db(transaction=True)
def test_two_releases_of_one_settlement_at_once_are_one_payout() -> None:
    settlement, account = to_account()
    makers = [person(f"maker{number}") for number in range(8)]

    results = race(8, lambda n: proposed(settlement, by=makers[n]))

    assert [type(result) for result in results].count(InvalidState) == 7
    assert (Payout.objects.count(), Proposal.objects.filter(kind="payout.release").count()) == (1, 1)
    checkers = [checker(f"checker{number}") for number in range(8)]
    proposal = Proposal.objects.get(kind="payout.release")
    answers = race(8, lambda n: yes(proposal, checkers[n]))
    assert [type(answer) for answer in answers].count(InvalidState) == 7
    account.refresh_from_db()
    assert (account.balance_minor, AuditRecord.objects.filter(action="payout.paid").count()) == (NET, 1)
    assert Settlement.objects.get().state == "PAID"
    assert wrong() == {}


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_prove_a_payout_once() -> None:
    our_bank()
    payouts = [released(to_bank())[0] for _ in range(4)]
    payouts_send(now=LATER)
    bank_lines(*((payout.end_to_end_id, -NET) for payout in payouts))

    results = race(6, lambda n: proven().paid)

    assert sum(result for result in results if isinstance(result, int)) == 4
    assert set(Payout.objects.values_list("state", flat=True)) == {PayoutState.PAID}
    assert ledger("bank:mybank/514011112222:test:MYR") == -4 * NET
    assert wrong() == {}
