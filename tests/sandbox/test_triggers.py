"""Test amounts of what a payer decides, the same at both providers."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.sandbox.receiver import Receiver

APPROVED = {"fpx": "00", "migs": "0"}
DECLINED = {"fpx": "57", "migs": "2"}
INSUFFICIENT = {"fpx": "51", "migs": "5"}


class Shop:
    """One face for both merchants."""

    def __init__(self, provider: str, url: str, receiver: Receiver) -> None:
        self.provider, self.receiver = provider, receiver
        self.merchant: FpxSeller | MigsMerchant = (
            FpxSeller.open(url, receiver) if provider == "fpx" else MigsMerchant.open(url, receiver)
        )

    def pay(self, units: int, decision: str = "approve") -> tuple[str, requests.Response]:
        """Its reference, and what the payer's browser came to."""
        if isinstance(self.merchant, FpxSeller):
            order = self.merchant.order(f"{units}.00")
            return order["sellerExOrderNo"], self.merchant.payer(self.merchant.action(order), decision)
        order = self.merchant.order(f"{units}00")
        return order["vpc_MerchTxnRef"], self.merchant.payer(self.merchant.action(order), decision)

    def told(self, message: dict[str, str]) -> tuple[str, str]:
        """Code and amount."""
        fields = self.merchant.read({k: v for k, v in message.items() if k != "shop"})
        if self.provider == "fpx":
            return fields["debitAuthCode"], fields["txnAmount"].removesuffix(".00")
        return fields["TxnResponseCode"], fields["Amount"].removesuffix("00")

    def found(self, reference: str) -> str:
        if isinstance(self.merchant, FpxSeller):
            asked = self.merchant.order(sellerExOrderNo=reference, sellerOrderNo=reference)
            return self.merchant.enquire(asked)["debitAuthCode"]
        answer = self.merchant.send("queryDR", reference)
        return answer["TxnResponseCode"] if answer["DRExists"] == "Y" else "none"

    def booked(self, reference: str) -> list[tuple[str, str]]:
        return [(amount, status) for _, amount, status in self.merchant.booked(reference)]


@pytest.fixture(params=["fpx", "migs"])
def shop(request: pytest.FixtureRequest, sandbox_url: str, receiver: Receiver) -> Shop:
    return Shop(request.param, sandbox_url, receiver)


@pytest.mark.parametrize(
    ("units", "decision", "codes"),
    [(1, "decline", APPROVED), (2, "approve", DECLINED), (3, "approve", INSUFFICIENT), (6, "decline", DECLINED)],
)
def test_who_decides(shop: Shop, units: int, decision: str, codes: dict[str, str]) -> None:
    reference, _ = shop.pay(units, decision)

    assert shop.told(shop.receiver.called_back()) == (codes[shop.provider], str(units))
    assert shop.found(reference) == codes[shop.provider]


@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_payer_who_leaves_decides_nothing(shop: Shop, units: int) -> None:
    reference, _ = shop.pay(units, "leave")

    assert shop.found(reference) == {"fpx": "09", "migs": "P"}[shop.provider]
    assert shop.booked(reference) == []


def test_4_charges_and_never_answers(shop: Shop) -> None:
    reference, browser = shop.pay(4)
    again = shop.pay(1)[0]

    assert browser.json()["status"] == 504
    assert shop.booked(reference) == [("4.00", "completed")]
    assert shop.found(reference) == APPROVED[shop.provider]
    assert again in shop.receiver.called_back().values()  # the later order's: there was none before it
    assert again in shop.receiver.came_back().values()


def test_5_fails_before_it_acts(shop: Shop) -> None:
    reference, browser = shop.pay(5)

    assert browser.json()["status"] == 500
    assert shop.booked(reference) == []
    assert shop.found(reference) == {"fpx": "76", "migs": "none"}[shop.provider]


def test_6_calls_back_three_times(shop: Shop) -> None:
    reference, _ = shop.pay(6)

    first, second, third = (shop.receiver.called_back() for _ in range(3))
    assert first == second == third
    assert shop.booked(reference) == [("6.00", "completed")]


def test_7_contradicts_itself_and_the_books_say_success(shop: Shop) -> None:
    reference, _ = shop.pay(7)

    codes = [shop.told(shop.receiver.called_back())[0] for _ in range(2)]
    assert codes == [APPROVED[shop.provider], DECLINED[shop.provider]]
    assert shop.told(shop.receiver.came_back())[0] == shop.found(reference) == APPROVED[shop.provider]
    assert shop.booked(reference) == [("7.00", "completed")]


def test_8_calls_back_before_the_payer_gets_an_answer(shop: Shop) -> None:
    shop.receiver.answers.append((500, "later"))
    action = _page_of(shop)

    page = requests.post(action, data={"decision": "approve", "card": "VC"}, timeout=20, allow_redirects=False)

    assert page.status_code in (200, 302)
    first = shop.receiver.direct.get_nowait()  # it is there before the answer to the payer was
    assert first.fields == shop.receiver.called_back()  # and comes again, because it was not acknowledged
    assert shop.told(first.fields) == (APPROVED[shop.provider], "8")


def test_9_charges_another_amount(shop: Shop) -> None:
    reference, _ = shop.pay(9)

    assert shop.told(shop.receiver.called_back()) == (APPROVED[shop.provider], "10")
    assert shop.booked(reference) == [("10.00", "completed")]


def _page_of(shop: Shop) -> str:
    """Where the form on the payer's page for an order of 8.00 goes."""
    merchant = shop.merchant
    action = (
        merchant.action(merchant.order("8.00"))
        if isinstance(merchant, FpxSeller)
        else merchant.action(merchant.order("800"))
    )
    page = requests.post(action["url"], data=action["fields"], timeout=10).text
    return merchant.url + page.split('action="')[1].split('"')[0]
