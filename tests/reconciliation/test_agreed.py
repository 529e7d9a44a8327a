"""What makes a difference vanish or leads money away takes two people: sources, our accounts, where payouts are made from."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db import transaction as database
from django.utils import timezone

from common.agreed import Setting
from common.approvals import approve
from common.changes import Actor
from common.console.html import page_url
from common.database import constraint_of
from common.errors import Forbidden, InvalidRequest, InvalidState
from common.models import AuditRecord, Proposal
from payments.ledger.fees import Tier
from reconciliation.models import BankAccount, Break, PayoutBank, Source, SourceMapping
from reconciliation.services.mappings import source_mapping_propose
from reconciliation.services.settings import BANK_ACCOUNT, CALENDAR, PAYOUT_BANK, SOURCE, WRITE_OFF_LIMIT
from reconciliation.services.terms import NewTerms
from tests.console.conftest import SignIn
from tests.factories import MerchantFactory, ProviderAccountFactory
from tests.factories.agreed import (
    BANK_COLUMNS,
    by_two,
    new_bank_account,
    new_calendar,
    new_mapping,
    new_payout_bank,
    plan_agreed,
    source_agreed,
    terms_agreed,
    two_people,
    write_off_limit_agreed,
)
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import imported, listed, reconciled
from tests.reconciliation.people import person
from tests.reconciliation.test_rule_sets import sold
from tests.support.race import race

pytestmark = pytest.mark.django_db
REASON = {"reason": "Checked", "_form_submitted": "True"}
ACTOR = Actor("operator:test")
EACH = ("source", "bank_account", "payout_bank", "bank_calendar", "write_off_limit")
ANOTHER = {  # a row that nobody agreed on
    "bank_account": {"id": 999, "account_key": "666"},
    "payout_bank": {"id": "999", "live": True},
    "bank_calendar": {"code": "XX"},
    "write_off_limit": {"currency": "THB"},
}


def bank() -> Source:
    return Source.objects.get_or_create(
        code="mybank", defaults={"name": "My bank", "side": "BANK", "format": "camt053"}
    )[0]


def given(name: str) -> tuple[Setting, Any, str]:
    """A row as two people agreed on it, a column of it and another value for that."""
    if name == "source":
        return SOURCE, source_agreed("fpx", fee_fixed_minor=60), "amount_tolerance_minor"
    if name == "bank_account":
        return BANK_ACCOUNT, new_bank_account(bank(), "514011112222", holder="Us"), "holder"
    if name == "bank_calendar":
        return CALENDAR, new_calendar(), "name"
    if name == "write_off_limit":
        return WRITE_OFF_LIMIT, write_off_limit_agreed("MYR", 60_000), "limit_minor"
    return PAYOUT_BANK, new_payout_bank(), "account_key"


def asked(setting: Setting, row: Any, column: str, by: User) -> Proposal:
    wanted = type(row).objects.get(pk=row.pk)
    setattr(wanted, column, 7777)
    return setting.propose(wanted=wanted, reason="Their letter", by=by, actor=ACTOR, now=timezone.now())


def yes(proposal: Proposal, by: User) -> Proposal:
    return approve(proposal_id=proposal.pk, by=by, reason="", actor=ACTOR, now=timezone.now())


def sql(statement: str, *values: Any) -> str:
    """The constraint that refuses a statement of the tables' owner."""
    with pytest.raises(IntegrityError) as refused, database.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return constraint_of(refused.value)


