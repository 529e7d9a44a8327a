"""Live streams: what a thousand open ones cost, and how soon after its commit an event arrives.

    python bench/streams.py [--streams 1000] [--transactions 50] [--changes 4] [--pace 0.25] [--idle 60]

Starts an installation of its own (`manage.py start`, demo merchants, no business day) in a scratch directory. The streams are spread evenly over
the transactions and opened directly at the live process, by this one process, which also commits the changes: one each `--pace` seconds, relayed
by the installation's worker as always. In the end every stream must have had exactly the events of its transaction, in order, once. The clients
share the machine with the system, and their work is part of the latency.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.end_to_end import start


@dataclass(slots=True)
class Client:
    """One stream: which transaction, and (sequence, when it arrived) of each event."""

    transaction_id: str
    told: list[tuple[int, float]] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None

    async def watch(self, host: str, port: int, api_key: str) -> None:
        """Returns at the end of the stream; sets `writer` when it is open."""
        reader, writer = await asyncio.open_connection(host, port)
        path = f"/api/v1/transactions/{self.transaction_id}/events"
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nX-API-Key: {api_key}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        self.writer = writer
        while line := await reader.readline():
            if line.startswith(b"id: "):
                self.told.append((int(line[4:]), time.perf_counter()))


class Changes:
    """Facts of transactions, committed here and relayed there. `committed` holds when, by transaction and sequence."""

    def __init__(self, merchant_id: str, transaction_ids: list[str]) -> None:
        self.merchant_id, self.transaction_ids = merchant_id, transaction_ids
        self.committed: dict[tuple[str, int], float] = {}

    def add(self, transaction_id: str, sequence: int) -> None:
        from django.db import transaction
        from django.utils import timezone

        from common.changes import Actor, Subject, record_change
        from common.queue import nudge_coalesced
        from common.rows import Rows

        rows = Rows()
        record_change(
            rows,
            subject=Subject("transaction", transaction_id, sequence, self.merchant_id, False),
            fact="transaction.created" if sequence == 1 else "refund.created",
            payload={"transactionId": transaction_id, "status": "COMPLETED", "amount": "100.50"},
            changes={},
            actor=Actor("system:bench"),
            now=timezone.now(),
        )
        with transaction.atomic():
            rows.write()
            nudge_coalesced("notifications.relay_outbox")
        self.committed[transaction_id, sequence] = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Usage:
    """Of the live process and its server: CPU seconds so far, memory in MB, threads."""

    cpu_seconds: float
    rss_mb: float
    threads: int


def usage(folder: Path) -> Usage:
    cpu, rss, threads = 0.0, 0.0, 0
    for entry in Path("/proc").iterdir():
        try:
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            if b"config.asgi" not in command or str(folder).encode() not in environment:
                continue
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines())
        except OSError:
            continue
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        rss += int(status["VmRSS"].split()[0]) / 1024
        threads += int(status["Threads"])
    return Usage(cpu, rss, threads)


async def run(options: argparse.Namespace, url: str, api_key: str, changes: Changes, folder: Path) -> None:
    host, port = url.rpartition("/")[2].split(":")
    for pk in changes.transaction_ids:
        await asyncio.to_thread(changes.add, pk, 1)
    empty = usage(folder)
    clients = [Client(changes.transaction_ids[n % options.transactions]) for n in range(options.streams)]
    began = time.perf_counter()
    watching = [asyncio.create_task(client.watch(host, int(port) + 1, api_key)) for client in clients]
    await until(lambda: all(client.told for client in clients), watching)
    opened = time.perf_counter() - began
    before, began = usage(folder), time.perf_counter()
    await asyncio.sleep(options.idle)
    idle, seconds = usage(folder), time.perf_counter() - began

    began = time.perf_counter()
    for sequence in range(2, options.changes + 2):
        for pk in changes.transaction_ids:
            await asyncio.gather(asyncio.to_thread(changes.add, pk, sequence), asyncio.sleep(options.pace))
    wanted = list(range(1, options.changes + 2))
    await until(lambda: all(len(client.told) >= len(wanted) for client in clients), watching)
    busy, busy_seconds = usage(folder), time.perf_counter() - began
    await asyncio.sleep(2)  # what would come twice would come now

    exact = sum([sequence for sequence, _ in client.told] == wanted for client in clients)
    latencies = sorted(
        at - changes.committed[client.transaction_id, sequence]
        for client in clients
        for sequence, at in client.told
        if sequence > 1
    )
    print(f"{options.streams} streams of {options.transactions} transactions, opened in {opened:.1f} s")
    print(f"exactly the events of its transaction, in order, once: {exact} of {options.streams} streams")
    print(
        f"commit to event, {len(latencies)} events: p50 {latencies[len(latencies) // 2] * 1000:.0f} ms, "
        f"p99 {latencies[int(len(latencies) * 0.99)] * 1000:.0f} ms, worst {latencies[-1] * 1000:.0f} ms"
    )
    print(
        f"memory of server and worker: {empty.rss_mb:.0f} MB without streams, {idle.rss_mb:.0f} MB with, {idle.threads} threads"
    )
    print(
        f"CPU of one core: idle {(idle.cpu_seconds - before.cpu_seconds) / seconds:.1%}, "
        f"while {len(latencies) / busy_seconds:.0f} events/s go out {(busy.cpu_seconds - idle.cpu_seconds) / busy_seconds:.1%}"
    )
    for task in watching:
        task.cancel()
    if exact != options.streams:
        raise SystemExit("events were skipped, doubled or out of order")


async def until(reached: Any, watching: list[asyncio.Task[None]], seconds: float = 120) -> None:
    deadline = time.perf_counter() + seconds
    while not reached():
        ended = next((task for task in watching if task.done()), None)
        if ended is not None:
            ended.result()
            raise SystemExit("a stream ended")
        if time.perf_counter() > deadline:
            raise SystemExit(f"not within {seconds} s")
        await asyncio.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--transactions", type=int, default=50)
    parser.add_argument("--changes", type=int, default=4, help="of each transaction")
    parser.add_argument("--pace", type=float, default=0.25, help="seconds between changes")
    parser.add_argument("--idle", type=float, default=60, help="seconds in which nothing happens")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-streams-"))
    folder.chmod(0o711)
    process, demo = start(folder)
    try:
        os.environ |= {
            "DATA_DIR": str(folder),
            "DATABASE_URL": demo["database_url"],
            "REDIS_URL": demo["redis_url"],
            "LOG_LEVEL": "WARNING",
        }
        import django

        django.setup()
        from common.ids import new_id
        from merchants.models import Merchant

        merchant = demo["merchants"][0]
        merchant_id = Merchant.objects.get(code=merchant["merchant_code"]).pk
        changes = Changes(merchant_id, [new_id("txn") for _ in range(options.transactions)])
        asyncio.run(run(options, demo["base_url"], merchant["api_key"], changes, folder))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
