"""Four eyes: the service says why, and the database refuses by itself whatever the service would let through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import IntegrityError, connection, transaction

from common import approvals
from common.approvals import Act, Pin, approve, expire_proposals, propose, reject
from common.changes import Actor
from common.database import constraint_of
from common.errors import Forbidden, InvalidState, NotFound
from common.models import AuditRecord, Proposal, ProposalState
from merchants.models import Merchant
from tests.factories import NOW, MerchantFactory
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)

KIND = "merchant.rename"  # an act of these tests alone
ACTOR = Actor("operator:test")
LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def act() -> Iterator[None]:
    def lock(proposal: Proposal) -> None:
        Merchant.objects.select_for_update(no_key=True).get(pk=proposal.subject_id)

    def execute(proposal: Proposal, actor: Actor, now: datetime) -> None:
        renamed = Merchant.objects.filter(pk=proposal.subject_id).update(name=proposal.parameters["name"])
        assert renamed == 1
        if proposal.parameters["name"] == "fail":
            raise InvalidState("The act itself fails.")

    approvals.register(Act(KIND, "Rename", "merchants.change_merchant", "merchants.view_merchant", lock, execute))
    yield
    del approvals._ACTS[KIND]


def person(name: str, *, superuser: bool = False) -> User:
    user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
    group, _ = Group.objects.get_or_create(name="renamers")
    wanted = ("change_merchant", "view_merchant")
    group.permissions.set(Permission.objects.filter(content_type__app_label="merchants", codename__in=wanted))
    user.groups.add(group)
    return user


def proposed(by: User, name: str = "New name") -> Proposal:
    merchant = MerchantFactory(name="Old name")
    return propose(
        kind=KIND,
        subject_type="merchant",
        subject_id=merchant.pk,
        summary=f"Rename {merchant.code}",
        reason="They moved",
        parameters={"name": name},
        pins=[Pin("merchant", merchant.pk, ("name", "is_active"))],
        by=by,
        actor=ACTOR,
        now=NOW,
    )


def mark_executed(proposal: Proposal, by: User, at: datetime = LATER) -> str:
    """What raw SQL gets for marking the proposal executed: the name of the constraint that refuses it, "" if none does."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE proposal SET state = 'EXECUTED', decided_by_id = %s, decided_at = %s WHERE id = %s",
                [by.pk, at, proposal.pk],
            )
            assert cursor.rowcount == 1
            transaction.set_rollback(True)
    except IntegrityError as exc:
        return constraint_of(exc)
    return ""


def name_of(proposal: Proposal) -> str:
    return Merchant.objects.get(pk=proposal.subject_id).name


def test_a_second_person_approves_and_it_is_done() -> None:
    maker, checker = person("maker"), person("checker")
    proposal = proposed(maker)
    assert mark_executed(proposal, checker) == ""

    done = approve(proposal_id=proposal.pk, by=checker, reason="Seen", actor=ACTOR, now=LATER)

    assert (done.state, done.decided_by, name_of(done)) == (ProposalState.EXECUTED, checker, "New name")
    actions = AuditRecord.objects.filter(subject_id=proposal.pk).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["proposal.proposed", "proposal.approved"]


@pytest.mark.parametrize("superuser", [False, True])
def test_nobody_approves_their_own(superuser: bool) -> None:
    maker = person("maker", superuser=superuser)
    proposal = proposed(maker)

    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=maker, reason="", actor=ACTOR, now=LATER)

    assert mark_executed(proposal, maker) == "proposal_by_a_second_person"
    proposal.refresh_from_db()
    assert (proposal.state, name_of(proposal)) == (ProposalState.OPEN, "Old name")


@pytest.mark.parametrize("lost", ["role", "permission of the role", "staff", "active"])
def test_whoever_lost_the_permission_cannot_approve(lost: str) -> None:
    proposal, checker = proposed(person("maker")), person("checker")
    match lost:
        case "role":
            checker.groups.clear()
        case "permission of the role":
            Group.objects.get(name="renamers").permissions.clear()
        case "staff":
            User.objects.filter(pk=checker.pk).update(is_staff=False)
        case "active":
            User.objects.filter(pk=checker.pk).update(is_active=False)

    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=checker, reason="", actor=ACTOR, now=LATER)

    assert mark_executed(proposal, checker) == "proposal_approver_may"
    assert name_of(proposal) == "Old name"


