"""The books and the statement files: the same money, told twice."""

from __future__ import annotations

import csv
import re
from decimal import Decimal

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.support.days import whole_today

FPX_HEADER = "TXN_TYPE,SELLER_ID,FPX_TXN_ID,SELLER_EX_ORDER_NO,TXN_TIME,BUYER_BANK,CURRENCY,AMOUNT,FEE,NET,STATUS"
MIGS_HEADER = (
    "TYPE,MERCHANT_ID,TRANSACTION_NO,MERCH_TXN_REF,ORDER_INFO,TIME,CARD_TYPE,CURRENCY,GROSS,MDR,NET,RESPONSE_CODE"
)


def today() -> str:
    return whole_today().isoformat()


def statement(one: FpxSeller | MigsMerchant, day: str, /, **query: str) -> list[list[str]]:
    answer = requests.get(f"{one.url}/{one.provider}/statements/{day}", params=query, timeout=10)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.text.endswith("\n")
    assert "\r" not in answer.text
    return list(csv.reader(answer.text.splitlines()))


def test_fpx_lists_what_moved_with_its_fees(seller: FpxSeller) -> None:
    day = today()
    personal, business = seller.pay("150.00"), seller.pay("20.00", msgToken="02", buyerBankId="MERA0201")
    seller.pay("30.00", "decline")
    refund = seller.refund_of(personal, "60.00")
    number = seller.refund(refund)["fpxTxnId"]
    seller.refund(seller.refund_of(personal, "2.00"))
    seller_id = seller.account["sellerId"]

    head, header, *lines, trailer = statement(seller, day, seller=seller_id)

    assert (head, ",".join(header)) == (["H", "FPX", seller_id, day], FPX_HEADER)
    assert [line[:1] + line[3:4] + line[5:] for line in lines] == [
        ["PAYMENT", personal["sellerExOrderNo"], "MERA0101", "MYR", "150.00", "0.50", "149.50", "00"],
        ["PAYMENT", business["sellerExOrderNo"], "MERA0201", "MYR", "20.00", "1.00", "19.00", "00"],
        ["REFUND", refund["sellerExOrderNo"], "MERA0101", "MYR", "-60.00", "0.00", "-60.00", "00"],
    ]
    assert lines[2][2] == number
    assert re.fullmatch(rf"{day}T\d\d:\d\d:\d\d\+08:00", lines[0][4])
    assert trailer == ["T", "3", "110.00", "1.50", "108.50"]


def test_migs_lists_what_moved_with_its_fees(merchant: MigsMerchant, authoriser: MigsMerchant) -> None:
    day = today()
    merchant.pay("2101", vpc_Currency="USD")  # 1.5 % is 31.515 cents
    merchant.pay("300")
    order = authoriser.pay("15000", vpc_OrderInfo='Permit, "north"')
    number = authoriser.send("queryDR", order["vpc_MerchTxnRef"])["TransactionNo"]
    capture = authoriser.act("capture", number, "10100")
    authoriser.act("refund", number, "10000")

    bought = statement(merchant, day, merchant=merchant.account["merchantId"])
    captured = statement(authoriser, day, merchant=authoriser.account["merchantId"])

    assert bought[0] == ["H", "MIGS", merchant.account["merchantId"], day]
    assert ",".join(bought[1]) == MIGS_HEADER
    assert [line[:1] + line[6:] for line in bought[2:-1]] == [
        ["PURCHASE", "VC", "USD", "21.01", "0.32", "20.69", "0"],
    ]
    assert bought[-1] == ["T", "1", "21.01", "0.32", "20.69"]
    assert captured[2][2:5] == [capture["TransactionNo"], capture["MerchTxnRef"], 'Permit, "north"']
    assert [line[:1] + line[6:] for line in captured[2:-1]] == [
        ["CAPTURE", "VC", "MYR", "101.00", "1.52", "99.48", "0"],  # 1.515, half up
        ["REFUND", "VC", "MYR", "-100.00", "0.00", "-100.00", "0"],
    ]
    assert captured[-1] == ["T", "2", "1.00", "1.52", "-0.52"]


@pytest.mark.parametrize("provider", ["fpx", "migs"])
def test_the_control_totals_of_the_whole_day_are_the_books(
    seller: FpxSeller, merchant: MigsMerchant, provider: str
) -> None:
    seller.refund(seller.refund_of(seller.pay("9.00"), "4.50"))
    merchant.pay("7000", vpc_Currency="VND")
    merchant.pay("1000", "decline", vpc_Currency="SGD")
    one = seller if provider == "fpx" else merchant
    day = today()

    *_, trailer = statement(one, day)
    moved = [entry for entry in one.books(date=day) if entry["status"] == "completed"]

    signed = [Decimal(entry["amount"]) * (-1 if entry["kind"] == "refund" else 1) for entry in moved]
    assert (int(trailer[1]), Decimal(trailer[2])) == (len(moved), sum(signed))
    assert Decimal(trailer[2]) - Decimal(trailer[3]) == Decimal(trailer[4])


def test_the_books_say_when_in_utc_and_can_be_asked_by_day(seller: FpxSeller) -> None:
    reference = seller.pay()["sellerExOrderNo"]

    [entry] = seller.books(reference=reference)

    assert sorted(entry) == ["amount", "at", "currency", "kind", "providerReference", "reference", "status"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["at"])
    assert entry in seller.books()
    assert seller.books(date="2020-01-31") == []


@pytest.mark.parametrize("day", ["2026-13-01", "20260131", "2026-W05-6", "yesterday", "2026-01-3%C3%A9"])
def test_a_day_that_is_none(sandbox_url: str, day: str) -> None:
    answers = [
        requests.get(f"{sandbox_url}/_books/fpx?date={day}", timeout=10),
        requests.get(f"{sandbox_url}/migs/statements/{day}", timeout=10),
    ]

    assert [(answer.status_code, list(answer.json())) for answer in answers] == [(400, ["error"])] * 2


def test_a_provider_that_is_none(sandbox_url: str) -> None:
    assert requests.get(f"{sandbox_url}/_books/paypal", timeout=10).status_code == 404
