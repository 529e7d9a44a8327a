"""The documents' rate limits: request 100, update 200, reconcile 10 a minute for each merchant."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client

from payments.models import Transaction
from tests.payments.eps.given import FORM, checksum_of, merchant_with, request_fields, signed

pytestmark = pytest.mark.django_db


def get(query: dict[str, str], address: str) -> Any:
    return Client(REMOTE_ADDR=address).get(f"/eps/reconcile?{urlencode(query)}")


def test_eleventh_reconciliation_in_a_minute_is_refused():
    merchant, other = merchant_with(rate_plan="default"), merchant_with(rate_plan="default")
    query = signed(merchant, "reconcile", {"DATE": "2026-03-02"})

    responses = [get(query, "192.0.2.1") for _ in range(11)]

    assert [response.status_code for response in responses] == [200] * 10 + [429]
    assert [response["X-RateLimit-Remaining"] for response in responses] == [str(n) for n in range(9, -1, -1)] + ["0"]
    last = responses[-1]
    answer = last.json()
    assert last["X-RateLimit-Limit"] == "10"
    assert 1 <= int(last["Retry-After"]) <= 60
    assert (answer["STATUS"], answer["STATUS_CODE"]) == ("SYSTEM_ERROR", "96")
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)
    assert get(signed(other, "reconcile", {"DATE": "2026-03-02"}), "192.0.2.1").status_code == 200


@pytest.mark.parametrize(("path", "figure"), [("request", "100"), ("update", "200")])
def test_figures_of_the_other_routes(path, figure):
    merchant = merchant_with(rate_plan="default")
    fields = request_fields(merchant) if path == "request" else signed(merchant, "update", {"TRANS_ID": "T1"})

    response = Client(REMOTE_ADDR="192.0.2.2").post(f"/eps/{path}", urlencode(fields), content_type=FORM)

    assert response["X-RateLimit-Limit"] == figure


def test_forgeries_use_up_nothing_of_the_merchants():
    merchant = merchant_with(rate_plan="default")
    query = signed(merchant, "reconcile", {"DATE": "2026-03-02"})
    for _ in range(20):
        assert get(query | {"CHECKSUM": uuid4().hex}, "192.0.2.3").status_code == 401

    assert get(query, "192.0.2.4").status_code == 200
    assert Transaction.objects.count() == 0
