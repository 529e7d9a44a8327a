"""What accepting a payment costs, against references measured in the same run (medians of interleaved rounds).

    python bench/create.py [--rounds 5] [--seconds 3] [--connections 16] [--many 1000]

Starts its own PostgreSQL (fsync on), Redis and servers in a scratch directory and stops them. Rungs:

- psycopg: the six rows by six statements in one transaction, two processes, no web server;
- bare: a Django view that writes the same rows by the ORM (bench/bare.py), nothing else;
- api: POST /api/v1/transactions as a merchant calls it: key, limits, strict parsing, idempotency, signed provider order;
- eps: POST /eps/request, epic-v2.

CPU is that of the server's process tree, PostgreSQL and Redis, from /proc; the load generator is not in it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import Outcome, drive
from common.embedded import Services, free_port, grant_app_role, role_of

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: list[int]) -> float:
    """User and system seconds of the processes and all their living descendants, ended children included."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(int(field) for field in fields[11:15])
    total = 0
    for pid in used:
        ancestor = pid
        while ancestor not in roots and ancestor in parents:
            ancestor = parents[ancestor]
        total += used[pid] if ancestor in roots else 0
    return total / _TICKS


class Server:
    """granian on a free port."""

    def __init__(self, application: str, environment: dict[str, str], threads: int = 8) -> None:
        self.port = free_port()
        granian = str(Path(sys.executable).with_name("granian"))
        options = [
            "--interface",
            "wsgi",
            "--workers",
            "2",
            "--blocking-threads",
            str(threads),
            "--backlog",
            "2048",
            "--no-ws",
        ]
        self.process = subprocess.Popen(
            [granian, *options, "--host", "127.0.0.1", "--port", str(self.port), application],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        import requests

        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=1)
                return
            except requests.RequestException:
                time.sleep(0.05)
        raise SystemExit("a server did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def prepare() -> dict[str, Any]:
    """A merchant with a MIGS account and a key, made through the services. Run in a process with Django set up."""
    import django

    django.setup()
    from django.utils import timezone

    from common.changes import Actor
    from common.ids import new_id
    from merchants.models import Merchant, ProviderAccount
    from merchants.services.api_keys import api_key_create

    now = timezone.now()
    merchant = Merchant(
        id=new_id("mer"), code="BENCH", name="Bench", contact_email="b@bench.example", rate_plan="demo", created_at=now
    )
    merchant.seal_secrets(eps_api_key="bench", pass_phrase="bench-phrase")
    merchant.save()
    account = ProviderAccount(
        id=new_id("acct"),
        merchant=merchant,
        provider="migs",
        live=False,
        label="bench",
        account_key="BENCHMIGS",
        config={"base_url": "http://127.0.0.1:1", "merchant_id": "BENCHMIGS", "mode": "purchase"},
        created_at=now,
    )
    account.seal_credentials({"access_code": "A", "secure_secret": "ab" * 16, "ama_user": "u", "ama_password": "p"})
    account.save()
    _, secret = api_key_create(
        merchant_id=merchant.pk, live=False, name="bench", scopes=["transaction:create"], actor=Actor("bench"), now=now
    )
    return {"merchant_id": merchant.pk, "account_id": account.pk, "api_key": secret}


def eps_body(tag: str, number: int) -> bytes:
    from urllib.parse import urlencode

    from payments.facades.eps.checksum import REQUEST, Secrets, checksum

    fields = {
        "TRANS_ID": f"{tag}-{number}",
        "AMOUNT": "100.50",
        "MERCHANT_CODE": "BENCH",
        "PAYMENT_MODE": "migs",
        "TIMESTAMP": str(int(time.time())),
    }
    fields["CHECKSUM"] = checksum(fields, Secrets("epic-v2", "bench-phrase"), joined=REQUEST)
    return urlencode(fields).encode()


def psycopg_loop(url: str, given: dict[str, Any], seconds: float, queue: Any) -> None:
    """Six INSERTs and a commit, again and again; puts how often."""
    import psycopg

    from common.ids import new_id, new_reference

    count, until = 0, time.perf_counter() + seconds
    with psycopg.connect(url) as db:
        while time.perf_counter() < until:
            txn, pay, ref = new_id("txn"), new_id("pay"), new_reference("EPG", _utc())
            now = _utc()
            db.execute(
                "INSERT INTO idempotency_record (merchant_id, live, key, fingerprint, status, body, created_at) VALUES (%s, false, %s, %s, 201, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (given["merchant_id"], txn, bytes(32), b"{}" * 200, now),
            )
            db.execute(
                "INSERT INTO transaction (id, merchant_id, live, channel, method, hosted, manual_capture, status, version, currency, amount_minor, amount_authorized_minor,"
                " amount_captured_minor, amount_refunded_minor, amount_refund_pending_minor, external_reference, content_hash, description, metadata,"
                " extra_fields, payer_name, payer_email, payer_phone, return_url, failure_code, failure_reason, expires_at, created_at, updated_at)"
                " VALUES (%s, %s, false, 'api', 'migs', false, false, 'PENDING', 1, 'MYR', 10000, 0, 0, 0, 0, %s, %s, 'Order', '{}', '{}', '', '', '', '', '', '',"
                " %s, %s, %s)",
                (txn, given["merchant_id"], txn, bytes(32), now, now, now),
            )
            db.execute(
                "INSERT INTO payment (id, transaction_id, attempt, method, provider_account_id, state, payment_trans_id, currency, amount_minor, fee_minor,"
                " bank_code, business_banking, next_action, approval_code, bank_reference, provider_reference, failure_code, failure_reason, created_at,"
                " updated_at) VALUES (%s, %s, 1, 'migs', %s, 'CREATED', %s, 'MYR', 10000, 0, '', false, %s, '', '', '', '', '', %s, %s)",
                (
                    pay,
                    txn,
                    given["account_id"],
                    ref,
                    json.dumps({"fields": {str(n): "x" * 20 for n in range(12)}}),
                    now,
                    now,
                ),
            )
            db.execute(
                "INSERT INTO operation (id, payment_id, kind, state, reference, currency, amount_minor, final, sends, look_ups, failures, due_at, provider_code,"
                " provider_reason, provider_reference, reply, created_at) VALUES (%s, %s, 'SALE', 'PENDING', %s, 'MYR', 10000, true, 0, 0, 0, %s, '', '', '', '{}',"
                " %s)",
                (new_id("op"), pay, ref, now, now),
            )
            db.execute(
                "INSERT INTO audit_record (at, actor, action, subject_type, subject_id, version, merchant_id, reason, request_id, changes)"
                " VALUES (%s, 'bench', 'transaction.created', 'transaction', %s, 1, %s, '', '', '{}')",
                (now, txn, given["merchant_id"]),
            )
            db.execute(
                "INSERT INTO fact (id, name, subject_type, subject_id, sequence, merchant_id, live, payload, request_id, created_at)"
                " VALUES (%s, 'transaction.created', 'transaction', %s, 1, %s, false, '{}', '', %s)",
                (new_id("evt"), txn, given["merchant_id"], now),
            )
            db.commit()
            count += 1
    queue.put(count)


def _utc() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def psycopg_round(url: str, given: dict[str, Any], seconds: float) -> float:
    queue: Any = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=psycopg_loop, args=(url, given, seconds, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    total = sum(queue.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total / seconds


def show(name: str, rates: list[float], cpus: list[float], outcomes: list[Outcome]) -> tuple[float, float]:
    rate, cpu = statistics.median(rates), statistics.median(cpus) if cpus else 0.0
    tail = ""
    if outcomes:
        p50 = statistics.median(o.percentile(0.5) for o in outcomes) * 1000
        p99 = statistics.median(o.percentile(0.99) for o in outcomes) * 1000
        statuses = sum((o.statuses for o in outcomes), start=type(outcomes[0].statuses)())
        tail = f"  {cpu:5.2f} CPU-ms   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {dict(statuses)} {dict(sum((o.errors for o in outcomes), start=type(outcomes[0].errors)()))}"
    print(f"{name:10} {rate:7.0f}/s (of {min(rates):.0f} to {max(rates):.0f}){tail}", flush=True)
    return rate, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--many", type=int, default=1000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-bench-"))
    folder.chmod(0o711)
    services = Services(folder / "var", environment={})
    urls = services.start()
    environment = (
        os.environ | urls | {"DATA_DIR": str(folder / "var"), "DJANGO_SETTINGS_MODULE": "config.settings.local"}
    )
    os.environ.update(environment)
    servers: list[Server] = []
    try:
        grant_app_role(urls["DATABASE_OWNER_URL"], role_of(urls["DATABASE_URL"]))
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        given = prepare()
        api, bare = Server("config.wsgi:application", environment), Server("bench.bare:application", environment)
        servers += [api, bare]
        for server in servers:
            server.wait()
        measure(options, urls, given, api, bare, [process.pid for process in services.processes])
    finally:
        for server in servers:
            server.stop()
        services.stop()


def measure(
    options: Any, urls: dict[str, str], given: dict[str, Any], api: Server, bare: Server, services: list[int]
) -> None:
    def bare_request(tag: str) -> Any:
        return lambda n: post(
            "/", json.dumps({"key": f"{tag}-{n}", **given}).encode(), {"Content-Type": "application/json"}
        )

    def api_request(tag: str) -> Any:
        body = {"paymentTypeId": "migs", "amount": "100.50", "currencyCode": "MYR", "description": "Order"}
        headers = {"Content-Type": "application/json", "X-API-Key": given["api_key"]}
        return lambda n: post(
            "/api/v1/transactions",
            json.dumps(body | {"externalReference": f"{tag}-{n}"}).encode(),
            headers | {"Idempotency-Key": f"{tag}-{n}"},
        )

    def eps_request(tag: str) -> Any:
        return lambda n: post("/eps/request", eps_body(tag, n), {"Content-Type": "application/x-www-form-urlencoded"})

    rungs = {"bare": (bare, bare_request), "api": (api, api_request), "eps": (api, eps_request)}
    rates: dict[str, list[float]] = {name: [] for name in ("psycopg", *rungs)}
    cpus: dict[str, list[float]] = {name: [] for name in rungs}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in rungs}
    for name, (server, make) in rungs.items():  # warm: caches, prepared plans, threads
        drive(
            host="127.0.0.1", port=server.port, connections=options.connections, seconds=1.5, request=make(f"w{name}")
        )
    for number in range(options.rounds):
        rates["psycopg"].append(psycopg_round(urls["DATABASE_URL"], given, options.seconds))
        for name, (server, make) in rungs.items():
            roots = [server.process.pid, *services]
            before = cpu_seconds(roots)
            outcome = drive(
                host="127.0.0.1",
                port=server.port,
                connections=options.connections,
                seconds=options.seconds,
                request=make(f"{name}{number}"),
            )
            cpus[name].append((cpu_seconds(roots) - before) * 1000 / max(len(outcome.latencies), 1))
            rates[name].append(outcome.rate)
            outcomes[name].append(outcome)
    psycopg_rate, _ = show("psycopg", rates["psycopg"], [], [])
    medians = {name: show(name, rates[name], cpus[name], outcomes[name]) for name in rungs}
    for name in ("api", "eps"):
        rate, cpu = medians[name]
        print(
            f"{name}: CPU {cpu / medians['bare'][1]:.2f} x bare (wanted <= 0.90); rate {rate / psycopg_rate:.0%} of psycopg (wanted >= 30 %, aim 42 %),"
            f" {rate / medians['bare'][0]:.2f} x bare"
        )
    many = drive(host="127.0.0.1", port=api.port, connections=options.many, seconds=6, request=api_request("many"))
    show(f"api x{options.many}", [many.rate], [0.0], [many])
    print(
        f"{options.many} connections: {sum(many.errors.values())} errors, p99 {many.percentile(0.99):.2f} s (wanted 0 and < 2 s)"
    )


if __name__ == "__main__":
    main()
