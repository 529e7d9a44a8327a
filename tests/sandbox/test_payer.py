"""`POST /_payer`: what a payer's browser does."""

from __future__ import annotations

import html
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.sandbox.receiver import PAY_PAGE


def hosted_page(seller: FpxSeller, order: dict[str, str]) -> str:
    """The merchant's own page that a script would submit: hidden inputs that carry the order to the provider."""
    fields = seller.action(order)["fields"].items()
    inputs = "".join(f'<input type="hidden" name="{k}" value="{html.escape(v)}">' for k, v in fields)
    return PAY_PAGE.format(action=seller.action(order)["url"], fields=inputs)


def test_it_goes_from_the_shops_page_to_the_bank_and_back_to_the_shop(seller: FpxSeller) -> None:
    order = seller.order(buyerBankId="")
    receiver = seller.receiver
    receiver.redirects["/checkout"] = "/pay"
    receiver.pages["/pay"] = hosted_page(seller, order)
    receiver.redirects["/return"] = f"{receiver.url}/thanks?order=1"

    answer = seller.payer({"method": "GET", "url": f"{receiver.url}/checkout", "fields": {}})

    assert answer.json() == {"finalUrl": f"{receiver.url}/thanks?order=1", "status": 200}
    assert receiver.came_back() == {"order": "1"}
    assert seller.booked(order["sellerExOrderNo"]) == [("charge", "150.00", "completed")]


def test_it_leaves_at_the_banks_page(seller: FpxSeller) -> None:
    order = seller.order()

    answer = seller.payer(seller.action(order), "leave").json()

    assert answer == {"finalUrl": f"{seller.url}/FPXMain/seller2DReceiver.jsp", "status": 200}
    assert seller.enquire(order)["debitAuthCode"] == "09"


def test_it_reads_a_page_that_has_something_to_fill_in(merchant: MigsMerchant) -> None:
    merchant.receiver.pages["/return"] = '<form action="/login"><input name="user"><button>Log in</button></form>'

    answer = merchant.payer(merchant.action(merchant.order())).json()

    assert (answer["finalUrl"].split("?")[0], answer["status"]) == (f"{merchant.receiver.url}/return", 200)


@pytest.mark.parametrize(
    ("address", "status"), [("https://shop.example/thanks", 302), ("http://127.0.0.1:1/thanks", 0)]
)
def test_it_stops_where_it_cannot_go(merchant: MigsMerchant, address: str, status: int) -> None:
    merchant.receiver.redirects["/return"] = address

    answer = merchant.payer(merchant.action(merchant.order())).json()

    assert answer == {"finalUrl": address, "status": status}


def test_a_redirect_to_no_address_leads_nowhere(merchant: MigsMerchant) -> None:
    merchant.receiver.redirects["/return"] = "http://["

    answer = merchant.payer(merchant.action(merchant.order())).json()

    assert (answer["finalUrl"].split("?")[0], answer["status"]) == (f"{merchant.receiver.url}/return", 0)


@pytest.mark.parametrize(
    "body",
    [
        {"qr": "000201"},
        {},
        {"nextAction": None},
        {"nextAction": {"type": "display_qr", "payload": "x"}},
        {"nextAction": {"url": "http://127.0.0.1/", "method": "DELETE"}},
        {"nextAction": {"url": "http://192.0.2.1/"}},
        {"nextAction": {"url": "http://127.0.0.1.example.com/"}},
        {"nextAction": {"url": "http://127.0.0.1@192.0.2.1/"}},
        {"nextAction": {"url": "file:///etc/hostname"}},
        {"nextAction": {"url": "http://["}},
        {"nextAction": {"url": "http://127.0.0.1:99999/"}},
        {"nextAction": {"url": "http://127.0.0.1/", "fields": {"a": {}}}},
        {"nextAction": {"url": "http://127.0.0.1/"}, "decision": ["approve"]},
    ],
    ids=str,
)
def test_what_it_does_not_understand_it_refuses_in_a_sentence(sandbox_url: str, body: dict[str, Any]) -> None:
    answer = requests.post(f"{sandbox_url}/_payer", json=body, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_sixty_payers_at_once_do_not_lock_each_other_out(seller: FpxSeller) -> None:
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: seller.payer(seller.action(seller.order())).json(), range(60)))

    assert [answer["status"] for answer in answers] == [200] * 60
    assert len({seller.receiver.called_back()["fpx_sellerExOrderNo"] for _ in range(60)}) == 60
