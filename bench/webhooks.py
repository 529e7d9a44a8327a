"""Webhooks: how fast facts become deliveries, and deliveries become signed requests that a merchant's server has answered.

    python bench/webhooks.py [--facts 4000] [--rounds 5] [--endpoints 8]

Needs DATABASE_URL of a database that may be written to (its webhook tables and merchants grow); starts its own sink, a separate process
on a port of 8200 to 8299 that answers 200 at once over kept connections. Every round measures, interleaved on the same machine:

- relay: facts relayed into deliveries (one endpoint each) per second; against a bare batch-100 loop in SQL that locks with SKIP LOCKED
  and marks facts published without making deliveries;
- lanes: deliveries signed and sent per second, without the database; against bare asyncio streams, 64 in flight, that sign and post and check
  nothing but the reply's status;
- sender: deliveries claimed, signed, sent and recorded per second; against threads that only post and sign with requests.Session.

CPU is that of this process and of its database session (bench/cpu.py): without the receiver's.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import local

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
os.environ.setdefault("DEBUG", "0")

from bench.cpu import cpu_seconds

PORT = 8290
_BARE_RELAY = "bare SKIP LOCKED, 100 a batch"
_BARE_STREAMS = "bare asyncio streams, 64 in flight"
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


def _measured(count: int, act: Callable[[], object]) -> tuple[float, float]:
    """How many per second, and microseconds of CPU for each."""
    begun, before = time.perf_counter(), cpu_seconds()
    act()
    return count / (time.perf_counter() - begun), (cpu_seconds() - before) / count * 1e6


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
    from django.db import connection, transaction

    from common.changes import Actor
    from common.ids import new_id
    from common.models import Fact
    from merchants.models import Merchant
    from notifications.channels.webhook.target import system_resolver
    from notifications.models import DeliveryState, WebhookDelivery
    from notifications.services.claims import Claimed, Finished
    from notifications.services.deliver import IN_FLIGHT, LANE_ROWS, deliver_due
    from notifications.services.dispatch import relay_outbox
    from notifications.services.endpoints import endpoint_create
    from notifications.services.lanes import Lane, LaneEnded, Outside, Receiver, run_lane
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
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM fact WHERE published_at IS NULL ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED"
                )
                ids = [pk for (pk,) in cursor.fetchall()]
                if not ids:
                    return
                cursor.execute("UPDATE fact SET published_at = %s WHERE id = ANY(%s)", [datetime.now(UTC), ids])

    secret, body = new_secret(), b"x" * 500

    def signed() -> dict[str, str]:
        return signed_headers(event_id=new_id("evt"), at=datetime.now(UTC), body=body, secrets=[secret])

    def bare_streams() -> None:
        async def one(numbers: Iterator[int]) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            for _ in numbers:
                lines = [f"{name}: {value}" for name, value in signed().items()]
                head = [f"POST /hooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}", *lines, "", ""]
                writer.write("\r\n".join(head).encode() + body)
                if not (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200"):
                    raise SystemExit("the receiver refused")
            writer.close()

        async def all_of_them() -> None:
            numbers = iter(range(count))
            await asyncio.gather(*(one(numbers) for _ in range(64)))

        asyncio.run(all_of_them())

    def lanes() -> None:
        receiver, done = Receiver(url, (secret,)), SimpleQueue[Finished | LaneEnded]()
        outside = Outside(lambda: datetime.now(UTC), system_resolver, 15.0)
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            for begin in range(0, count, LANE_ROWS):
                rows = range(begin, min(begin + LANE_ROWS, count))
                each = [Claimed(f"whd_{number}", "whe", f"evt_{number}", 0, body) for number in rows]
                pool.submit(run_lane, Lane("whe", False, receiver, each), outside, done)
        ended = [done.get() for _ in range(done.qsize())]
        assert sum(isinstance(item, Finished) and item.outcome.delivered for item in ended) == count

    def bare_sender(threads: int) -> None:
        sessions = local()

        def post(_number: int) -> None:
            if not hasattr(sessions, "session"):
                sessions.session = requests.Session()
            sessions.session.post(url, data=body, headers=signed(), timeout=15).raise_for_status()

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(post, range(count)))

    figures: dict[str, list[tuple[float, float]]] = {}

    def measure(name: str, act: Callable[[], object]) -> None:
        figures.setdefault(name, []).append(_measured(count, act))

    for number in range(rounds):
        write_facts()
        measure(_BARE_RELAY, bare_relay)
        write_facts()
        measure("relay", lambda: relay_outbox(now=datetime.now(UTC)))
        measure("sender", deliver_due)
        measure(_BARE_STREAMS, bare_streams)
        measure("lanes", lanes)
        for threads in (1, 8, 32):
            measure(f"requests.Session, {threads} threads", lambda threads=threads: bare_sender(threads))  # type: ignore[misc]
        left = WebhookDelivery.objects.filter(endpoint__merchant_id__in=merchant_ids)
        assert left.exclude(state=DeliveryState.DELIVERED).count() == 0, "not everything was delivered"
        assert left.count() == count * (number + 1), "a fact was lost or doubled"

    rates = {name: statistics.median(rate for rate, _ in rounds_) for name, rounds_ in figures.items()}
    used = {name: statistics.median(each for _, each in rounds_) for name, rounds_ in figures.items()}
    for name, rounds_ in figures.items():
        slowest, fastest = min(rounds_)[0], max(rounds_)[0]
        print(f"{name:35} {rates[name]:8.0f} a second ({slowest:.0f} to {fastest:.0f}), CPU {used[name]:5.0f} us each")
    best = max((name for name in rates if name.startswith("requests")), key=lambda name: rates[name])
    for ours, theirs in (("relay", _BARE_RELAY), ("lanes", _BARE_STREAMS), ("sender", _BARE_STREAMS), ("sender", best)):
        print(
            f"{ours} / {theirs}: {rates[ours] / rates[theirs]:.2f} of its rate, {used[ours] / used[theirs]:.2f} of its CPU"
        )
    print(
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {rounds} rounds of {count}, {endpoints} endpoints"
    )


if __name__ == "__main__":
    main()
