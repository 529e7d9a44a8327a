"""The process dies at every named point of a payer's choice: pressed again it is the same payment, and the money is taken once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from payments.models import Payment, Transaction
from tests.faults.installation import Installation
from tests.faults.oracle import assert_sound, ended
from tests.faults.shop import Order, Shop


def choose(shop: Shop, page: str, method: str) -> Order:
    """Press the button again and again until the page answers; that leads to the provider."""
    answers: list[Any] = []

    def pressed() -> bool:
        try:
            answers.append(requests.post(page, data={"method": method}, allow_redirects=False, timeout=10))
        except requests.RequestException:
            return False
        return answers[-1].status_code == 303

    shop.repeat(pressed, f"{method} chosen")
    url = urljoin(page, answers[-1].headers["Location"])
    return Order(method, {"type": "redirect", "method": "GET", "url": url, "fields": {}})


@pytest.mark.parametrize("point", ["attempt.before_write", "attempt.written", "attempt.committed"])
def test_a_second_try_is_one_payment(installation: Installation, shop: Shop, point: str):
    shop.on_silence = installation.revive
    body = {"amount": "60.00", "currencyCode": "MYR", "returnUrl": f"{shop.base_url}/"}
    page = shop.post("/transactions", body, key="page").json["nextAction"]["url"]
    transaction = Transaction.objects.get(merchant=shop.merchant)

    def states() -> list[tuple[str, str]]:
        return list(transaction.payments.order_by("attempt").values_list("method", "state"))

    shop.send_payer(choose(shop, page, "fpx"), "decline")
    installation.until(lambda: states() == [("fpx", "DECLINED")], "the first payment declined")
    installation.restart("web", crashpoint=point)
    shop.send_payer(choose(shop, page, "migs"))
    installation.until(lambda: bool(installation.deaths) and ended(shop), "death, recovery, and an end of everything")

    assert installation.deaths == ["web"]
    assert states() == [("fpx", "DECLINED"), ("migs", "CAPTURED")]
    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 6_000)
    assert Payment.objects.filter(transaction__merchant=shop.merchant).count() == 2
    assert_sound(shop)