@pytest.mark.parametrize("name", EACH)
def test_it_changes_by_two_people_and_by_nobody_alone(name: str) -> None:
    setting, row, column = given(name)
    fin, lead, boss = person("fin"), person("lead", "finance_lead"), person("boss", "superuser")
    before = getattr(row, column)
    proposal = asked(setting, row, column, boss)

    for by in (boss, fin):
        with pytest.raises(Forbidden):
            yes(proposal, by)
    with pytest.raises(InvalidState):  # one at a time
        asked(setting, row, column, fin)
    row.refresh_from_db()
    assert getattr(row, column) == before

    yes(proposal, lead)

    row.refresh_from_db()
    assert (str(getattr(row, column)), row.proposal) == ("7777", proposal)
    record = AuditRecord.objects.get(action=f"{setting.subject}.changed", reason="Their letter")
    assert record.changes == {column: [before, getattr(row, column)]} or record.changes == {column: [before, 7777]}
    assert wrong() == {}


@pytest.mark.parametrize("name", EACH)
def test_who_lost_the_role_and_what_changed_since_are_refused(name: str) -> None:
    setting, row, column = given(name)
    fin, lead, _ = person("fin"), person("lead", "finance_lead"), two_people()
    proposal = asked(setting, row, column, fin)
    lead.groups.clear()
    with pytest.raises(Forbidden):
        yes(proposal, User.objects.get(pk=lead.pk))
    with rules_lifted(row._meta.db_table):
        type(row).objects.filter(pk=row.pk).update(**{column: "3"})

    with pytest.raises(InvalidState, match="void"):
        yes(proposal, two_people()[1])

    proposal.refresh_from_db()
    row.refresh_from_db()
    assert (proposal.state, str(getattr(row, column))) == ("VOID", "3")


@pytest.mark.parametrize("name", EACH)
def test_sql_changes_nothing_that_was_not_agreed_on_last(name: str) -> None:
    setting, row, column = given(name)
    table, key, first = row._meta.db_table, setting.key, row.proposal_id
    waiting = asked(setting, row, column, two_people()[0])

    lies = [
        (f"{column} = '7777'", ()),
        (f"{column} = '7777', proposal_id = %s", (waiting.pk,)),
        ("proposal_id = NULL", ()),
    ]
    for change, values in lies:
        assert sql(f"UPDATE {table} SET {change} WHERE {key} = %s", *values, row.pk) == f"{table}_as_agreed"
    yes(waiting, two_people()[1])
    back = f"UPDATE {table} SET {column} = %s, proposal_id = %s WHERE {key} = %s"
    assert sql(back, getattr(row, column), first, row.pk) == f"{table}_as_agreed"
    if name in ANOTHER:
        values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
        with pytest.raises(IntegrityError) as refused, database.atomic():
            type(row).objects.create(**values | ANOTHER[name])
        assert constraint_of(refused.value) == f"{table}_as_agreed"


def test_a_price_that_nobody_agreed_to_makes_no_difference_vanish() -> None:
    account = ProviderAccountFactory()
    imported(account, [listed(sold(account), fee=90)])
    reconciled(account)
    assert [found.kind for found in Break.objects.filter(resolved_at=None)] == ["FEE_MISMATCH"]
    wanted = Source.objects.get(pk="fpx")
    wanted.fee_fixed_minor = 90
    first, second = two_people()
    proposal = SOURCE.propose(wanted=wanted, reason="New contract", by=first, actor=ACTOR, now=timezone.now())

    reconciled(account)
    assert Break.objects.filter(resolved_at=None).count() == 1

    yes(proposal, second)
    reconciled(account)
    assert Break.objects.filter(resolved_at=None).count() == 0


@pytest.mark.parametrize(
    "values",
    [
        {"fee_fixed_minor": 1},
        {"amount_tolerance_minor": 1},
        {"day_tolerance": 4},
        {"due_days": 2},
        {"approved": "X"},
        {"calendar_id": "MY"},
    ],
)
def test_a_new_source_begins_with_nothing_agreed(values: dict[str, Any]) -> None:
    new_calendar()
    with pytest.raises(IntegrityError) as refused, database.atomic():
        Source.objects.create(code="cards", name="Cards", side="PROVIDER", format="mapped", **values)
    assert constraint_of(refused.value) == "reconciliation_source_as_agreed"

    Source.objects.create(code="cards", name="Cards", side="PROVIDER", format="mapped")


