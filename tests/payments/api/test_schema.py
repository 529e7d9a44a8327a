"""The OpenAPI document is served and says what the routes really read and write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from payments.api.v1 import filters, schemas
from tests.factories import captured_transaction
from tests.support.api import Api, new_body

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    response = Client().get("/api/schema/?format=json")
    assert response.status_code == 200
    read: dict[str, Any] = json.loads(response.content)
    return read


def properties(document: dict[str, Any], schema: str) -> set[str]:
    return set(document["components"]["schemas"][schema]["properties"])


def test_every_route_is_described_with_its_errors(document: dict[str, Any]) -> None:
    create = document["paths"]["/api/v1/transactions"]["post"]

    assert create["operationId"] == "createTransaction"
    assert {"200", "201", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= create["responses"].keys()
    assert {parameter["name"] for parameter in create["parameters"]} == {"Idempotency-Key", "Prefer", "X-Request-Id"}
    assert create["responses"]["201"]["content"].keys() == {"application/json"}
    listing = document["paths"]["/api/v1/transactions"]["get"]["responses"]["200"]["content"]
    assert listing.keys() == {"application/json", "text/csv"}
    assert create["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert "409" not in document["paths"]["/api/v1/transactions"]["get"]["responses"]
    listed = {parameter["name"] for parameter in document["paths"]["/api/v1/transactions"]["get"]["parameters"]}
    assert listed == set(filters.TransactionFilter.base_filters) | filters.PAGING | {"X-Request-Id"}


def test_bodies_have_the_fields_that_are_described(api: Api, document: dict[str, Any]) -> None:
    unknown = json.loads(api.post("/transactions", {"zz": 1}).content)["error"]["details"]["fields"]
    assert "zz" in unknown
    for name in properties(document, "TransactionIn"):
        fields = json.loads(api.post("/transactions", {"zz": 1, name: None}).content)["error"]["details"]["fields"]
        assert "There is no such field." not in fields.get(name, [])
    made = json.loads(api.post("/transactions", new_body(), key="k").content)
    assert made.keys() == properties(document, "TransactionOut")
    assert made["payments"][0].keys() == properties(document, "PaymentOut")
    assert made["nextAction"].keys() == properties(document, "NextAction")


def test_the_other_answers_too(api: Api, document: dict[str, Any]) -> None:
    kept = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    refund = json.loads(api.post(f"/transactions/{kept.pk}/refunds", {"reason": "x"}, key="k").content)

    def of(path: str) -> Any:
        return json.loads(api.get(path).content)

    assert refund.keys() == properties(document, "RefundOut")
    assert of(f"/transactions/{kept.pk}/status").keys() == properties(document, "TransactionStatusOut")
    assert of(f"/transactions/{kept.pk}/events")["data"][0].keys() == properties(document, "EventOut")
    assert of("/payment-types")["data"][0].keys() == properties(document, "PaymentTypeOut")
    assert properties(document, "BankOut") == set(schemas.BankOut().fields)
    assert of("/transactions").keys() == properties(document, "TransactionPage") == {"data", "nextCursor"}
