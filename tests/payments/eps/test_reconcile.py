"""GET /eps/reconcile: the merchant's own day, every line and the totals."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from common.changes import Actor
from common.money import Money
from merchants.models import Merchant, ProviderAccount
from payments.facades.eps import reconcile
from payments.models import Operation, Payment, Transaction
from payments.providers.base import Outcome
from payments.services.refunds import refund_request
from tests.factories import new_transaction, sale_of, settle
from tests.payments.eps.given import checksum_of, merchant_with, signed
from tests.support.databases import what_was_asked_may_change

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in Kuala Lumpur
HEADER = "TRANS_ID,PAYMENT_TRANS_ID,AMOUNT,STATUS,STATUS_CODE,PAYMENT_MODE,APPROVAL_CODE,BANK_REFERENCE,FEE,REFUNDED,CREATED_AT,PAID_AT,RECONCILIATION"


def get(merchant: Merchant, day: str = "2026-03-02", **fields: str) -> Any:
    query = signed(merchant, "reconcile", {"DATE": day, **fields})
    return Client().get(f"/eps/reconcile?{urlencode(query)}")


def eps_transaction(merchant: Merchant, trans_id: str, *, at: datetime = NOON, **changes: Any) -> Transaction:
    account = ProviderAccount.objects.get(merchant=merchant, provider=changes.get("method", "fpx"))
    return new_transaction(account, now=at, channel="eps", external_reference=trans_id, **changes).transaction


def account_with_fee(merchant: Merchant) -> None:
    with what_was_asked_may_change("provider_account"):
        ProviderAccount.objects.filter(merchant=merchant).update(fee_basis_points=100, fee_fixed_minor=20)


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
def test_day_is_told_line_by_line_with_totals(scheme):
    merchant = merchant_with(scheme)
    account_with_fee(merchant)
    paid = eps_transaction(merchant, "T1")
    settle(sale_of(paid), approval_code="A1", bank_reference="B1", now=NOON)
    refund = refund_request(
        transaction_id=paid.pk, amount=Money(2_500, "MYR"), reason="returned", actor=Actor("operator:a"), now=NOON
    )
    Operation.objects.filter(refund=refund).update(state="SENT")
    settle(Operation.objects.get(refund=refund), now=NOON)
    declined = eps_transaction(
        merchant, "T2", at=NOON.replace(minute=1), business_banking=True, amount=Money(1_005, "MYR")
    )
    settle(sale_of(declined), Outcome.DECLINED, failure_code="INSUFFICIENT_FUNDS")

    answer = get(merchant).json()

    lines = answer.pop("TRANSACTIONS")
    references = list(Payment.objects.order_by("created_at").values_list("payment_trans_id", flat=True))
    assert answer == {
        "STATUS": "SUCCESS",
        "STATUS_CODE": "00",
        "STATUS_MESSAGE": "Reconciliation",
        "MERCHANT_CODE": merchant.code,
        "DATE": "2026-03-02",
        "PAGE": "1",
        "PAGES": "1",
        "COUNT": "2",
        "AMOUNT": "110.05",
        "PAID_COUNT": "1",
        "PAID_AMOUNT": "100.00",
        "FEE": "1.20",
        "REFUNDED": "25.00",
        "CHECKSUM": checksum_of(merchant, "response", answer),
    }
    assert [",".join(line) for line in lines] == [HEADER, HEADER]
    assert [",".join(line.values()) for line in lines] == [
        f"T1,{references[0]},100.00,SUCCESS,00,fpx,A1,B1,1.20,25.00,2026-03-02T04:00:00.000Z,2026-03-02T04:00:00.000Z,PENDING",
        f"T2,{references[1]},10.05,INSUFFICIENT_FUNDS,05,fpx1,,,0.00,0.00,2026-03-02T04:01:00.000Z,,PENDING",
    ]


def test_day_begins_and_ends_in_the_merchants_time_zone():
    merchant = merchant_with()
    for trans_id, at in {
        "LAST-OF-1": datetime(2026, 3, 1, 15, 59, 59, 999999, UTC),
        "FIRST-OF-2": datetime(2026, 3, 1, 16, 0, tzinfo=UTC),
        "LAST-OF-2": datetime(2026, 3, 2, 15, 59, 59, 999999, UTC),
        "FIRST-OF-3": datetime(2026, 3, 2, 16, 0, tzinfo=UTC),
    }.items():
        eps_transaction(merchant, trans_id, at=at)

    assert [line["TRANS_ID"] for line in get(merchant).json()["TRANSACTIONS"]] == ["FIRST-OF-2", "LAST-OF-2"]


def test_only_the_merchants_own_eps_transactions_are_listed():
    merchant, other = merchant_with(), merchant_with()
    eps_transaction(merchant, "MINE")
    eps_transaction(other, "OTHERS")
    new_transaction(ProviderAccount.objects.get(merchant=merchant, provider="fpx"), now=NOON, external_reference="API")

    answer = get(merchant).json()

    assert [line["TRANS_ID"] for line in answer["TRANSACTIONS"]] == ["MINE"]
    assert (answer["COUNT"], answer["AMOUNT"]) == ("1", "100.00")


def test_pages_hold_every_line_once(monkeypatch):
    monkeypatch.setattr(reconcile, "PAGE_SIZE", 2)
    merchant = merchant_with()
    for number in range(5):
        eps_transaction(merchant, f"T{number}", at=NOON)  # the same moment: the id decides the order

    pages = [get(merchant, PAGE=str(page)).json() for page in (1, 2, 3, 4)]

    assert [len(page["TRANSACTIONS"]) for page in pages] == [2, 2, 1, 0]
    assert {line["TRANS_ID"] for page in pages for line in page["TRANSACTIONS"]} == {f"T{n}" for n in range(5)}
    assert {(page["PAGES"], page["COUNT"], page["AMOUNT"]) for page in pages} == {("3", "5", "500.00")}


def test_empty_day_has_one_empty_page():
    answer = get(merchant_with()).json()
    assert (answer["COUNT"], answer["PAGES"], answer["AMOUNT"], answer["TRANSACTIONS"]) == ("0", "1", "0.00", [])


def test_csv_has_the_whole_day_and_no_formula():
    merchant = merchant_with()
    settle(sale_of(eps_transaction(merchant, "-1-1")), approval_code="=1+1", bank_reference="@SUM", now=NOON)

    response = get(merchant, FORMAT="csv")

    text = b"".join(response.streaming_content).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert text.count("\r\n") == len(rows) == 3
    assert ",".join(rows[0]) == HEADER
    assert (rows[1][0], rows[1][6], rows[1][7]) == ("'-1-1", "'=1+1", "'@SUM")
    assert rows[1][2] == "100.00"
    assert rows[2] == ["TOTAL", "1", "100.00", "", "", "", "", "", "0.00", "0.00", "", "", ""]


@pytest.mark.parametrize(
    "fields",
    [
        *[
            {"DATE": day}
            for day in ("", "2026-3-2", "02/03/2026", "2026-02-30", "2025-02-29", "0001-01-01", "9999-12-31")
        ],
        *[{"DATE": day} for day in ("２０２６-03-02", "2026-03-02T00:00", "today", "2026-03-02 ")],
        *[{"PAGE": page} for page in ("0", "-1", "1e3", "1.0", "１", "", "99999999")],
        *[{"FORMAT": form} for form in ("CSV", "xml", "")],
        {"FORMAT": "csv", "PAGE": "1"},
        {"TRANS_ID": "T1"},
        {"LIMIT": "10"},
    ],
)
def test_bad_question_is_refused(fields):
    query = {"DATE": "2026-03-02", **fields}
    response = get(merchant_with(), query.pop("DATE"), **query)
    assert (response.status_code, response.json()["STATUS_CODE"]) == (400, "30")


def test_leap_day_is_a_day():
    assert get(merchant_with(), "2028-02-29").status_code == 200


@pytest.mark.parametrize("query", ["", "DATE=2026-03-02&DATE=2026-03-03", "DATE=%ff", "%00=1", "DATE"])
def test_unreadable_question_is_refused(query):
    assert Client().get(f"/eps/reconcile?{query}").status_code == 400


def test_wrong_checksum_is_unauthorised():
    response = get(merchant_with(), CHECKSUM="0" * 64)
    assert (response.status_code, response.json()["STATUS_CODE"]) == (401, "30")
