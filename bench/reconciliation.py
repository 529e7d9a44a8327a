"""A generated month of two providers and a bank: what importing, matching and closing cost, beside the plain SQL that does the least that
could be called the same, and whether exactly the planted breaks are found.

    python bench/reconciliation.py [--payments 100000 ...] [--days 30]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it; each size begins in an empty database. Rungs:

- plain: COPY all lines of the month into a bare table, full join with the operations by reference, differences into a table: no checks, no keys;
- kept: the same with lines and pairs in tables that last, under the keys that say each is there once, and nothing else;
- ours: statement_import, reconcile_day and day closing for each source and day, as the nightly job does them.

Ratios are of CPU time too (bench/cpu.py), which other work on the machine distorts less than it does the clock.

The run fails if a planted break is not found with its kind, or one is found that was not planted (bench/month.py has the answer key).
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.cpu import cpu_seconds
from bench.month import ACCOUNTS, BANK, BANK_ACCOUNT, FIRST, LATE, PAYMENTS, PLAN, SHOPS, Found, Month, write_month
from common.embedded import Services

Measured = Callable[[int, int, Path], dict[str, float]]  # payments, days, scratch: seconds and memory by name
PLAIN = (
    """CREATE TEMPORARY TABLE plain_line (type text, seller text, provider_reference text, reference text, at timestamptz, bank text,
           currency text, amount numeric, fee numeric, net numeric, status text)""",
    "COPY plain_line FROM STDIN (FORMAT csv)",
    """CREATE TEMPORARY TABLE plain_break AS
       SELECT l.reference, o.id FROM plain_line l FULL JOIN operation o ON o.reference = l.reference
       WHERE l.reference IS NULL OR o.id IS NULL OR (l.amount * 100)::bigint <> o.amount_minor OR l.currency <> o.currency
           OR o.state <> 'SUCCEEDED' OR l.fee <> 0.50""",
    "DROP TABLE plain_line, plain_break",
)
KEPT = (
    PLAIN[0],
    PLAIN[1],
    """CREATE TABLE kept_line (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, type text, seller text, provider_reference text, reference text,
           at timestamptz, currency text, amount bigint, fee bigint, net bigint, status text, UNIQUE (provider_reference, seller, type));
       CREATE INDEX ON kept_line (reference);
       CREATE TABLE kept_match (line_id bigint UNIQUE, operation_id text UNIQUE);
       INSERT INTO kept_line (type, seller, provider_reference, reference, at, currency, amount, fee, net, status)
       SELECT type, seller, provider_reference, reference, at, currency, (amount * 100)::bigint, (fee * 100)::bigint, (net * 100)::bigint, status FROM plain_line;
       ANALYZE kept_line;
       INSERT INTO kept_match
       SELECT l.id, o.id FROM kept_line l JOIN operation o ON o.reference = l.reference
       WHERE l.amount = o.amount_minor AND l.currency = o.currency AND o.state = 'SUCCEEDED' ON CONFLICT DO NOTHING;
       ANALYZE kept_match;
       CREATE TABLE kept_break AS
       SELECT l.id AS line_id, NULL AS operation_id FROM kept_line l WHERE NOT EXISTS (SELECT FROM kept_match m WHERE m.line_id = l.id)
       UNION ALL SELECT NULL, o.id FROM operation o WHERE NOT EXISTS (SELECT FROM kept_match m WHERE m.operation_id = o.id)""",
    "DROP TABLE plain_line, kept_line, kept_match, kept_break",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, nargs="+", default=[100_000])
    parser.add_argument("--days", type=int, default=30, help="1: all in one day, a single large file per provider")
    options = parser.parse_args()
    figures = []
    for count in options.payments:
        with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as scratch:
            figures.append((count, run_apart(count, options.days, Path(scratch))))
    for (small, before), (large, after) in pairwise(figures):
        grown = ", ".join(f"{name} x {after[name] / before[name]:.1f}" for name in before)
        print(f"from {small:,} to {large:,} payments (x {large / small:.1f}): {grown}")


def run_apart(count: int, days: int, scratch: Path, measured: Measured | None = None) -> dict[str, float]:
    """In a process of its own, so that each size has its own peak of memory."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, repr(run(count, days, scratch, measured or measure)).encode())
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{count:,} payments: failed")
    return {name: float(value) for name, value in (part.split("=") for part in text.strip("'").split())}