def test_a_change_of_what_was_pinned_makes_it_void() -> None:
    proposal, checker = proposed(person("maker")), person("checker")
    Merchant.objects.filter(pk=proposal.subject_id).update(contact_email="x@shop.example")
    assert mark_executed(proposal, checker) == ""  # the address is not pinned

    Merchant.objects.filter(pk=proposal.subject_id).update(is_active=False)
    assert mark_executed(proposal, checker) == "proposal_pins_hold"
    with pytest.raises(InvalidState, match="void"):
        approve(proposal_id=proposal.pk, by=checker, reason="", actor=ACTOR, now=LATER)

    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by, name_of(proposal)) == (ProposalState.VOID, None, "Old name")


def test_each_pin_has_the_digest_of_its_own_row_and_one_that_is_missing_refuses_all() -> None:
    maker, checker = person("maker"), person("checker")
    merchants = [MerchantFactory() for _ in range(3)]
    pins = [Pin("auth_user", "checker", ("is_active", "email"), key_column="username")]
    pins += [Pin("merchant", merchant.pk, ("name", "code")) for merchant in merchants]

    def ask(pins: list[Pin]) -> Proposal:
        said = {"subject_type": "merchant", "subject_id": merchants[0].pk, "summary": "Rename", "reason": "They moved"}
        return propose(kind=KIND, pins=pins, parameters={"name": "New name"}, by=maker, actor=ACTOR, now=NOW, **said)

    with pytest.raises(NotFound):
        ask([*pins, Pin("merchant", "mer_nobody", ("name",))])
    assert not Proposal.objects.exists()

    proposal = ask(pins)
    Merchant.objects.filter(pk=merchants[1].pk).update(name="Another")

    assert [(pin["table"], pin["key"]) for pin in proposal.pins] == [(pin.table, pin.key) for pin in pins]
    held = [("auth_user", "checker", True), *(("merchant", m.pk, m is not merchants[1]) for m in merchants)]
    assert approvals.pins_hold(proposal) == held
    assert mark_executed(proposal, checker) == "proposal_pins_hold"


def test_it_expires_after_thirty_days() -> None:
    proposal, checker = proposed(person("maker")), person("checker")
    end = NOW + timedelta(days=30)
    assert mark_executed(proposal, checker, end - timedelta(seconds=1)) == ""

    assert mark_executed(proposal, checker, end) == "proposal_in_time"
    with pytest.raises(InvalidState, match="expired"):
        approve(proposal_id=proposal.pk, by=checker, reason="", actor=ACTOR, now=end)

    assert Proposal.objects.get().state == ProposalState.EXPIRED
    assert expire_proposals(actor=ACTOR, now=end) == 0


