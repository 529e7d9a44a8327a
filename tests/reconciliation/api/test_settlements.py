"""Settlements by API: exact numbers, pages, filters, CSV, documents; what they say is what the OpenAPI document says."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from common.money import Money
from payments.models import Transaction
from reconciliation.models import Settlement
from tests.factories import NOW, captured_transaction
from tests.reconciliation.test_settle import AFTER, DAY, agreed, book_other, given_back, settled
from tests.support.api import Api, api_for, refusal
from tests.support.databases import what_was_asked_may_change

pytestmark = pytest.mark.django_db
AMOUNTS = (
    "gross",
    "refunds",
    "disputes",
    "fees",
    "reserveHeld",
    "reserveReleased",
    "adjustments",
    "carriedOver",
    "amount",
)


@pytest.fixture
def shop(db: None) -> Api:
    """Two settlements: a day with a refund, a dispute and a reserve; the day after with its release and what was carried over."""
    api = api_for(scopes=["settlement:read"])
    account = api.merchant.provider_accounts.get(provider="migs")
    account.fee_basis_points, account.fee_fixed_minor = 150, 20
    with what_was_asked_may_change("provider_account"):
        account.save()
    agreed(api.merchant, reserve_basis_points=500, reserve_days=1)
    captured_transaction(account, external_reference="=HYPERLINK(1)", amount=Money(123_456, "MYR"))
    given_back(account, 2_500)
    settled(api.merchant)
    book_other(account, -500_000, "dispute.charged_back", now=NOW + timedelta(days=1))
    settled(api.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    return api


def exact(api: Api, path: str) -> Any:
    response = api.get(path)
    assert response.status_code == 200, response.content
    return json.loads(response.content, parse_float=Decimal)


def test_a_settlement_says_what_its_amount_is_made_of(shop: Api) -> None:
    listed = exact(shop, "/settlements")["data"]

    assert [each["date"] for each in listed] == ["2026-03-03", "2026-03-02"]
    second, first = listed
    assert first == exact(shop, f"/settlements/{first['id']}")
    assert (first["gross"], first["refunds"], first["fees"]) == (Decimal("1334.56"), Decimal("25.00"), Decimal("20.42"))
    assert first["feeParts"] == {
        "percentage": Decimal("20.02"),
        "fixed": Decimal("0.40"),
        "limits": Decimal("0.00"),
        "other": Decimal("0.00"),
    }
    assert (first["reserveHeld"], first["reserveReleaseOn"]) == (Decimal("65.48"), "2026-03-03")
    assert (first["amount"], first["status"], first["payOn"]) == (Decimal("1223.66"), "CREATED", "2026-03-03")
    assert (second["disputes"], second["reserveReleased"]) == (Decimal("5000.00"), Decimal("65.48"))
    assert (second["amount"], second["status"]) == (Decimal("-4934.52"), "CARRIED")
    for each in listed:
        gross, refunds, disputes, fees, held, released, adjustments, carried, amount = (each[name] for name in AMOUNTS)
        assert amount == gross - refunds - disputes - fees - held + released + adjustments + carried
    raw = shop.get(f"/settlements/{first['id']}").content
    assert b'"refunds":25.00' in raw


def test_the_lines_add_up_page_by_page(shop: Api) -> None:
    settlement = exact(shop, "/settlements")["data"][1]
    path, cursor, lines = f"/settlements/{settlement['id']}/lines?limit=2", "", []
    while cursor is not None:
        page = exact(shop, path + (f"&cursor={cursor}" if cursor else ""))
        lines += page["data"]
        cursor = page["nextCursor"]

    assert [line["type"] for line in lines].count("PAYMENT") == 2
    assert len(lines) == len({line["id"] for line in lines}) == settlement["lineCount"] == 3
    for name in ("gross", "refunds", "disputes", "fees", "adjustments"):
        assert sum(line[name] for line in lines) == settlement[name]
    transaction = Transaction.objects.get(external_reference="=HYPERLINK(1)")
    [line] = [line for line in lines if line["transactionId"] == transaction.pk]
    assert (line["amount"], line["paymentTypeId"]) == (Decimal("1215.84"), "migs")


def test_the_lines_as_csv_are_safe_to_open(shop: Api) -> None:
    settlement = exact(shop, "/settlements")["data"][1]
    for path, headers in (
        ("lines", {"Accept": "text/csv"}),
        ("statement?format=csv", {}),
        ("statement", {"Accept": "text/csv"}),
    ):
        response = shop.get(f"/settlements/{settlement['id']}/{path}", **headers)

        rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))  # type: ignore[attr-defined]
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert sum(Decimal(row["amount"]) for row in rows) == settlement["amount"] + settlement["reserveHeld"]
        assert "'=HYPERLINK(1)" in [row["externalReference"] for row in rows]
        assert [row["bookedAt"] for row in rows] == sorted(row["bookedAt"] for row in rows)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("status=CARRIED", ["2026-03-03"]),
        ("status=CARRIED,CREATED", ["2026-03-03", "2026-03-02"]),
        ("dateTo=2026-03-02", ["2026-03-02"]),
        ("dateFrom=2026-03-03", ["2026-03-03"]),
        ("currencyCode=USD", []),
        ("limit=1", ["2026-03-03"]),
    ],
)
def test_filters(shop: Api, query: str, days: list[str]) -> None:
    assert [each["date"] for each in exact(shop, f"/settlements?{query}")["data"]] == days


@pytest.mark.parametrize(
    "query", ["status=DONE", "dateFrom=yesterday", "merchant=x", "dateFrom=2026-03-03&dateTo=2026-03-02", "limit=0"]
)
def test_a_filter_that_is_not_right_is_refused(shop: Api, query: str) -> None:
    refusal(shop.get(f"/settlements?{query}"), 400, "INVALID_REQUEST")


def test_the_document_is_a_pdf_by_default_and_a_spreadsheet_on_request(shop: Api) -> None:
    settlement = exact(shop, "/settlements")["data"][1]
    pdf = shop.get(f"/settlements/{settlement['id']}/statement")
    sheet = shop.get(f"/settlements/{settlement['id']}/statement?format=xlsx")

    assert pdf["Content-Type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    assert settlement["id"] in pdf["Content-Disposition"]
    book = load_workbook(io.BytesIO(sheet.getvalue()))  # type: ignore[attr-defined]
    rows = {row[0].value: row[1].value for row in book["Settlement"].iter_rows(max_col=2)}
    assert (rows["Payments"], rows["Refunds"], rows["Net"]) == (1334.56, -25, 1223.66)
    lines = list(book["Lines"].iter_rows(min_row=2))
    assert len(lines) == 3
    [hostile] = [line for line in lines if line[2].value == "=HYPERLINK(1)"]
    assert hostile[2].data_type == "s"
    assert hostile[10].value == 1215.84
    error = refusal(shop.get(f"/settlements/{settlement['id']}/statement", Accept="image/png"), 406, "NOT_ACCEPTABLE")
    assert "application/pdf" in error["message"]
    error = refusal(shop.get(f"/settlements/{settlement['id']}/statement?format=doc"), 400, "INVALID_REQUEST")
    assert error["details"]["fields"] == {"format": ["Choose one of pdf, xlsx, csv."]}


def test_csv_has_no_pages(shop: Api) -> None:
    settlement = Settlement.objects.first()
    assert settlement is not None
    refusal(shop.get(f"/settlements/{settlement.pk}/lines?limit=2", Accept="text/csv"), 400, "INVALID_REQUEST")


def test_bodies_have_the_fields_that_are_described(shop: Api) -> None:
    document = json.loads(Client().get("/api/schema/?format=json").content)
    schemas = document["components"]["schemas"]
    settlement = exact(shop, "/settlements")["data"][1]

    line = exact(shop, f"/settlements/{settlement['id']}/lines")["data"][0]

    assert settlement.keys() == schemas["SettlementOut"]["properties"].keys()
    assert settlement["feeParts"].keys() == schemas["FeeParts"]["properties"].keys()
    assert line.keys() == schemas["SettlementLineOut"]["properties"].keys()
    shown = document["paths"]["/api/v1/settlements/{settlement_id}"]["get"]["responses"]["200"]["content"]
    example = next(iter(shown["application/json"]["examples"].values()))["value"]
    assert example.keys() == settlement.keys()
    formats = document["paths"]["/api/v1/settlements/{settlement_id}/statement"]["get"]["responses"]["200"]["content"]
    assert len(formats) == 3
