"""Webhooks: how fast facts become deliveries, and deliveries become signed requests that a merchant's server has answered.

    python bench/webhooks.py [--facts 4000] [--rounds 5] [--endpoints 8]

Needs DATABASE_URL of a database that may be written to (its webhook tables and merchants grow); starts its own sink, a separate process
on a port of 8200 to 8299 that answers 200 at once over kept connections. Every round measures, interleaved on the same machine:

- relay: facts relayed into deliveries (one endpoint each) per second; against a bare batch-100 loop that locks with SKIP LOCKED
  and marks facts published without making deliveries;
- sender: deliveries claimed, signed, sent and recorded per second; against threads that only post and sign with requests.Session.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import local

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
os.environ.setdefault("DEBUG", "0")

PORT = 8290
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class _Sink(asyncio.Protocol):
    """Answers every request at once; counts on Content-Length being sent in the head."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(_REPLY)  # type: ignore[attr-defined]


def _run_sink() -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", PORT, backlog=256)
        await server.serve_forever()

    asyncio.run(serve())


def _per_second(count: int, act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return count / (time.perf_counter() - begun)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--facts", type=int, default=4000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--endpoints", type=int, default=8)
    options = arguments.parse_args()

    sink = multiprocessing.get_context("fork").Process(target=_run_sink, daemon=True)
    sink.start()
    try:
        _measure(options.facts, options.rounds, options.endpoints)
    finally:
        sink.terminate()
        sink.join()


def _measure(count: int, rounds: int, endpoints: int) -> None:
    import django

    django.setup()
    import requests
    import structlog
    from django.db import transaction

    from common.changes import Actor
    from common.ids import new_id
    from common.models import Fact
    from merchants.models import Merchant
    from notifications.models import DeliveryState, WebhookDelivery
    from notifications.services.deliver import deliver_due
    from notifications.services.dispatch import relay_outbox
    from notifications.services.endpoints import endpoint_create
    from notifications.signing import new_secret, signed_headers

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    url = f"http://127.0.0.1:{PORT}/hooks"
    actor = Actor("system:bench")
    merchant_ids = []
    for _ in range(endpoints):
        code = "B" + new_id("x")[-12:].upper()
        merchant = Merchant.objects.create(
            id=new_id("mer"), code=code, name=code, contact_email="bench@shop.example", created_at=datetime.now(UTC)
        )
        endpoint_create(merchant_id=merchant.pk, live=False, url=url, actor=actor, now=datetime.now(UTC))
        merchant_ids.append(merchant.pk)
    relay_outbox(now=datetime.now(UTC))

    def write_facts() -> None:
        Fact.objects.bulk_create(
            Fact(
                id=new_id("evt"),
                name="transaction.created",
                subject_type="transaction",
                subject_id=(subject := new_id("txn")),
                sequence=1,
                merchant_id=merchant_ids[number % endpoints],
                live=False,
                payload={
                    "transactionId": subject,
                    "transactionReference": "EPG20260302ABCDEF",
                    "externalReference": f"ORDER-{number}",
                    "status": "PENDING",
                    "paymentTypeId": "fpx",
                    "amount": "100.50",
                    "amountCaptured": "0.00",
                    "amountRefunded": "0.00",
                    "currencyCode": "MYR",
                    "approvalCode": None,
                    "failureCode": None,
                    "failureReason": None,
                },
                created_at=datetime.now(UTC),
            )
            for number in range(count)
        )

    def bare_relay() -> None:
        while True:
            with transaction.atomic():
                facts = (
                    Fact.objects.select_for_update(skip_locked=True).filter(published_at=None).order_by("created_at")
                )
                ids = list(facts.values_list("id", flat=True)[:100])
                if not ids:
                    return
                Fact.objects.filter(pk__in=ids).update(published_at=datetime.now(UTC))

    def bare_sender(threads: int) -> None:
        secret, body, sessions = new_secret(), b"x" * 500, local()

        def post(_number: int) -> None:
            if not hasattr(sessions, "session"):
                sessions.session = requests.Session()
            headers = signed_headers(event_id=new_id("evt"), at=datetime.now(UTC), body=body, secrets=[secret])
            sessions.session.post(url, data=body, headers=headers, timeout=15).raise_for_status()

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(post, range(count)))

    figures: dict[str, list[float]] = {}
    for number in range(rounds):
        write_facts()
        figures.setdefault("bare SKIP LOCKED, 100 a batch, facts/s", []).append(_per_second(count, bare_relay))
        write_facts()
        figures.setdefault("relay, facts/s", []).append(_per_second(count, lambda: relay_outbox(now=datetime.now(UTC))))
        figures.setdefault("sender, deliveries/s", []).append(_per_second(count, deliver_due))
        for threads in (1, 8, 32):
            name = f"requests.Session, {threads} threads, requests/s"
            figures.setdefault(name, []).append(_per_second(count, lambda threads=threads: bare_sender(threads)))  # type: ignore[misc]
        left = WebhookDelivery.objects.filter(endpoint__merchant_id__in=merchant_ids)
        assert left.exclude(state=DeliveryState.DELIVERED).count() == 0, "not everything was delivered"
        assert left.count() == count * (number + 1), "a fact was lost or doubled"

    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, values in figures.items():
        print(f"{name:45} {medians[name]:8.0f}   ({min(values):.0f} to {max(values):.0f})")
    best = max(value for name, value in medians.items() if name.startswith("requests"))
    print(
        f"{'relay / bare SKIP LOCKED':45} {medians['relay, facts/s'] / medians['bare SKIP LOCKED, 100 a batch, facts/s']:8.2f}"
    )
    print(f"{'sender / best of requests.Session':45} {medians['sender, deliveries/s'] / best:8.2f}")
    print(
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {rounds} rounds of {count}, {endpoints} endpoints"
    )


if __name__ == "__main__":
    main()
