"""`POST /_control/{provider}`: a provider that is ill, for a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, MigsMerchant


@pytest.fixture(autouse=True)
def healed(sandbox_url: str) -> Iterator[None]:
    yield
    for provider in ("fpx", "migs"):
        control(sandbox_url, provider, fault="none")


def control(url: str, provider: str, **body: Any) -> requests.Response:
    return requests.post(f"{url}/_control/{provider}", json=body, timeout=10)


@pytest.mark.parametrize(("fault", "status"), [("down", 503), ("error_rate", 500)])
def test_it_fails_before_it_acts_and_the_others_go_on(
    seller: FpxSeller, merchant: MigsMerchant, fault: str, status: int
) -> None:
    refund = seller.refund_of(seller.pay(), "60.00")
    control(seller.url, "fpx", fault=fault, value=1, seconds=60)

    answers = [
        seller.post("sellerRefund.jsp", refund),
        requests.get(f"{seller.url}/fpx/statements/2026-01-31", timeout=5),
    ]
    card = merchant.pay()

    assert [answer.status_code for answer in answers] == [status, status]
    assert merchant.booked(card["vpc_MerchTxnRef"]) == [("charge", "150.00", "completed")]  # migs is well
    assert seller.booked(refund["sellerExOrderNo"]) == []  # the helpers answer all the same
    control(seller.url, "fpx", fault="none")
    assert seller.refund(refund)["debitAuthCode"] == "00"


def test_an_error_rate_of_nothing_hits_nobody(seller: FpxSeller) -> None:
    control(seller.url, "fpx", fault="error_rate", value=0)

    assert seller.enquire(seller.order())["debitAuthCode"] == "76"


def test_garbage_comes_after_it_acted(seller: FpxSeller) -> None:
    refund = seller.refund_of(seller.pay(), "60.00")
    control(seller.url, "fpx", fault="garbage", seconds=60)

    answer = seller.post("sellerRefund.jsp", refund)

    assert (answer.status_code, b"fpx_" in answer.content) == (200, False)
    assert seller.booked(refund["sellerExOrderNo"]) == [("refund", "60.00", "completed")]


def test_slow_delays_and_a_fault_ends_by_itself(seller: FpxSeller) -> None:
    order = seller.order()
    control(seller.url, "fpx", fault="slow", value=1.1, seconds=1)

    started = time.monotonic()
    seller.enquire(order)
    slow, started = time.monotonic() - started, time.monotonic()
    seller.enquire(order)

    assert slow >= 1.1
    assert time.monotonic() - started < 1.1


@pytest.mark.parametrize(
    ("provider", "body", "status"),
    [
        ("fpx", {"fault": "explode"}, 400),
        ("fpx", {"fault": ["down"]}, 400),
        ("fpx", {"fault": "slow", "value": "soon"}, 400),
        ("fpx", {"fault": "down", "seconds": -1}, 400),
        ("fpx", {"fault": "down", "seconds": True}, 400),
        ("paypal", {"fault": "down"}, 404),
    ],
)
def test_a_fault_that_does_not_exist(sandbox_url: str, provider: str, body: dict[str, Any], status: int) -> None:
    answer = control(sandbox_url, provider, **body)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])
