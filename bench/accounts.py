"""Book transfers: how many a second one hot account takes from 32 writers, and how many go through when nobody shares an account.

    python bench/accounts.py [--writers 32] [--rounds 3] [--seconds 3]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it. Writers are threads of four processes that call the service; rounds are
interleaved, medians are printed. At the end the books are checked: no account overdrawn, not a cent lost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.embedded import Services

PROCESSES = 4
OPENING = 10_000_000_000


def work(hot: bool, begin: Any, seconds: float, first: int, writers: int, made: Any) -> None:
    """One process's share of the writers. Puts how many transfers they made and how long each took."""
    import django

    django.setup()
    taken: list[float] = []
    threads = [
        threading.Thread(target=write, args=(hot, begin, seconds, first + number, taken)) for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.put(taken)


def write(hot: bool, begin: Any, seconds: float, number: int, taken: list[float]) -> None:
    from django.db import connection
    from django.utils import timezone

    from common.changes import Actor
    from common.money import Money
    from payments.services.transfers import NewTransfer, transfer_create

    actor = Actor("system:bench")
    new = NewTransfer(
        merchant_id="mer_bench",
        live=False,
        method="rtp",
        from_account_id="acc_hot" if hot else f"acc_from_{number}",
        to_account_id=f"acc_to_{number}",
        amount=Money(1, "USD"),
    )
    connection.ensure_connection()
    begin.wait()
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        transfer_create(new=new, actor=actor, now=timezone.now())
        taken.append(time.perf_counter() - began)
    connection.close()


def prepare(writers: int) -> None:
    """A merchant with one hot account, and a pair of accounts for each writer."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from common.changes import Actor
    from common.money import Money
    from merchants.models import Merchant
    from payments.services.accounts import account_deposit, account_open

    call_command("migrate", verbosity=0)
    now, actor = timezone.now(), Actor("system:bench")
    Merchant.objects.create(id="mer_bench", code="BENCH", name="Bench", contact_email="b@bench.example", created_at=now)
    pairs = [name for number in range(writers) for name in (f"acc_from_{number}", f"acc_to_{number}")]
    for account_id in ("acc_hot", *pairs):
        account_open(
            account_id=account_id,
            merchant_id="mer_bench",
            live=False,
            currency="USD",
            name=account_id,
            actor=actor,
            now=now,
        )
        if not account_id.startswith("acc_to"):
            amount = Money(OPENING, "USD")
            account_deposit(account_id=account_id, amount=amount, actor=actor, reason="bench", now=now)


def check(total: int) -> None:
    """The books are right and have every transfer that was counted."""
    import django

    django.setup()
    from datetime import timedelta

    from django.utils import timezone

    from common.books import Asked, verify
    from payments.models import Transaction

    asked = Asked(now=timezone.now(), unpublished_for=timedelta(days=1))
    violations = [sentence for _, found in verify(asked) for sentence in found.violations]
    assert not violations, violations
    assert Transaction.objects.filter(status="COMPLETED").count() == total
    print(f"books right: {total} transfers, each of them in the ledger")


def run(context: Any, target: Any, *arguments: Any) -> None:
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{target.__name__} failed")


def measure(context: Any, hot: bool, writers: int, seconds: float) -> list[float]:
    begin, made = context.Barrier(writers), context.Queue()
    share = writers // PROCESSES
    processes = [
        context.Process(target=work, args=(hot, begin, seconds, number * share, share, made))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    taken = [latency for _ in processes for latency in made.get()]
    for process in processes:
        process.join()
    return sorted(taken)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--writers", type=int, default=32)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=3.0)
    options = arguments.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as folder:
        services = Services(Path(folder) / "services")
        urls = services.start()
        os.environ |= urls | {"DATABASE_URL": urls["DATABASE_OWNER_URL"], "DATA_DIR": f"{folder}/data"}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings.local", "DEBUG": "0", "LOG_LEVEL": "ERROR"}
        try:
            run(context, prepare, options.writers)
            rounds: dict[bool, list[list[float]]] = {True: [], False: []}
            for _ in range(options.rounds):
                for hot, runs in rounds.items():
                    runs.append(measure(context, hot, options.writers, options.seconds))
            for hot, name in ((True, "one hot account"), (False, "an account each")):
                rate = statistics.median(len(taken) / options.seconds for taken in rounds[hot])
                p50, p99 = (
                    1000 * statistics.median(taken[int(len(taken) * share)] for taken in rounds[hot])
                    for share in (0.5, 0.99)
                )
                print(f"{name}: {options.writers} writers, {rate:.0f} transfers/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
            run(context, check, sum(len(taken) for runs in rounds.values() for taken in runs))
        finally:
            services.stop()


if __name__ == "__main__":
    main()