def test_a_longer_life_or_another_content_is_refused_by_the_database() -> None:
    proposal = proposed(person("maker"))

    for change in (
        "expires_at = expires_at + interval '1 day'",
        "parameters = '{}'",
        "permission = 'a.b'",
        "pins = '[]'",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE proposal SET {change} WHERE id = %s", [proposal.pk])


def insert_again(proposal: Proposal, **said: str) -> str:
    """What raw SQL gets for a second proposal, the same but for what is `said` in SQL: the constraint that refuses it, "" if none does."""
    columns = [field.column for field in Proposal._meta.concrete_fields]
    values = {"id": "'prp_by_hand'", "subject_id": "'another'"} | said
    row = ", ".join(values.get(name, name) for name in columns)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # the rules hold all the same
            cursor.execute(
                f"INSERT INTO proposal ({', '.join(columns)}) SELECT {row} FROM proposal WHERE id = %s", [proposal.pk]
            )
            assert cursor.rowcount == 1
            transaction.set_rollback(True)
    except IntegrityError as exc:
        return constraint_of(exc)
    return ""


@pytest.mark.parametrize("state", ProposalState.values)
def test_a_proposal_begins_open_whoever_writes_it(state: str) -> None:
    maker, checker = person("maker"), person("checker")
    proposal = proposed(maker)
    by = {"WITHDRAWN": maker, "EXECUTED": checker, "REJECTED": checker}.get(state)
    at = f"'{LATER.isoformat()}'" if state != "OPEN" else "NULL"
    decided = {"state": f"'{state}'", "decided_at": at, "decided_by_id": str(by.pk) if by else "NULL"}

    assert insert_again(proposal, **decided) == ("" if state == "OPEN" else "proposal_begins_open")

    assert insert_again(proposal, decided_at=f"'{LATER.isoformat()}'") == "proposal_begins_open"
    assert insert_again(proposal, decided_by_id=str(checker.pk)) == "proposal_begins_open"
    assert Proposal.objects.get() == proposal


def test_an_act_of_an_older_release_is_refused_and_can_be_rejected(act: None) -> None:
    proposal, checker = proposed(person("maker")), person("checker")
    known = approvals._ACTS.pop(KIND)
    try:
        with pytest.raises(InvalidState, match="no such act"):
            approve(proposal_id=proposal.pk, by=checker, reason="", actor=ACTOR, now=LATER)
        assert Proposal.objects.get().state == ProposalState.OPEN
        reject(proposal_id=proposal.pk, by=checker, reason="Old", actor=ACTOR, now=LATER)
    finally:
        approvals._ACTS[KIND] = known

    assert (Proposal.objects.get().state, name_of(proposal)) == (ProposalState.REJECTED, "Old name")


def test_sixteen_approve_at_once_and_it_is_done_once() -> None:
    proposal = proposed(person("maker"))
    checkers = [person(f"checker{number}") for number in range(16)]

    results = race(
        16, lambda n: approve(proposal_id=proposal.pk, by=checkers[n], reason="", actor=ACTOR, now=LATER).decided_by_id
    )

    assert [type(result) for result in results].count(InvalidState) == 15
    winner = next(result for result in results if not isinstance(result, Exception))
    assert Proposal.objects.get().decided_by_id == winner
    assert AuditRecord.objects.filter(action="proposal.approved").count() == 1


def test_a_decided_proposal_never_changes() -> None:
    maker, checker = person("maker"), person("checker")
    executed, rejected = proposed(maker), proposed(maker)
    approve(proposal_id=executed.pk, by=checker, reason="", actor=ACTOR, now=LATER)
    reject(proposal_id=rejected.pk, by=checker, reason="No", actor=ACTOR, now=LATER)

    assert mark_executed(rejected, checker) == "proposal_decided_once"
    assert mark_executed(executed, checker) == "proposal_decided_once"
    with pytest.raises(InvalidState):
        approve(proposal_id=rejected.pk, by=checker, reason="", actor=ACTOR, now=LATER)


def test_an_act_that_fails_leaves_the_proposal_open_and_nothing_done() -> None:
    proposal, checker = proposed(person("maker"), name="fail"), person("checker")

    with pytest.raises(InvalidState, match="itself"):
        approve(proposal_id=proposal.pk, by=checker, reason="", actor=ACTOR, now=LATER)

    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by, name_of(proposal)) == (ProposalState.OPEN, None, "Old name")


def test_one_open_proposal_per_subject_and_its_maker_may_withdraw() -> None:
    maker = person("maker")
    proposal = proposed(maker)
    again = {
        "kind": KIND,
        "subject_type": "merchant",
        "subject_id": proposal.subject_id,
        "summary": "x",
        "reason": "x",
        "pins": [],
        "by": maker,
    }
    with pytest.raises(InvalidState, match="already"):
        propose(**again, actor=ACTOR, now=NOW)

    assert reject(proposal_id=proposal.pk, by=maker, reason="", actor=ACTOR, now=LATER).state == ProposalState.WITHDRAWN
    assert propose(**again, actor=ACTOR, now=LATER).state == ProposalState.OPEN


def test_who_may_not_propose_leaves_nothing() -> None:
    stranger = User.objects.create_user("stranger", is_staff=True)

    with pytest.raises(Forbidden):
        proposed(stranger)

    assert Proposal.objects.count() == 0
