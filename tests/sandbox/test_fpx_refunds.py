"""FPX: RF and RE."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from tests.sandbox.merchants import FpxSeller


def test_a_refund_is_booked_and_its_state_can_be_asked(seller: FpxSeller) -> None:
    order = seller.pay("150.00")
    refund = seller.refund_of(order, "60.00", orgFpxTxnId=seller.enquire(order)["fpxTxnId"])
    question = {**refund, "msgType": "RE"}

    before, told, after = seller.refund(question), seller.refund(refund), seller.refund(question)

    assert before["debitAuthCode"] == "76"
    assert told == after
    assert (told["msgType"], told["debitAuthCode"], told["txnAmount"]) == ("RC", "00", "60.00")
    assert seller.booked(refund["sellerExOrderNo"]) == [("refund", "60.00", "completed")]


def test_sixteen_times_the_same_refund_is_one(seller: FpxSeller) -> None:
    refund = seller.refund_of(seller.pay("150.00"), "60.00")

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(seller.refund, [refund] * 16))

    assert all(answer == told[0] for answer in told)
    assert told[0]["debitAuthCode"] == "00"
    assert seller.booked(refund["sellerExOrderNo"]) == [("refund", "60.00", "completed")]


def test_sixteen_refunds_at_once_never_exceed_the_charge(seller: FpxSeller) -> None:
    order = seller.pay("150.00")
    refunds = [seller.refund_of(order, "60.00") for _ in range(16)]

    with ThreadPoolExecutor(16) as pool:
        codes = [answer["debitAuthCode"] for answer in pool.map(seller.refund, refunds)]

    assert sorted(codes) == ["00"] * 2 + ["48"] * 14
    statuses = [status for refund in refunds for _, _, status in seller.booked(refund["sellerExOrderNo"])]
    assert sorted(statuses) == ["completed"] * 2 + ["declined"] * 14


@pytest.mark.parametrize(
    ("amount", "code", "booked"),
    [
        ("1.00", "00", "1.00"),
        ("2.00", "57", None),
        ("3.00", "51", None),
        ("6.00", "00", "6.00"),
        ("9.00", "00", "10.00"),
    ],
)
def test_a_test_amount(seller: FpxSeller, amount: str, code: str, booked: str | None) -> None:
    refund = seller.refund_of(seller.pay("150.00"), amount)

    told = seller.refund(refund)

    status = "completed" if booked else "declined"
    assert (told["debitAuthCode"], told["txnAmount"]) == (code, booked or amount)
    assert seller.booked(refund["sellerExOrderNo"]) == [("refund", booked or amount, status)]


def test_a_server_error_comes_twice_and_then_it_works(seller: FpxSeller) -> None:
    refund = seller.refund_of(seller.pay("150.00"), "5.00")

    statuses = [seller.post("sellerRefund.jsp", refund).status_code for _ in range(2)]

    assert statuses == [500, 500]
    assert seller.booked(refund["sellerExOrderNo"]) == []
    assert seller.refund(refund)["debitAuthCode"] == "00"


def test_silence_acts_and_breaks_the_connection(seller: FpxSeller) -> None:
    refund = seller.refund_of(seller.pay("150.00"), "4.00")

    with pytest.raises((requests.ConnectionError, ChunkedEncodingError)):
        seller.post("sellerRefund.jsp", refund)

    assert seller.refund({**refund, "msgType": "RE"})["debitAuthCode"] == "00"
    assert seller.booked(refund["sellerExOrderNo"]) == [("refund", "4.00", "completed")]


def test_what_cannot_be_refunded(seller: FpxSeller) -> None:
    paid, declined = seller.pay("150.00"), seller.pay("150.00", "decline")
    codes = {
        "nothing": seller.refund(seller.refund_of(seller.order(), "1.50"))["debitAuthCode"],
        "declined": seller.refund(seller.refund_of(declined, "1.50"))["debitAuthCode"],
        "another number": seller.refund(seller.refund_of(paid, "1.50", orgFpxTxnId="1"))["debitAuthCode"],
        "one sen too many": seller.refund(seller.refund_of(paid, "150.01"))["debitAuthCode"],
    }

    assert codes == {"nothing": "12", "declined": "48", "another number": "12", "one sen too many": "48"}


def test_a_refund_cannot_take_the_number_of_an_order(seller: FpxSeller) -> None:
    order = seller.pay("150.00")
    refund = seller.refund_of(order, "60.00", sellerExOrderNo=order["sellerExOrderNo"])

    assert seller.post("sellerRefund.jsp", refund).text == "ERROR"
    assert seller.booked(order["sellerExOrderNo"]) == [("charge", "150.00", "completed")]


def test_another_sellers_order_does_not_exist(seller: FpxSeller) -> None:
    stranger = FpxSeller.open(seller.url, seller.receiver)
    order = seller.pay("150.00")
    own = {"sellerExId": stranger.account["exchangeId"], "sellerId": stranger.account["sellerId"]}

    assert stranger.refund(stranger.refund_of(order, "60.00", **own))["debitAuthCode"] == "12"
    assert stranger.enquire({**order, **own})["debitAuthCode"] == "76"
