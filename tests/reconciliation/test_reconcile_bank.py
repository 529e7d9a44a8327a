"""What a bank's lump sums prove: remittances are claimed once, what arrived is booked, and the rest are breaks until it is explained."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Sum

from common.books import Asked
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import JournalEntry, Posting
from reconciliation.models import BankMatch, Break, MatchGroup, Remittance, Source
from reconciliation.services.closing import day_close
from reconciliation.services.rehearsal import rehearse
from reconciliation.services.rule_sets import rule_set_draft, rule_set_edit, rule_set_live
from tests.factories import NOW, ProviderAccountFactory, new_transaction, sale_of, settle
from tests.factories.agreed import source_agreed
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, imported, listed, reconciled
from tests.reconciliation.given_bank import (
    BANK,
    NEXT,
    NUMBER,
    Booked,
    bank_account,
    bank_imported,
    bank_reconciled,
    night,
    open_bank_kinds,
)
from tests.reconciliation.test_rule_sets import REFERENCE, live_with
from tests.support.race import race

pytestmark = pytest.mark.django_db

ASKED = Asked(now=NEXT_MORNING + timedelta(days=9), unpublished_for=timedelta(days=99))


def remitted(account: ProviderAccount, *minors: int) -> Remittance:
    """Sales of a day, listed by the provider, which remits their sum less 0.50 each."""
    sales = []
    for minor in minors:
        sale = sale_of(new_transaction(account, amount=Money(minor, "MYR")).transaction)
        settle(sale, provider_reference=f"P{sale.reference}")
        sales.append(sale)
    imported(account, [listed(sale, provider_reference=f"P{sale.reference}") for sale in sales])
    reconciled(account)
    return Remittance.objects.get(account_key=account.account_key)


def named(remittance: Remittance) -> str:
    return f"REMITTANCE {remittance.provider.upper()} {remittance.account_key} {remittance.day}"


def balances() -> dict[str, int]:
    """Of the ledger, by kind of account (and currency where it is not MYR); those that are zero are left out."""
    found = Posting.objects.values_list("account__kind", "currency").annotate(minor=Sum("amount_minor"))
    return {kind if currency == "MYR" else f"{kind} {currency}": int(minor) for kind, currency, minor in found if minor}


@pytest.fixture
def account() -> ProviderAccount:
    bank_account()
    return ProviderAccountFactory(account_key="SE1", created_at=NOW - timedelta(days=30))


def test_a_remittance_that_arrived_is_booked_from_the_provider_to_the_bank(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000, 5_000)
    assert balances() == {"provider_receivable": 14_900, "merchant_payable": -15_000, "provider_fees": 100}
    bank_imported([Booked("B1", 14_900, named(remittance))])

    run = bank_reconciled()

    assert balances() == {"bank": 14_900, "merchant_payable": -15_000, "provider_fees": 100}
    assert Posting.objects.get(account__kind="bank").account_id == f"bank:{BANK}/{NUMBER}:test:MYR"
    group = MatchGroup.objects.get(comparison="BANK")
    assert (group.rule, group.explanation["items"]) == ("REMITTANCE_REFERENCE", {"bank_lines": 1, "remittances": 1})
    assert JournalEntry.objects.get(pk=group.entry_id).fact_name == "remittance.received"
    assert (run.comparison, run.lines, run.lines_matched, run.operations, run.operations_matched) == (
        "BANK",
        1,
        1,
        1,
        1,
    )
    assert open_bank_kinds() == []
    assert wrong(ASKED) == {}

    bank_reconciled()
    assert (BankMatch.objects.count(), MatchGroup.objects.filter(comparison="BANK").count()) == (2, 1)


def test_charges_and_a_tolerated_rest_have_accounts_of_their_own(account: ProviderAccount) -> None:
    source = bank_source(amount_tolerance_minor=5)
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_797, named(remittance), charges=150)])

    bank_reconciled()

    assert source.amount_tolerance_minor == 5
    assert balances() == {
        "bank": 9_797,
        "bank_charges": 150,
        "differences": 3,
        "merchant_payable": -10_000,
        "provider_fees": 50,
    }
    assert MatchGroup.objects.get(comparison="BANK").explanation["differences"] == {"amount": -3, "charges": 150}
    assert wrong(ASKED) == {}


def test_foreign_money_goes_through_the_exchange_in_both_currencies(account: ProviderAccount) -> None:
    cards = ProviderAccountFactory(provider="migs", account_key="SHOP")
    sale = sale_of(new_transaction(cards, amount=Money(10_000, "USD")).transaction)
    settle(sale, provider_reference="2001")
    imported(cards, [listed(sale, type="PURCHASE", currency="USD", fee=150, status="0")])
    bank_imported([Booked("B1", 41_370, "REMITTANCE MIGS SHOP 2026-03-02", instructed=("USD", 9_850))])

    bank_reconciled()

    found = balances()
    assert (found["bank"], found["fx_clearing"], found["fx_clearing USD"]) == (41_370, -41_370, 9_850)
    assert "provider_receivable USD" not in found
    assert open_bank_kinds() == []
    assert wrong(ASKED) == {}


@pytest.mark.parametrize("what", [{"charges": 200}, {"instructed": ("USD", 2_400)}])
def test_an_entry_and_its_reversal_leave_nothing_whatever_the_bank_kept_or_exchanged(
    account: ProviderAccount, what: dict[str, Any]
) -> None:
    before = balances()
    bank_imported([Booked("B1", 9_800, "ONE", **what), Booked("B2", -9_800, "ONE", reversal=True)])

    run = bank_reconciled()

    assert (run.lines, run.lines_matched, open_bank_kinds(), balances()) == (2, 2, [], before)
    group = MatchGroup.objects.get(comparison="BANK")
    assert (group.entry_id, group.explanation["differences"]) == (None, {})
    assert {x["agrees"] for x in group.explanation["compared"]} == {True}
    assert wrong(ASKED) == {}


def test_it_is_expected_until_it_is_due_and_missing_then_even_without_a_statement(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([])
    assert bank_reconciled().operations_expected == 1
    assert open_bank_kinds() == []

    latest = remittance.due_on + timedelta(days=3)
    bank_reconciled(day=latest, now=night(latest))
    assert open_bank_kinds() == []  # the bank's statement of that day is not due yet

    bank_reconciled(day=latest, now=night(latest) + timedelta(hours=12))
    found = Break.objects.get(remittance=remittance)
    assert (found.kind, found.provider, found.day, found.our_minor) == ("MISSING_AT_PROVIDER", BANK, latest, 9_950)

    bank_imported([Booked("B1", 9_950, named(remittance))], day=latest + timedelta(days=1))
    bank_reconciled(day=latest + timedelta(days=1))
    found.refresh_from_db()
    assert (found.resolution, open_bank_kinds()) == ("EXPLAINED", [])


@pytest.mark.parametrize("days", [-9, -1, 1, 9])
def test_comparing_another_day_again_closes_no_late_remittance(account: ProviderAccount, days: int) -> None:
    remittance = remitted(account, 10_000)
    latest = remittance.due_on + timedelta(days=3)
    bank_reconciled(day=latest, now=night(latest) + timedelta(days=1))
    assert open_bank_kinds() == [("MISSING_AT_PROVIDER", "", "fpx")]

    run = bank_reconciled(day=latest + timedelta(days=days), now=night(latest) + timedelta(days=max(days, 1) + 1))

    assert (run.breaks_opened, run.breaks_closed) == (0, 0)
    assert open_bank_kinds() == [("MISSING_AT_PROVIDER", "", "fpx")]


def test_more_patience_agreed_on_later_closes_no_late_remittance(account: ProviderAccount) -> None:
    latest = remitted(account, 10_000).due_on + timedelta(days=3)
    bank_reconciled(day=latest, now=night(latest) + timedelta(days=1))
    bank_source(day_tolerance=5)

    assert bank_reconciled(day=latest + timedelta(days=1)).breaks_closed == 0

    assert open_bank_kinds() == [("MISSING_AT_PROVIDER", "", "fpx")]


@pytest.mark.parametrize("days", [-9, 9])
def test_comparing_another_day_again_leaves_the_breaks_of_bank_lines(account: ProviderAccount, days: int) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_900, named(remittance)), Booked("B2", 777, "SOMEBODY")])
    bank_reconciled()
    before = [("AMOUNT_MISMATCH", "B1", "fpx"), ("MISSING_IN_BOOKS", "B2", "")]
    assert open_bank_kinds() == before

    run = bank_reconciled(day=NEXT + timedelta(days=days), now=night(NEXT) + timedelta(days=9))

    assert (run.breaks_opened, run.breaks_closed, open_bank_kinds()) == (0, 0, before)


def test_what_comes_free_is_judged_as_of_the_last_day_compared(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_900, named(remittance))])
    last = remittance.due_on + timedelta(days=4)
    bank_reconciled(day=last, now=night(last) + timedelta(days=1))
    assert open_bank_kinds() == [("AMOUNT_MISMATCH", "B1", "fpx")]
    bank_imported([Booked("B2", -9_900, named(remittance), reversal=True)], day=last)

    bank_reconciled(now=night(last) + timedelta(days=1))

    assert open_bank_kinds() == [("MISSING_AT_PROVIDER", "", "fpx")]


def test_breaks_say_what_nearly_fits(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_900, named(remittance)), Booked("B2", 777, "SOMEBODY")])

    bank_reconciled()

    assert open_bank_kinds() == [("AMOUNT_MISMATCH", "B1", "fpx"), ("MISSING_IN_BOOKS", "B2", "")]
    mismatch = Break.objects.get(kind="AMOUNT_MISMATCH")
    assert (mismatch.our_minor, mismatch.their_minor) == (9_950, 9_900)
    assert mismatch.nearest == [
        {
            "item": "remittance",
            "id": remittance.pk,
            "difference": -50,
            "why_not": "another amount",
            "proposal": {"act": "break.match", "parameters": {"remittances": [remittance.pk]}},
        }
    ]
    assert balances()["provider_receivable"] == 9_950
    assert wrong(ASKED) == {}


def test_a_run_leaves_a_closed_day_as_it_is(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_950, named(remittance))])
    bank_reconciled()
    later = night(NEXT) + timedelta(days=2)
    for provider, day in (("fpx", DAY), (BANK, NEXT)):
        day_close(provider=provider, live=False, day=day, actor=ACTOR, now=later)
    before = (BankMatch.objects.count(), MatchGroup.objects.count(), Break.objects.count(), Posting.objects.count())

    bank_reconciled(now=later)
    reconciled(account, now=later)

    assert (
        BankMatch.objects.count(),
        MatchGroup.objects.count(),
        Break.objects.count(),
        Posting.objects.count(),
    ) == before


@pytest.mark.django_db(transaction=True)
def test_eight_matchers_at_once_claim_each_item_once(account: ProviderAccount) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_950, named(remittance)), Booked("B2", 5, "X")])

    runs = race(8, lambda number: bank_reconciled(now=night(NEXT) + timedelta(seconds=number)))

    assert [run.lines_matched for run in runs] == [1] * 8
    assert sum(run.breaks_opened for run in runs) == 1
    assert (BankMatch.objects.count(), balances()["bank"]) == (2, 9_950)


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_claim_each_item_once(account: ProviderAccount, app_role_url: str) -> None:
    remittance = remitted(account, 10_000)
    bank_imported([Booked("B1", 9_950, named(remittance))])
    command = [sys.executable, "manage.py", "reconcile", f"--provider={BANK}", f"--date={NEXT}", "--no-fetch"]
    with_app_role = os.environ | {"DATABASE_URL": app_role_url, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE}

    running = [
        subprocess.Popen(
            command,
            cwd=Path(__file__).resolve().parents[2],
            env=with_app_role,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for each in running:
        each.communicate(timeout=120)

    assert [each.returncode for each in running] == [0, 0]
    assert (BankMatch.objects.count(), balances()["bank"]) == (2, 9_950)


VIOLATIONS = {
    "grouped_bank_matches_agree": "UPDATE remittance SET gross_minor = gross_minor + 1, net_minor = net_minor + 1",
    "the_bank_has_what_was_matched": "UPDATE posting SET amount_minor = amount_minor + 1 WHERE account_id LIKE 'bank:%%'",
    "grouped_matches_agree": "UPDATE statement_line SET amount_minor = amount_minor + 1, net_minor = net_minor + 1 WHERE fee_minor = 51",
    "tolerated_differences_are_booked": "UPDATE reconciliation_match_group SET explanation = jsonb_set(explanation, '{differences,amount}', '7') "
    "WHERE entry_id IN (SELECT id FROM journal_entry WHERE fact_name = 'match.tolerated')",
    "sources_have_one_live_rule_set": "UPDATE proposal SET subject_id = 'rls_other' WHERE kind = 'ruleset.activate'",
}
ALSO = {
    "grouped_bank_matches_agree": {"remittances_are_the_sums_of_their_lines"},
    "grouped_matches_agree": {"remittances_are_the_sums_of_their_lines"},
    "tolerated_differences_are_booked": {"grouped_matches_agree"},
    "the_bank_has_what_was_matched": {"journal_entries_balance", "the_ledger_sums_to_zero"},
}
TABLES = ("remittance", "posting", "statement_line", "reconciliation_match_group", "proposal")


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_lie_is_named(account: ProviderAccount, name: str) -> None:
    live_with(REFERENCE | {"amount_minor": 2})
    sales = [sale_of(new_transaction(account).transaction) for _ in range(2)]
    for number, sale in enumerate(sales):
        settle(sale, provider_reference=f"F{number}")
    imported(
        account,
        [listed(sales[0], provider_reference="F0", minor=9_998), listed(sales[1], provider_reference="F1", fee=51)],
    )
    reconciled(account)
    bank_imported([Booked("B1", 19_897, named(Remittance.objects.get()))])
    bank_reconciled()
    assert wrong(ASKED) == {}

    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(VIOLATIONS[name].replace("%%", "%"))
        assert cursor.rowcount > 0

    assert set(wrong(ASKED)) == {name, *ALSO.get(name, set())}


def bank_source(**changes: object) -> Source:
    """The bank's settings, changed."""
    return source_agreed(BANK, **changes)


