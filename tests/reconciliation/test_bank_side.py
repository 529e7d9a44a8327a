"""The bank's side against the real sandbox: what providers owe becomes remittances, what the bank books becomes bank lines."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import requests
from django.utils import timezone

from common.models import AuditRecord, Fact
from payments.models import Posting
from reconciliation.models import BankAccount, BankBalance, BankLine, Remittance, Source, Statement
from reconciliation.services.fetch import bank_statement_fetch, statement_fetch
from reconciliation.services.imports import statement_import
from reconciliation.sources import due_at
from sandbox.bank.records import TEST_ACCOUNT
from tests.factories import ProviderAccountFactory
from tests.factories.agreed import new_bank_account
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file, imported
from tests.reconciliation.sandbox_day import open_shop, pay, refund
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def in_two_days() -> datetime:
    return timezone.now() + timedelta(days=2)


def open_bank(sandbox_url: str, format: str = "camt053") -> BankAccount:
    source = Source.objects.create(
        code="sandboxbank",
        name="Sandbox Bank",
        side="BANK",
        format=format,
        fetch_url=f"{sandbox_url}/bank/statements/{{date}}?account={{account}}&format={format}",
    )
    return new_bank_account(source, TEST_ACCOUNT)


def postings(kind: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for account, minor in Posting.objects.filter(account__kind=kind).values_list("account_id", "amount_minor"):
        found[account] = found.get(account, 0) + minor
    return found


def test_a_remittance_is_the_sum_of_the_new_lines_and_books_the_provider_s_fees() -> None:
    account = ProviderAccountFactory(account_key="SE1")
    shorter = [Listed("SE1", "F1", "EPG1"), Listed("SE1", "F2", "RFD1", minor=-2_550, fee=0, type="REFUND")]
    first = imported(account, shorter)
    longer = imported(account, [*shorter, Listed("SE1", "F3", "EPG3", minor=300)])
    imported(account, shorter)  # again

    rows = Remittance.objects.order_by("line_count").values_list(
        "statement", "account_key", "provider_account", "currency", "line_count", "gross_minor", "fee_minor", "net_minor", "due_on"
    )  # fmt: skip
    assert list(rows) == [
        (longer.pk, "SE1", account.pk, "MYR", 1, 300, 50, 250, DAY + timedelta(days=1)),
        (first.pk, "SE1", account.pk, "MYR", 2, 7_450, 50, 7_400, DAY + timedelta(days=1)),
    ]
    assert postings("provider_fees") == {f"provider_fees:{account.pk}:test:MYR": 100}
    assert postings("provider_receivable") == {f"provider_receivable:{account.pk}:test:MYR": -100}
    facts = Fact.objects.filter(name="remittance.announced")
    assert {fact.subject_id for fact in facts} == {row.pk for row in Remittance.objects.all()}
    assert {fact.merchant_id for fact in facts} == {account.merchant_id}
    assert AuditRecord.objects.filter(action="remittance.announced").count() == 2


def test_of_an_account_that_is_not_ours_nothing_is_booked() -> None:
    statement_import(
        content=fpx_file([Listed("SE9", "F1", "EPG1")]), provider="fpx", account=None, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    )  # fmt: skip

    assert Remittance.objects.get().provider_account is None
    assert Posting.objects.count() == 0


def test_a_statement_is_due_at_its_source_s_hour_in_its_zone() -> None:
    source = Source(zone="Asia/Kuala_Lumpur", due_days=2)

    assert due_at(source, date(2026, 3, 2)).isoformat() == "2026-03-04T06:00:00+08:00"


@pytest.mark.parametrize("format", ["camt053", "mt940"])
def test_what_a_provider_owes_arrives_at_the_bank_the_day_after(own_sandbox: SandboxProcess, format: str) -> None:
    url = own_sandbox.url
    bank, shop, cards = open_bank(url, format), open_shop(url, "fpx"), open_shop(url, "migs")
    refund(pay(shop, url, 10_000), 2_500)
    pay(shop, url, 100)
    pay(cards, url, 33_333)
    pay(cards, url, 10_000, decision="decline")
    days = sorted(
        {x.date() for x in (timezone.now() + timedelta(hours=8), timezone.now() + timedelta(hours=7, minutes=59))}
    )
    for day in days:
        for account in (shop, cards):
            statement_fetch(account=account, day=day, actor=ACTOR, clock=in_two_days)

    for day in [*days, days[-1] + timedelta(days=1)]:
        fetched = bank_statement_fetch(account=bank, day=day, actor=ACTOR, clock=in_two_days)
        assert fetched.problem == ""

    owed = {f"{x.provider.upper()}-{x.account_key}-{x.day:%Y%m%d}": x.net_minor for x in Remittance.objects.all()}
    assert sum(owed.values()) == 10_000 - 50 - 2_500 + 100 - 50 + 33_333 - 500
    lines = BankLine.objects.all()
    assert {line.end_to_end_id: line.amount_minor for line in lines} == owed
    assert {(line.account_key, line.currency, line.reversal) for line in lines} == {(TEST_ACCOUNT, "MYR", False)}
    assert {line.counterparty for line in lines} == {"FPX", "MIGS"}
    assert BankBalance.objects.order_by("-closed_on")[0].closing_minor == sum(owed.values())
    assert set(Statement.objects.filter(provider="sandboxbank").values_list("state", "controls")) == {
        ("IMPORTED", "AGREED")
    }

    again = bank_statement_fetch(account=bank, day=days[-1], actor=ACTOR, clock=in_two_days)
    assert again.statement is not None
    assert BankLine.objects.count() == len(owed)


def test_a_statement_of_an_account_that_is_not_ours_or_of_the_other_mode_is_refused(sandbox_url: str) -> None:
    bank = open_bank(sandbox_url)
    content = requests.get(f"{sandbox_url}/bank/statements/2026-03-02", timeout=10).content  # test and live
    for live in (False, True):
        refused = statement_import(
            content=content, provider=bank.source_id, account=None, live=live, day=None, actor=ACTOR, now=NEXT_MORNING
        ).statement
        assert refused.state == "REFUSED"
        assert "is not one of this source's in this mode" in refused.reason
    assert BankLine.objects.count() == 0
