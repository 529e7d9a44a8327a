"""The list as CSV: the same filters, every row, exact amounts, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from common.money import Money
from tests.factories import captured_transaction, new_transaction
from tests.support.api import Api, api_for, refusal

pytestmark = pytest.mark.django_db


def export(api: Api, query: str = "") -> list[dict[str, str]]:
    response: Any = api.get(f"/transactions{query}", Accept="text/csv")
    assert isinstance(response, StreamingHttpResponse)
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(b"".join(response).decode(), newline="")))


def test_every_row_is_there_with_exact_amounts(api: Api) -> None:
    cards = api.merchant.provider_accounts.get(provider="migs")
    kept = captured_transaction(cards, amount=Money(9_999_999_999_999_999, "MYR"), external_reference="o1")
    for _ in range(120):  # more than a page
        new_transaction(cards)

    rows = export(api)

    assert len(rows) == 121
    assert [row for row in rows if row["id"] == kept.pk] == [
        {
            "id": kept.pk,
            "status": "COMPLETED",
            "paymentTypeId": "migs",
            "amount": "99999999999999.99",
            "amountCaptured": "99999999999999.99",
            "amountRefunded": "0.00",
            "currencyCode": "MYR",
            "description": "",
            "externalReference": "o1",
            "failureCode": "",
            "failureReason": "",
            "createdAt": "2026-03-02T04:00:00.000Z",
            "updatedAt": "2026-03-02T04:00:00.000Z",
            "expiresAt": "2026-03-02T04:30:00.000Z",
        }
    ]


def test_filters_count_and_strangers_are_not_there(api: Api) -> None:
    cards = api.merchant.provider_accounts.get(provider="migs")
    paid = captured_transaction(cards)
    new_transaction(cards)
    captured_transaction(api_for().merchant.provider_accounts.get(provider="migs"))

    assert [row["id"] for row in export(api, "?status=COMPLETED")] == [paid.pk]


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x","y")', "+1+1", "-1", "@SUM(A1)", "＝1"])
def test_text_is_never_a_formula(api: Api, text: str) -> None:
    new_transaction(api.merchant.provider_accounts.get(provider="migs"), description=text)

    assert export(api)[0]["description"] == f"'{text}"


@pytest.mark.parametrize("query", ["?limit=10", "?cursor=abc", "?colour=red"])
def test_pages_and_unknown_filters_are_refused(api: Api, query: str) -> None:
    refusal(api.get(f"/transactions{query}", Accept="text/csv"), 400, "INVALID_REQUEST")


def test_json_is_what_one_gets_without_asking(api: Api) -> None:
    assert api.get("/transactions", Accept="*/*")["Content-Type"] == "application/json"
    refusal(api.get("/transactions", Accept="application/xml"), 406, "NOT_ACCEPTABLE")