def test_what_makes_no_sense_is_not_proposed() -> None:
    account = new_bank_account(bank(), "514011112222")
    twin = BankAccount(source=bank(), account_key="514011112222", live=True, currency="MYR")
    source = Source.objects.get(pk="fpx")

    for setting, wanted in ((BANK_ACCOUNT, account), (BANK_ACCOUNT, twin), (SOURCE, source)):
        with pytest.raises(InvalidRequest):
            by_two(setting.propose, wanted=wanted)
    source.fee_basis_points = 10_001
    with pytest.raises(InvalidRequest):
        by_two(SOURCE.propose, wanted=source)

    assert Proposal.objects.count() == 1


def test_an_account_that_came_in_between_makes_the_other_proposal_void() -> None:
    first, second = two_people()
    ours = PayoutBank(live=False, currency="MYR", source="mybank", account_key="1111", name="Us")
    late = PAYOUT_BANK.propose(wanted=ours, reason="r", by=first, actor=ACTOR, now=timezone.now())
    new_payout_bank(currency="USD")
    with rules_lifted("payout_bank"):
        PayoutBank.objects.update(currency="MYR")

    with pytest.raises(InvalidState, match="void"):
        yes(late, second)

    late.refresh_from_db()
    assert (late.state, PayoutBank.objects.count()) == ("VOID", 1)


def test_the_console_proposes_and_shows_before_and_after(sign_in: SignIn) -> None:
    url = "/admin/reconciliation/source/fpx/"
    clerk, lead = sign_in("finance"), sign_in("finance_lead")
    values = {name: str(getattr(Source.objects.get(pk="fpx"), name)) for name in SOURCE.columns}
    page = clerk.get(f"{url}propose/")
    assert (page.status_code, Proposal.objects.count()) == (200, 0)
    assert f'name="shown" value="{SOURCE.shown(Source.objects.get(pk="fpx"))}"' in page.content.decode()

    answer = clerk.post(
        f"{url}propose/",
        values
        | {
            "shown": page.context["form"]["shown"].value(),
            "fee_fixed_minor": "75",
            "is_active": "on",
            "reason": "New contract",
        },
    )

    proposal = Proposal.objects.get()
    assert answer["Location"] == page_url(proposal)
    assert (proposal.subject_id, proposal.summary) == ("fpx", "FPX: Fee, fixed, minor units 50 to 75")
    assert proposal.summary in lead.get(f"{url}change/").content.decode()
    shown = lead.get(answer["Location"]).content.decode()
    assert 'data-label="Now">50 minor units</td><td class="" data-label="Then">75 minor units</td>' in shown
    for who in (clerk, lead):
        who.post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
        assert Source.objects.get(pk="fpx").fee_fixed_minor == (50 if who is clerk else 75)


def test_a_form_that_was_opened_before_another_agreement_takes_nothing_back(sign_in: SignIn) -> None:
    clerk, url = sign_in("finance"), "/admin/reconciliation/source/fpx/propose/"
    opened = clerk.get(url).context["form"]
    old = {name: opened[name].value() for name in opened.fields if opened[name].value() is not None}
    source_agreed("fpx", amount_tolerance_minor=3)
    asked = Proposal.objects.count()

    page = clerk.post(url, old | {"fee_fixed_minor": "75", "reason": "New contract"})

    assert "It has changed since this form was opened." in page.content.decode()
    assert "It has changed since" in clerk.post(url, old | {"shown": "", "reason": "r"}).content.decode()
    assert Proposal.objects.count() == asked
    fresh = old | {"shown": clerk.get(url).context["form"]["shown"].value(), "amount_tolerance_minor": "3"}
    clerk.post(url, fresh | {"fee_fixed_minor": "75", "reason": "New contract"})
    assert Proposal.objects.get(state="OPEN").summary == "FPX: Fee, fixed, minor units 50 to 75"


