"""Whole payments a second: create, payer, callback, ledger, webhook. Nothing may be left behind at the end.

    python bench/end_to_end.py [--seconds 30] [--payers 12] [--method migs]

Starts an installation of its own (`manage.py start`, demo merchants, no business day) in a scratch directory with the sandbox as the provider,
plays payers as fast as they are served, receives and verifies every webhook, then waits until all is quiet and compares with the provider's books.
The provider's side, the payers and the webhook receiver share the machine with the system, so the figure is what the whole box does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"

import requests

from common.embedded import free_port

_ACTION = re.compile(r'<form method="post" action="([^"]+)"')


def start(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """The installation and its demo.json."""
    environment = os.environ | {"DATA_DIR": str(folder)}
    for name in ("DATABASE_URL", "REDIS_URL", "DATABASE_OWNER_URL"):
        environment.pop(name, None)
    binds = ["--bind", f"127.0.0.1:{free_port()}", "--sandbox-bind", f"127.0.0.1:{free_port()}"]
    log = (folder / "start.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "start", "--no-demo", "--data-dir", str(folder), *binds],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
    )
    for _ in range(600):
        if b"Ctrl-C" in (folder / "start.log").read_bytes():
            break
        time.sleep(0.1)
    else:
        raise SystemExit((folder / "start.log").read_text())
    places = {"PUBLIC_URL": f"http://{binds[1]}", "SANDBOX_URL": f"http://{binds[3]}"}
    subprocess.run(
        [sys.executable, "manage.py", "load_demo"],
        cwd=ROOT,
        env=environment | places,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    demo: dict[str, Any] = json.loads((folder / "demo.json").read_text())
    return process, demo


class Payers:
    """Threads that each create a payment, pay it at the provider, and begin again."""

    def __init__(self, demo: dict[str, Any], method: str) -> None:
        self.demo, self.method = demo, method
        self.local = threading.local()
        self.done = 0
        self.latencies: list[float] = []
        self.failures: list[str] = []
        self.lock = threading.Lock()

    def run(self, payers: int, seconds: float) -> float:
        until, began = time.perf_counter() + seconds, time.perf_counter()
        with ThreadPoolExecutor(payers) as pool:
            list(pool.map(lambda number: self._loop(number, until), range(payers)))
        return time.perf_counter() - began

    def _loop(self, number: int, until: float) -> None:
        session = requests.Session()
        session.trust_env = False
        merchants = self.demo["merchants"][:-1]
        count = 0
        while time.perf_counter() < until:
            merchant = merchants[(number + count) % len(merchants)]
            began = time.perf_counter()
            try:
                self._pay(session, merchant, f"E{number}-{count}-{time.time_ns()}")
            except (requests.RequestException, KeyError, AttributeError) as exc:
                self.failures.append(repr(exc)[:200])
            else:
                with self.lock:
                    self.done += 1
                    self.latencies.append(time.perf_counter() - began)
            count += 1

    def _pay(self, session: requests.Session, merchant: dict[str, Any], reference: str) -> None:
        body = {
            "paymentTypeId": self.method,
            "amount": "150.25",
            "currencyCode": "MYR",
            "externalReference": reference,
            "bankCode": "MERA0101",
        }
        if self.method != "fpx":
            del body["bankCode"]
        headers = {"X-API-Key": merchant["api_key"], "Idempotency-Key": reference}
        created = session.post(f"{self.demo['base_url']}/api/v1/transactions", json=body, headers=headers, timeout=30)
        action = created.json()["nextAction"]
        page = session.post(action["url"], data=action["fields"], timeout=30)
        decide = _ACTION.search(page.text)
        decided = session.post(
            self.demo["sandbox_url"] + decide.group(1), data={"decision": "approve"}, timeout=30, allow_redirects=False
        )
        if decided.status_code not in (200, 302):
            raise KeyError(f"payer saw {decided.status_code}")


def quiet(database_url: str, seconds: float = 120) -> tuple[float, dict[str, int]]:
    """Wait until nothing is open. Returns how long that took and what is left."""
    import psycopg

    began = time.perf_counter()
    queries = {
        "open payments": "SELECT count(*) FROM transaction WHERE status IN ('PENDING', 'PROCESSING')",
        "unpublished facts": "SELECT count(*) FROM fact WHERE published_at IS NULL",
        "undelivered webhooks": "SELECT count(*) FROM webhook_delivery WHERE state <> 'DELIVERED'",
    }
    with psycopg.connect(database_url, autocommit=True) as db:
        while True:
            left = {name: db.execute(query).fetchone()[0] for name, query in queries.items()}
            if not any(left.values()) or time.perf_counter() - began > seconds:
                return time.perf_counter() - began, left
            time.sleep(0.5)


_ROLES = {
    "web": "config.wsgi",
    "worker": "celery -A config worker",
    "scheduler": "celery -A config beat",
    "provider sandbox": "sandbox",
    "PostgreSQL": "postgres",
    "Redis": "valkey-server",
    "webhook receiver": "bench.sink",
    "payers": "end_to_end.py",
}


def cpu_by_role() -> dict[str, float]:
    """CPU seconds so far of every process on the machine that plays a role."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = dict.fromkeys(_ROLES, 0.0)
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        for role, mark in _ROLES.items():
            if mark in command:
                used[role] += (int(fields[11]) + int(fields[12])) / ticks
                break
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--payers", type=int, default=12)
    parser.add_argument("--method", choices=("migs", "fpx"), default="migs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-e2e-"))
    folder.chmod(0o711)
    process, demo = start(folder)
    listener = subprocess.Popen(
        [sys.executable, "-m", "bench.sink", str(folder / "demo.json")], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        payers = Payers(demo, options.method)
        before = cpu_by_role()
        took = payers.run(options.payers, options.seconds)
        after = cpu_by_role()
        tail, left = quiet(demo["database_url"])
        books = requests.get(f"{demo['sandbox_url']}/_books/{options.method}", timeout=60).json()["entries"]
        charged = sum(entry["status"] == "completed" for entry in books)
        listener.send_signal(signal.SIGTERM)
        received = listener.communicate(timeout=20)[0].decode().strip()
        verified = subprocess.run(
            [sys.executable, "manage.py", "verify_books"],
            cwd=ROOT,
            env=os.environ | {"DATA_DIR": str(folder)},
            capture_output=True,
        )
        print(
            f"{payers.done} payments by {options.method} in {took:.1f} s: {payers.done / took:.0f}/s by {options.payers} payers; "
            f"until everything was told {payers.done / (took + tail):.0f}/s"
        )
        print(
            f"create to paid page: p50 {statistics.median(payers.latencies) * 1000:.0f} ms; failures {len(payers.failures)} {payers.failures[:2]}"
        )
        print(
            f"quiet {tail:.1f} s later; left behind: {left}; charged at the provider: {charged}; webhooks: {received}"
        )
        costs = {role: (after[role] - before[role]) * 1000 / max(payers.done, 1) for role in after}
        print("CPU-ms a payment: " + ", ".join(f"{role} {cost:.1f}" for role, cost in costs.items()))
        print(f"verify_books: {'clean' if verified.returncode == 0 else verified.stderr.decode()[-500:]}")
    finally:
        listener.kill()
        process.send_signal(signal.SIGTERM)
        process.wait(60)


if __name__ == "__main__":
    main()