def run(count: int, days: int, scratch: Path, measured: Measured) -> str:
    scratch.chmod(0o711)
    services = Services(scratch / "s")
    urls = services.start()
    os.environ.update(urls | {"DATABASE_URL": urls["DATABASE_OWNER_URL"], "DATA_DIR": f"{scratch}/data"})
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    try:
        return " ".join(f"{name}={value}" for name, value in measured(count, days, scratch).items())
    finally:
        services.stop()


def measure(count: int, days: int, scratch: Path) -> dict[str, float]:
    import logging

    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    accounts = prepare(count, days)
    folder = scratch / "files"
    folder.mkdir()
    month = write_month(folder, count, days)
    print(
        f"{count:,} payments, {len(list(folder.iterdir())) - 1} files, {month.size / 2e6:.0f} MB, {len(month.planted):,} breaks planted"
    )
    gc.collect()
    print(f"memory before: {peak():.0f} MB")
    seconds = {"plain": 0.0, "kept": 0.0, "import": 0.0, "match": 0.0, "close": 0.0}
    used = {}
    for name, statements in (("plain", PLAIN), ("kept", KEPT)):
        before = cpu_seconds()
        seconds[name] = plain(month, statements)
        used[name] = cpu_seconds() - before
    before = cpu_seconds()
    for number in range(days + LATE):
        one_day(month, number, accounts, seconds)
    used["ours"] = cpu_seconds() - before
    memory = peak()
    check(month)
    close(month, seconds)
    ours = seconds["import"] + seconds["match"]
    print(", ".join(f"{name} {taken:.2f} s" for name, taken in seconds.items()))
    print("CPU: " + ", ".join(f"{name} {taken:.2f} s" for name, taken in used.items()))
    for name in ("plain", "kept"):
        print(f"import and match are {ours / seconds[name]:.1f} x {name}, {used['ours'] / used[name]:.1f} x its CPU")
    print(
        f"{count / ours:,.0f} payments a second; peak memory {memory:.0f} MB, closing {peak():.0f} MB; "
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return seconds | {"memory": memory}


def peak() -> float:
    """Of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(count: int, days: int) -> dict[str, Any]:
    """The payments, the accounts and the bank."""
    from datetime import time as clock

    from django.db import connection

    from reconciliation.models import Source
    from tests.factories import ProviderAccountFactory
    from tests.factories.agreed import new_bank_account

    before = datetime.combine(FIRST - timedelta(days=30), clock(), UTC)
    fpx = ProviderAccountFactory(account_key=ACCOUNTS["fpx"], created_at=before)
    migs = ProviderAccountFactory(
        merchant=fpx.merchant, provider="migs", account_key=ACCOUNTS["migs"], created_at=before
    )
    bank = Source.objects.create(code=BANK, name="Bank", side="BANK", format="camt053")
    new_bank_account(bank, BANK_ACCOUNT)
    with connection.cursor() as cursor:
        noon = datetime.combine(FIRST, clock(4), UTC)
        cursor.execute(SHOPS)
        cursor.execute(
            "INSERT INTO shop (m, merchant_id, fpx, migs) VALUES (0, %s, %s, %s)", [fpx.merchant_id, fpx.pk, migs.pk]
        )
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(PLAN + PAYMENTS, {"count": count, "first": noon, "days": days, "merchants": 1})
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return {"fpx": fpx, "migs": migs, BANK: None}


def plain(month: Month, statements: tuple[str, ...]) -> float:
    """Create, copy, compare; then, not timed, drop."""
    from django.db import connection

    create, copy_in, compare, drop = statements
    with connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(create)
        with cursor.copy(copy_in) as copy, (month.folder / "plain.csv").open("rb") as file:
            while piece := file.read(1024 * 1024):
                copy.write(piece)
        cursor.execute(compare)
        taken = time.perf_counter() - started
        cursor.execute(drop)
    return taken


def one_day(month: Month, number: int, accounts: dict[str, Any], seconds: dict[str, float]) -> None:
    """The night after a day: import and compare each source."""
    from common.changes import Actor
    from reconciliation.services.imports import statement_import
    from reconciliation.services.reconcile import reconcile_day

    actor, day = Actor("system:bench"), FIRST + timedelta(days=number)
    night = datetime(day.year, day.month, day.day, 18, tzinfo=UTC)
    for source in (*(ACCOUNTS if number < month.days else ()), BANK):
        with month.file(source, day).open("rb") as file:
            started = time.perf_counter()
            taken = statement_import(
                content=file, provider=source, account=accounts[source], live=False, day=day, actor=actor, now=night
            ).statement
        imported = time.perf_counter()
        if taken.state != "IMPORTED" or taken.quarantined_count:
            raise SystemExit(f"{source} {day}: {taken.state} {taken.reason} {taken.quarantined_count}")
        reconcile_day(provider=source, live=False, day=day, actor=actor, now=night)
        seconds["import"] += imported - started
        seconds["match"] += time.perf_counter() - imported


def check(month: Month) -> None:
    """Every planted break is there with its kind, and no other but of payouts."""
    from reconciliation.models import Break

    found: set[Found] = set()
    open_ = Break.objects.filter(resolved_at=None, payout=None)
    for each in open_.select_related("line", "operation", "bank_line", "remittance").iterator():
        theirs = each.line.provider_reference if each.line else each.bank_line.reference if each.bank_line else ""
        ours = (
            each.operation.reference
            if each.operation
            else f"{each.remittance.provider} {each.remittance.day}"
            if each.remittance
            else ""
        )
        found.add((each.kind, theirs, ours))
    missed, invented = month.planted - found, found - month.planted
    if missed or invented:
        raise SystemExit(
            f"not found: {sorted(missed)[:10]} ({len(missed)}); not planted: {sorted(invented)[:10]} ({len(invented)})"
        )
    kinds = Counter(kind for kind, _, _ in found)
    print("found exactly what was planted: " + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))


def close(month: Month, seconds: dict[str, float]) -> None:
    """Every day of every source: the clean ones by themselves, the others signed by two."""
    from common.approvals import approve
    from common.changes import Actor
    from common.errors import InvalidState
    from reconciliation.services.closing import day_close, propose_close
    from tests.reconciliation.people import person

    one, other, actor = person("one", "superuser"), person("other", "superuser"), Actor("system:bench")
    last = FIRST + timedelta(days=month.days + LATE + 5)
    now, clean, signed = datetime(last.year, last.month, last.day, 18, tzinfo=UTC), 0, 0
    for number in reversed(range(month.days + LATE)):  # what is handed on goes past the month at once
        day = FIRST + timedelta(days=number)
        for source in (*(ACCOUNTS if number < month.days else ()), BANK):
            started = time.perf_counter()
            of_day: dict[str, Any] = {"provider": source, "live": False, "day": day, "actor": actor, "now": now}
            try:
                day_close(**of_day)
                clean += 1
            except InvalidState:
                proposal = propose_close(**of_day, by=one, reason="The month's end")
                approve(proposal_id=proposal.pk, by=other, reason="Seen", actor=actor, now=now)
                signed += 1
            seconds["close"] += time.perf_counter() - started
    print(f"closed {clean} clean days and {signed} signed by two")


if __name__ == "__main__":
    main()
