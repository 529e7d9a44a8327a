"""PostgreSQL cuts connections, in the middle of whatever they do: callers hear 503, repeat, and get one payment."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from django.db import connection

from common.embedded import role_of
from payments.models import Transaction
from tests.faults.installation import Installation
from tests.faults.oracle import assert_sound, ended
from tests.faults.shop import Shop
from tests.support.databases import database_url

PAYMENTS = 80
CLIENTS = 6
_EVERY_SECONDS = 0.25


@contextmanager
def connections_cut() -> Iterator[list[int]]:
    """While the context lives, every connection of the application's role is cut four times a second. Yields how many each time."""
    over = threading.Event()
    counts: list[int] = []
    whose = [connection.settings_dict["NAME"], role_of(os.environ["TEST_APP_URL"])]

    def cut() -> None:
        with psycopg.connect(database_url("postgres"), autocommit=True) as admin:
            while not over.wait(_EVERY_SECONDS):
                found = admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s", whose
                )
                counts.append(len(found.fetchall()))

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        yield counts
    finally:
        over.set()
        cutter.join()


def test_cut_connections_leave_no_partial_payment(installation: Installation, shop: Shop):
    with connections_cut() as counts, ThreadPoolExecutor(max_workers=CLIENTS) as clients:
        bought = [clients.submit(buy, shop, number) for number in range(PAYMENTS)]
    for job in bought:
        job.result()
    installation.until(lambda: ended(shop), "an end of everything")

    assert len([count for count in counts if count]) >= 5
    assert installation.deaths == []
    assert [answer.status for answer in shop.unexpected] == []
    statuses = Transaction.objects.filter(merchant=shop.merchant).values_list("status", flat=True)
    assert list(statuses) == ["COMPLETED"] * PAYMENTS
    assert_sound(shop)


def buy(shop: Shop, number: int) -> None:
    door, method = ("api", "eps")[number % 2], ("fpx", "migs")[number // 2 % 2]
    order = shop.create(door=door, method=method, amount="64.20", reference=f"order-{number}")
    shop.repeat(lambda: shop.send_payer(order) == 200, "a payer whose last page is ours")  # 503: a payer reloads
