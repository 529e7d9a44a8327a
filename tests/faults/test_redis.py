"""Redis carries hints only: it may be flushed, killed or away, and every payment still ends, once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests
from django.db import connection

from payments.models import Transaction
from tests.faults.installation import Installation
from tests.faults.oracle import assert_sound, ended
from tests.faults.shop import Shop

PAYMENTS = 200
CLIENTS = 6


def test_redis_flushed_and_restarted_during_200_payments(installation: Installation, shop: Shop):
    with ThreadPoolExecutor(max_workers=CLIENTS) as clients:
        bought = [clients.submit(buy, shop, number) for number in range(PAYMENTS)]
        for done in (30, 60, 90, 120, 150):
            installation.until(lambda done=done: sum(job.done() for job in bought) >= done, f"{done} bought")  # type: ignore[misc]
            if done == 90:
                installation.stop_redis()
                installation.start_redis()
            else:
                installation.redis().flushall()
    for job in bought:
        job.result()
    installation.until(lambda: ended(shop), "an end of everything")

    assert installation.deaths == []
    assert shop.unexpected == []
    statuses = Counter(Transaction.objects.filter(merchant=shop.merchant).values_list("status", flat=True))
    assert statuses == {"COMPLETED": PAYMENTS * 3 // 4, "PARTIALLY_REFUNDED": PAYMENTS // 4}
    assert_sound(shop)


def test_payments_are_taken_while_redis_is_away_and_all_is_told_when_it_is_back(installation: Installation, shop: Shop):
    installation.stop_redis()

    orders = [
        shop.create(door=door, method=method, amount="55.00", reference=f"{door}-{method}")
        for door in ("api", "eps")
        for method in ("fpx", "migs")
    ]
    ready = requests.get(f"{installation.base_url}/readyz", timeout=10)
    statuses = [shop.send_payer(order) for order in orders]
    paid = {row.status for row in Transaction.objects.filter(merchant=shop.merchant)}
    told_without = [request for request in shop.sink.requests if request.path == shop.sink_path]
    installation.start_redis()
    shop.refund(Transaction.objects.get(external_reference="api-migs", merchant=shop.merchant).pk, amount="1.00")
    installation.until(lambda: ended(shop), "an end of everything")

    assert ready.status_code == 503
    assert statuses == [200] * 4
    assert paid == {"COMPLETED"}
    assert told_without == []
    assert installation.deaths == []
    assert shop.unexpected == []
    assert_sound(shop)


def buy(shop: Shop, number: int) -> None:
    """Every fifth amount (4.00) has to be looked up; every fourth payment is refunded in part as soon as it is paid."""
    door, method = ("api", "eps")[number % 2], ("fpx", "migs")[number // 2 % 2]
    amount = "4.00" if number % 5 == 3 else f"{20 + number}.{number % 100:02d}"
    order = shop.create(door=door, method=method, amount=amount, reference=f"order-{number}")
    assert shop.send_payer(order) == (504 if amount == "4.00" else 200)
    if number % 4 == 0:
        try:
            paid = Transaction.objects.filter(
                merchant=shop.merchant, external_reference=order.reference, status="COMPLETED"
            )
            shop.repeat(paid.exists, f"{order.reference} COMPLETED")
            shop.refund(paid.get().pk, amount="1.00")
        finally:
            connection.close()