def test_a_draft_of_the_banks_rules_is_rehearsed_on_closed_days_and_keeps_nothing(account: ProviderAccount) -> None:
    other = ProviderAccountFactory(account_key="SE2", created_at=NOW - timedelta(days=30))
    by_name, by_amount = remitted(account, 10_000), remitted(other, 7_000)
    bank_imported([Booked("B1", 9_950, named(by_name)), Booked("B2", 6_950, "MONEY")])
    bank_reconciled()
    assert open_bank_kinds() == []
    closed_at = night(NEXT) + timedelta(days=2)
    day_close(provider=BANK, live=False, day=NEXT, actor=ACTOR, now=closed_at)
    kept = (MatchGroup.objects.count(), BankMatch.objects.count(), Break.objects.count(), Posting.objects.count())
    live = rule_set_live(provider=BANK, comparison="BANK", now=closed_at)
    draft = rule_set_draft(of=live, by=None, note="Try", actor=ACTOR, now=closed_at)

    same = rehearse(rule_set_id=draft.pk, live=False, days=5, actor=ACTOR, now=closed_at)
    named_only = [rule for rule in live.rules if rule["by"] == "REMITTANCE_REFERENCE"]
    rule_set_edit(rule_set_id=draft.pk, rules=named_only, note="Try", actor=ACTOR, now=closed_at)
    fewer = rehearse(rule_set_id=draft.pk, live=False, days=5, actor=ACTOR, now=closed_at)

    assert same.figures == {"days": 1, "same": 2, "won": 0, "lost": 0, "changed": 0}
    assert fewer.figures == {"days": 1, "same": 1, "won": 0, "lost": 1, "changed": 0}
    [lost] = fewer.samples["lost"]
    assert (lost["line"], lost["now"], lost["before"]) == ("B2", None, by_amount.pk)
    assert lost["why"].startswith("MISSING_IN_BOOKS")
    assert kept == (
        MatchGroup.objects.count(),
        BankMatch.objects.count(),
        Break.objects.count(),
        Posting.objects.count(),
    )
