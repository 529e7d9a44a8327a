"""The sandbox as a process: its start, its end, and what it keeps."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.sandbox.receiver import Receiver
from tests.support.sandbox_process import SandboxProcess


@pytest.mark.parametrize("stop", [SandboxProcess.stop, SandboxProcess.kill], ids=["stopped", "killed"])
def test_accounts_orders_and_books_outlive_it(
    own_sandbox: Callable[..., SandboxProcess], receiver: Receiver, stop: Callable[[SandboxProcess], None]
) -> None:
    sandbox = own_sandbox()
    seller, merchant = FpxSeller.open(sandbox.url, receiver), MigsMerchant.open(sandbox.url, receiver, "authorise")
    paid, opened, held = seller.pay("150.00"), seller.pay(decision="leave"), merchant.pay()
    books = seller.books() + merchant.books()
    failing = seller.refund_of(paid, "5.00")
    seller.post("sellerRefund.jsp", failing)

    stop(sandbox)
    sandbox.start()

    assert seller.books() + merchant.books() == books
    assert seller.enquire(paid)["debitAuthCode"] == "00"
    assert merchant.send("queryDR", held["vpc_MerchTxnRef"])["TxnResponseCode"] == "0"
    seller.payer(seller.action(opened))
    assert seller.enquire(opened)["debitAuthCode"] == "00"
    assert [seller.post("sellerRefund.jsp", failing).status_code for _ in range(2)] == [500, 200]


def test_it_stops_quickly_while_callers_are_left_without_an_answer(
    own_sandbox: Callable[..., SandboxProcess], receiver: Receiver
) -> None:
    sandbox = own_sandbox(SANDBOX_SILENCE_SECONDS="60")
    seller = FpxSeller.open(sandbox.url, receiver)
    order = seller.pay("150.00")
    refunds = [seller.refund_of(order, "4.00") for _ in range(4)]
    callers = [threading.Thread(target=_ignoring, args=(seller, refund), daemon=True) for refund in refunds]
    for caller in callers:
        caller.start()
    while len(seller.books()) < 5:
        callers[0].join(0.05)

    sandbox.stop()  # which has patience for 15 seconds

    for caller in callers:
        caller.join(15)
        assert not caller.is_alive()


def test_silent_callers_leave_room_for_the_others(
    own_sandbox: Callable[..., SandboxProcess], receiver: Receiver
) -> None:
    sandbox = own_sandbox(SANDBOX_SILENCE_SECONDS="20")
    seller = FpxSeller.open(sandbox.url, receiver)
    order = seller.pay("1000.00")
    refunds = [seller.refund_of(order, "4.00") for _ in range(60)]

    with ThreadPoolExecutor(60) as pool:
        for refund in refunds:
            pool.submit(_ignoring, seller, refund)
        while len(seller.books()) < 61:
            pass
        started = time.monotonic()
        seller.pay("20.00")
        taken = time.monotonic() - started
        sandbox.kill()

    assert taken < 10


def test_an_order_that_is_left_too_long_expires(own_sandbox: Callable[..., SandboxProcess], receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_SESSION_SECONDS="0")
    seller, merchant = FpxSeller.open(sandbox.url, receiver), MigsMerchant.open(sandbox.url, receiver)
    left, card = seller.pay(decision="leave"), merchant.pay(decision="leave")

    assert seller.enquire(left)["debitAuthCode"] == "1A"
    assert merchant.send("queryDR", card["vpc_MerchTxnRef"])["TxnResponseCode"] == "C"
    seller.payer(seller.action(left))
    assert seller.booked(left["sellerExOrderNo"]) == [("charge", "150.00", "declined")]


def test_a_second_one_on_the_same_port_is_refused(sandbox: SandboxProcess) -> None:
    arguments = [sys.executable, "-m", "sandbox", "--bind", f"127.0.0.1:{sandbox.port}", "--data-dir", "unused"]

    second = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)

    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{sandbox.port}" in second.stderr


def _ignoring(seller: FpxSeller, refund: dict[str, str]) -> None:
    try:
        seller.post("sellerRefund.jsp", refund)
    except requests.RequestException:
        return