@pytest.mark.django_db(transaction=True)
def test_an_agreement_that_commits_while_another_is_proposed_is_seen_by_it() -> None:
    first, second = two_people()
    waiting = asked(SOURCE, Source.objects.get(pk="fpx"), "amount_tolerance_minor", first)
    wanted = Source.objects.get(pk="fpx")
    shown = SOURCE.shown(wanted)
    wanted.fee_fixed_minor = 75
    agreed = threading.Event()

    def agree() -> None:
        with database.atomic():
            yes(waiting, second)
            agreed.set()
            wait_for_a_waiter()

    def propose() -> Proposal:
        assert agreed.wait(30)
        now = timezone.now()
        return SOURCE.propose(wanted=wanted, shown=shown, reason="Late", by=first, actor=ACTOR, now=now)

    nothing, refused = race(2, lambda number: (agree, propose)[number]())

    assert (nothing, type(refused)) == (None, InvalidState)
    assert not Proposal.objects.filter(reason="Late").exists()
    unseen = SOURCE.propose(wanted=wanted, reason="Seen", by=first, actor=ACTOR, now=timezone.now())
    assert unseen.parameters["before"]["amount_tolerance_minor"] == 7777


def wait_for_a_waiter() -> None:
    """Until another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        for _ in range(2_000):
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))), pg_sleep(0.01)"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waits.")


@pytest.mark.parametrize("key", ["abc", "1e3", "_00"])
def test_an_address_without_a_key_is_not_found(sign_in: SignIn, key: str) -> None:
    for model in ("bankaccount", "source", "break"):
        act = "comment" if model == "break" else "propose"
        assert sign_in("finance").post(f"/admin/reconciliation/{model}/{key}/{act}/", REASON).status_code == 404, model


def test_the_console_changes_no_price_by_one_person(sign_in: SignIn) -> None:
    form = {
        "name": "FPX of PayNet",
        "encoding": "utf-8",
        "fee_fixed_minor": "1",
        "amount_tolerance_minor": "9",
        "zone": "UTC",
    }

    assert sign_in("superuser").post("/admin/reconciliation/source/fpx/change/", form).status_code == 302

    fpx = Source.objects.get(pk="fpx")
    assert (fpx.name, fpx.fee_fixed_minor, fpx.amount_tolerance_minor, fpx.zone) == (
        "FPX of PayNet",
        50,
        0,
        "Asia/Kuala_Lumpur",
    )
    for role in ("operations", "auditor", "none"):
        assert sign_in(role).post("/admin/reconciliation/source/fpx/propose/", form).status_code == 403
    assert not Proposal.objects.exists()


def test_an_account_of_ours_is_proposed_in_the_console(sign_in: SignIn) -> None:
    form = {"source": bank().pk, "account_key": "514011112222", "currency": "MYR", "holder": "Us", "reason": "Opened"}

    answer = sign_in("finance").post("/admin/reconciliation/bankaccount/propose-new/", form)

    proposal = Proposal.objects.get()
    assert answer["Location"] == page_url(proposal)
    assert not BankAccount.objects.exists()
    sign_in("finance_lead").post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    account = BankAccount.objects.get()
    assert (account.account_key, account.live, account.holder, account.proposal) == (
        "514011112222",
        False,
        "Us",
        proposal,
    )


def test_payouts_are_made_from_an_account_whose_statements_we_read(sign_in: SignIn) -> None:
    new_bank_account(bank(), "514011112222")
    before, url = Proposal.objects.count(), "/admin/reconciliation/payoutbank/propose-new/"
    form = {"currency": "MYR", "source": "mybank", "account_key": "514011112222", "name": "Us", "reason": "Opened"}
    clerk = sign_in("finance")

    for wrong_one in ({"account_key": "514011112223"}, {"currency": "USD"}, {"source": "other"}, {"live": "on"}):
        assert "It is none of our bank accounts" in clerk.post(url, form | wrong_one).content.decode(), wrong_one
    assert Proposal.objects.count() == before
    clerk.post(url, form)

    proposal = Proposal.objects.get(kind=PAYOUT_BANK.kind)
    sign_in("finance_lead").post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    ours = PayoutBank.objects.get()
    moved = form | {"account_key": "9", "shown": PAYOUT_BANK.shown(ours)}
    page = clerk.post(f"/admin/reconciliation/payoutbank/{ours.pk}/propose/", moved)
    assert "It is none of our bank accounts" in page.content.decode()
    ours.refresh_from_db()
    assert ours.account_key == "514011112222"


PLANTED = {
    "reconciliation_source": "amount_tolerance_minor = 500",
    "bank_account": "holder = 'Somebody'",
    "bank_calendar": 'holidays = holidays || \'{"2026-02-19": "x"}\'',
    "payout_bank": "account_key = '666', proposal_id = NULL",
    "write_off_limit": "limit_minor = 9000000",
    "settlement_terms": "bank_hint = 'x'",
    "reconciliation_source_mapping": "mapping = '{}'",
    "fee_plan": "minimum_minor = 1, proposal_id = NULL",
}


@pytest.mark.parametrize("table", PLANTED)
def test_what_was_planted_beside_an_agreement_is_named(table: str) -> None:
    for name in EACH:
        given(name)
    merchant = MerchantFactory()
    terms_agreed(merchant.pk, NewTerms(minimum_payout_minor=1))
    new_mapping(Source.objects.create(code="tables", name="Tables", side="BANK", format="mapped"))
    plan_agreed(merchant_id=merchant.pk, live=False, method="fpx", currency="MYR", tiers=[Tier(0, 1, 1)])
    assert wrong() == {}

    with rules_lifted(table), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {PLANTED[table]} WHERE proposal_id IS NOT NULL")

    [(name, said)] = wrong().items()
    assert (name, len(said)) == ("what_two_people_agreed_on_stands", 1)
    assert table in said[0]


def test_nobody_describes_columns_alone() -> None:
    bank_ = Source.objects.create(code="tables", name="Tables", side="BANK", format="mapped")
    fin, lead = person("fin"), person("lead", "finance_lead")
    asked_: dict[str, Any] = {
        "source_code": "tables",
        "mapping": BANK_COLUMNS,
        "reason": "Their letter",
        "actor": ACTOR,
    }
    mine = source_mapping_propose(**asked_, by=lead, now=timezone.now())
    for by in (lead, fin):
        with pytest.raises(Forbidden):
            yes(mine, by)
    assert sql("UPDATE reconciliation_source SET mapping_version = 1 WHERE code = 'tables'") == (
        "reconciliation_source_last_mapping"
    )
    copy = "INSERT INTO reconciliation_source_mapping (source_id, version, mapping, created_at, proposal_id) VALUES ('tables', 1, '{}', now(), %s)"
    for proposal_id in (None, mine.pk):
        assert sql(copy, proposal_id) == "reconciliation_source_mapping_as_agreed"

    yes(mine, two_people()[1])

    bank_.refresh_from_db()
    mapping = SourceMapping.objects.get()
    assert (bank_.mapping_version, mapping.mapping, mapping.created_by, mapping.proposal) == (
        1,
        BANK_COLUMNS,
        lead,
        mine,
    )
    again = {**BANK_COLUMNS, "date_format": "%m/%d/%Y"}
    late = source_mapping_propose(**asked_ | {"mapping": again}, by=fin, now=timezone.now())
    assert (late.parameters["row"]["version"], wrong()) == (2, {})
    with rules_lifted("reconciliation_source"):
        Source.objects.filter(pk="tables").update(mapping_version=0)
    with pytest.raises(InvalidState, match="void"):
        yes(late, lead)
