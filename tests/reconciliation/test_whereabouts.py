"""Where is my money: each link is proven by its row or expected by its day, for operators and merchants, in as many queries for many as for one."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.models import ProviderAccount
from payments.models import Transaction
from reconciliation.models import (
    BankLine,
    BankMatch,
    MatchGroup,
    Payout,
    PayoutState,
    ReconciliationRun,
    Remittance,
    Settlement,
)
from reconciliation.services.payout_files import payouts_send
from reconciliation.whereabouts import Step, Way, stage_totals, ways_of
from tests.factories import NOW, captured_transaction, new_transaction, sale_of
from tests.reconciliation.given import imported, listed, reconciled
from tests.reconciliation.paying import LATER, bank_lines, banked, our_bank, proven, released
from tests.reconciliation.test_settle import DAY, priced, settled
from tests.support.api import api_for

pytestmark = pytest.mark.django_db


def way(transaction: Transaction, today: date = DAY) -> Way:
    return ways_of([transaction.pk], today=today)[transaction.pk]


def shown(transaction: Transaction, today: date = DAY) -> list[tuple[str, str, int]]:
    """(step, the day it was proven or "by" the day it should be, days late)."""
    return [
        (link.step, str(link.done_on or f"by {link.expected_by}"), link.late_days)
        for link in way(transaction, today).links
    ]


def remitted(account: ProviderAccount) -> None:
    """The bank has the account's remittance."""
    remittance = Remittance.objects.get(account_key=account.account_key)
    run = ReconciliationRun.objects.first()
    group = MatchGroup.objects.create(id="mtg_1", comparison="BANK", rule="SUM_AND_DATE", run=run, created_at=NOW)
    [line] = bank_lines(("", remittance.net_minor))
    BankMatch.objects.create(group=group, bank_line=line)
    BankMatch.objects.create(group=group, remittance=remittance)


def test_a_payment_s_way_link_by_link() -> None:
    account = priced()
    banked(account.merchant)
    paid = captured_transaction(account)
    assert shown(paid) == [
        ("CAPTURED", "2026-03-02", 0),
        ("ON_STATEMENT", "by 2026-03-03", 0),
        ("AT_BANK", "by 2026-03-03", 0),
        ("SETTLED", "by 2026-03-03", 0),
        ("PAID_OUT", "by 2026-03-03", 0),
    ]
    assert (way(paid).stage, way(paid, DAY + timedelta(days=4)).late_days) == (Step.ON_STATEMENT, 3)

    imported(account, [listed(sale_of(paid), provider_reference="F1")])
    reconciled(account)
    remitted(account)
    [settlement] = settled(account.merchant)
    our_bank()
    [payout] = released(settlement)
    payouts_send(now=LATER)
    assert shown(paid) == [
        ("CAPTURED", "2026-03-02", 0),
        ("ON_STATEMENT", "2026-03-02", 0),
        ("AT_BANK", "2026-03-02", 0),
        ("SETTLED", "2026-03-02", 0),
        ("PAID_OUT", "by 2026-03-03", 0),
    ]
    assert [link.what for link in way(paid).links] == ["", "statementline", "bankline", "settlement", "payout"]

    bank_lines((payout.end_to_end_id, -payout.amount_minor))
    proven()
    assert (way(paid).stage, way(paid).late_days) == (None, 0)
    assert Payout.objects.get().state == PayoutState.PAID
    assert BankLine.objects.count() == 2


def test_many_cost_as_many_queries_as_one() -> None:
    account = priced()
    paid = [captured_transaction(account).pk for _ in range(5)]
    unpaid = new_transaction(account).transaction.pk
    counts = []
    for asked in (paid[:1], [*paid, unpaid]):
        with CaptureQueriesContext(connection) as seen:
            ways = ways_of(asked, today=DAY)
        counts.append((len(ways), len(seen)))

    assert counts == [(1, 3), (5, 3)]


def test_stages_add_up_to_the_ledger_on_the_way() -> None:
    account = priced()
    banked(account.merchant)
    captured_transaction(account)

    def totals() -> dict[str, int]:
        found = stage_totals()
        assert all(each.agrees for each in found), found
        return {each.stage: each.minor for each in found if each.minor}

    assert totals() == {"Not settled yet": 9_830}
    [settlement] = settled(account.merchant)
    assert totals() == {"Settled, to be paid out": 9_830}
    our_bank()
    [payout] = released(settlement)
    payouts_send(now=LATER)
    assert totals() == {"Payout on its way": 9_830}
    bank_lines((payout.end_to_end_id, -9_830))
    proven()
    assert totals() == {"Paid out": 9_830}
    bank_lines((payout.end_to_end_id, 9_830))
    proven()
    assert totals() == {"Not settled yet": 9_830}
    assert Settlement.objects.get().state == "RETURNED"


def test_a_merchant_sees_the_steps_and_none_of_our_rows() -> None:
    account = priced()
    paid = captured_transaction(account)
    imported(account, [listed(sale_of(paid), provider_reference="F1")])
    reconciled(account)
    api = api_for(account.merchant, live=False)

    body = json.loads(api.get(f"/transactions/{paid.pk}/money").content)

    assert (body["transactionId"], body["stage"]) == (paid.pk, "AT_BANK")
    assert body["steps"][1] == {
        "step": "ON_STATEMENT",
        "doneOn": "2026-03-02",
        "expectedBy": None,
        "daysLate": 0,
        "id": None,
        "reference": None,
    }
    unpaid = new_transaction(account).transaction
    assert api.get(f"/transactions/{unpaid.pk}/money").status_code == 409
