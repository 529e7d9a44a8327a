"""Fees beside the contract: counted by month, claimed once, the file safe to open, and what comes back assigned to the claim."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database
from django.test import Client
from openpyxl import load_workbook

from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.models import AuditRecord, Fact
from common.money import Money
from common.spreadsheets import xlsx_file
from merchants.models import ProviderAccount
from reconciliation.models import FeeClaim, FeeClaimLine, FeeClaimRefund, StatementLine
from reconciliation.services.fee_claims import fee_claim_create, fee_claim_refund, fee_claim_refunded, fee_differences
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.reconciliation.given import imported, listed, reconciled
from tests.reconciliation.people import person
from tests.support.race import race

pytestmark = pytest.mark.django_db
ACTOR = Actor("operator:maker")
MARCH = {"provider": "fpx", "live": False, "currency": "MYR", "first": date(2026, 3, 1), "last": date(2026, 3, 31)}
BASE = "/admin/reconciliation/feeclaim/"


@pytest.fixture
def overcharged() -> ProviderAccount:
    """A day on which 0.50 was agreed: charged 0.80, 1.00, 0.20 and once as agreed; and adjustments in both directions."""
    account = ProviderAccountFactory()
    lines = [
        listed(sale_of(captured_transaction(account)), provider_reference=f"F{fee}", fee=fee)
        for fee in (80, 100, 20, 50)
    ]
    statement = imported(account, lines)
    reconciled(account)
    for number, minor in enumerate((80, -5, 1), start=1):
        StatementLine.objects.create(
            statement=statement,
            number=10 + number,
            provider="fpx",
            account_key=account.account_key,
            provider_account=account,
            type="ADJUSTMENT",
            provider_reference=f"ADJ{number}",
            occurrence=1,
            at=NOW,
            currency="MYR",
            amount_minor=minor,
            fee_minor=0,
            net_minor=minor,
            status_code="00",
        )
    return account


def claimed(**changes: Any) -> FeeClaim:
    return fee_claim_create(**(MARCH | changes), reason="Contract 3.2", actor=ACTOR, now=NOW)


def figures() -> list[tuple[int, ...]]:
    return [
        (f.over_count, f.over_minor, f.claimed_count, f.claimed_minor, f.under_count, f.under_minor)
        for f in fee_differences()
    ]


def test_differences_are_summed_by_month_and_claimed_once(overcharged: ProviderAccount) -> None:
    assert figures() == [(2, 80, 0, 0, 1, 30)]

    claim = claimed()

    assert (claim.line_count, str(claim.claimed)) == (2, "0.80")
    assert list(claim.lines.values_list("agreed_minor", "charged_minor")) == [(50, 80), (50, 100)]
    assert figures() == [(2, 80, 2, 80, 1, 30)]
    assert Fact.objects.get(subject_id=claim.pk).name == "fee_claim.made"
    with pytest.raises(InvalidState):
        claimed()
    assert FeeClaim.objects.count() == 1


@pytest.mark.parametrize(
    "changes", [{"provider": "migs"}, {"live": True}, {"currency": "USD"}, {"first": date(2026, 3, 3)}]
)
def test_nothing_else_is_claimed(changes: dict[str, Any], overcharged: ProviderAccount) -> None:
    with pytest.raises(InvalidState):
        claimed(**changes)
    assert (FeeClaim.objects.count(), FeeClaimLine.objects.count(), AuditRecord.objects.filter(subject_type="fee_claim").count()) == (0, 0, 0)  # fmt: skip


def test_the_database_keeps_a_claim_as_it_was_sent(overcharged: ProviderAccount) -> None:
    claimed()
    for sql in ("UPDATE fee_claim_line SET charged_minor = 1000", "UPDATE fee_claim SET claimed_minor = 1"):
        with pytest.raises(IntegrityError, match="append-only"), database.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_what_comes_back_is_assigned_once_and_never_more_than_claimed(overcharged: ProviderAccount) -> None:
    claim = claimed()

    def assign(reference: str) -> FeeClaimRefund:
        return fee_claim_refund(claim_id=claim.pk, provider_reference=reference, reason="x", actor=ACTOR, now=NOW)

    assert assign("ADJ1").amount_minor == 80
    assert fee_claim_refunded(claim) == Money(80, "MYR")
    for reference, error in (
        ("ADJ1", InvalidState),
        ("ADJ2", NotFound),
        ("ADJ3", InvalidState),
        ("F80", NotFound),
        ("no", NotFound),
    ):
        with pytest.raises(error):
            assign(reference)
    assert FeeClaimRefund.objects.count() == 1


def test_the_file_is_safe_to_open_and_exact(overcharged: ProviderAccount, client: Client) -> None:
    claim = claimed()
    client.force_login(person("auditor", "auditor"))

    rows = list(csv.reader(io.StringIO(client.get(f"{BASE}{claim.pk}/csv/").getvalue().decode())))
    sheet = load_workbook(io.BytesIO(client.get(f"{BASE}{claim.pk}/xlsx/").getvalue())).worksheets[0]

    assert [(row[0], *row[4:]) for row in rows[1:]] == [
        ("F80", "MYR", "100.00", "0.80", "0.50", "0.30"),
        ("F100", "MYR", "100.00", "1.00", "0.50", "0.50"),
    ]
    cells = list(sheet.iter_rows(min_row=2))
    assert [(row[0].value, row[0].data_type, row[8].value, row[8].number_format) for row in cells] == [
        ("F80", "s", 0.3, "#,##0.00"),
        ("F100", "s", 0.5, "#,##0.00"),
    ]


def test_a_workbook_takes_text_as_text() -> None:
    sheet = load_workbook(xlsx_file("x", ("a", "b"), [("=1+1", Money(-5, "VND")), ("http://x.example", 7)])).worksheets[
        0
    ]

    assert [(c.value, c.data_type) for c in sheet["A"]] == [("a", "s"), ("=1+1", "s"), ("http://x.example", "s")]
    assert [(c.value, c.data_type, c.hyperlink) for c in sheet["B"]] == [
        ("b", "s", None),
        (-5, "n", None),
        (7, "n", None),
    ]


def test_the_page_claims_by_who_may(overcharged: ProviderAccount, client: Client) -> None:
    form = {"what": "fpx test MYR 2026-03", "reason": "Contract", "_form_submitted": "True"}
    client.force_login(person("support", "operations"))
    assert client.post(f"{BASE}claim/", form).status_code == 403
    assert FeeClaim.objects.count() == 0

    client.force_login(person("finance"))
    assert "MYR" in client.get(BASE).content.decode()
    client.get(f"{BASE}claim/", form)
    assert FeeClaim.objects.count() == 0
    for _ in range(2):
        client.post(f"{BASE}claim/", form)
    claim = FeeClaim.objects.get()
    client.post(
        f"{BASE}{claim.pk}/given-back/", {"provider_reference": "ADJ1", "reason": "x", "_form_submitted": "True"}
    )

    assert claim.created_by == "operator:finance"
    assert fee_claim_refunded(claim).minor == 80
    assert "0.80" in client.get(f"{BASE}{claim.pk}/change/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_are_one(overcharged: ProviderAccount) -> None:
    results = race(8, lambda n: claimed())

    assert [type(result) for result in results].count(InvalidState) == 7
    assert (FeeClaim.objects.count(), FeeClaimLine.objects.count()) == (1, 2)
