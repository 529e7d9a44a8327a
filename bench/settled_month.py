"""The generated month to the last cent: what settling every merchant every night and `verify_books` cost, over the matched and closed month.

    python bench/settled_month.py [--payments 100000 ...] [--days 30] [--merchants 20]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it; each size begins in an empty database. Night after night the books of the day
are written (bench/books.py), its statements are imported and compared (bench/reconciliation.py), chargebacks are booked by two people, facts are
relayed, everybody whose day is over is settled, and once a week what is due is paid out. Then every day is closed, the reserves of a week are
released, the month is added up from the tables alone (bench/added_up.py), and every check of the books is run.

The run fails if a planted break is not found, a merchant cannot be settled, a cent is missing, or a check finds anything.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.added_up import added_up
from bench.books import book_day, open_shops, plan_month, rules_lifted
from bench.desk import Desk, Seconds, moment, timed
from bench.month import ACCOUNTS, BANK, BANK_ACCOUNT, LATE, write_month
from bench.reconciliation import check, close, one_day, peak, run_apart

AFTER = LATE + 10  # nights after the month
ANALYZED = (0, 1, 3, 7, 15, 29)  # days after which PostgreSQL would count anew by itself, give or take
LARGE = 20_000  # payments; more are written without the database's rules, which the checks at the end make up for
TABLES = "transaction, payment, operation, refund, posting, journal_entry, fee_charge, fact, audit_record, settlement_line, settlement, reconciliation_match, statement_line"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, nargs="+", default=[100_000])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--merchants", type=int, default=20)
    options = parser.parse_args()
    figures = []
    for count in options.payments:
        with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as scratch:
            measured = partial(measure, merchants=options.merchants)
            figures.append((count, run_apart(count, options.days, Path(scratch), measured)))
    for (small, before), (large, after) in pairwise(figures):
        grown = ", ".join(f"{name} x {after[name] / before[name]:.1f}" for name in before)
        print(f"from {small:,} to {large:,} payments (x {large / small:.1f}): {grown}")


def measure(count: int, days: int, scratch: Path, merchants: int) -> Seconds:
    import logging

    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(f"memory before: {peak():.0f} MB")
    seconds = live_through(count, days, merchants, scratch / "files")
    wrong, slowest = verified(days, seconds)
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(", ".join(f"{name} {taken:.1f} s" for name, taken in seconds.items()))
    print("slowest checks: " + ", ".join(f"{name} {taken:.1f} s" for taken, name in slowest))
    print(f"peak memory {peak():.0f} MB; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return seconds | {"memory": peak()}


def live_through(
    count: int, days: int, merchants: int, folder: Path, *, tell: Callable[[str], None] = print, analyze: bool = True
) -> Seconds:
    """The month and the nights after it. Raises SystemExit if a break, a settlement or a cent is not as it should be."""
    from django.db import connection

    from reconciliation.models import Source
    from tests.factories.agreed import new_bank_account

    large = count > LARGE
    seconds = dict.fromkeys(("books", "import", "match", "close", "relay", "settle", "pay_out"), 0.0)
    source = Source.objects.create(code=BANK, name="Bank", side="BANK", format="camt053")
    new_bank_account(source, BANK_ACCOUNT)
    started = time.perf_counter()
    open_shops(merchants)
    with rules_lifted(large):
        plan_month(count, days, merchants)
    seconds["books"] += time.perf_counter() - started
    folder.mkdir()
    month = write_month(folder, count, days, merchants)
    accounts: dict[str, Any] = {**dict.fromkeys(ACCOUNTS), BANK: None}  # the files are of all accounts
    tell(
        f"{count:,} payments of {merchants} merchants, {month.size / 2e6:.0f} MB, {len(month.planted):,} breaks planted"
    )
    desk = Desk(seconds)
    for number in range(days + LATE):
        if number < days:
            with rules_lifted(large):
                timed(seconds, "books", lambda number=number: book_day(number))
        if analyze and number in ANALYZED:
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {TABLES}")
        one_day(month, number, accounts, seconds)
        desk.night(month, number)
    tell(f"memory after the nights: {peak():.0f} MB")
    check(month)
    if late := desk.payouts_that_should_not_be_late():
        raise SystemExit(f"the bank did not show {late}")
    desk.late_answers(days + LATE)
    close(month, seconds)
    tell(f"memory after closing: {peak():.0f} MB")
    for number in range(days + LATE, days + AFTER):
        desk.night(month, number)
    tell(f"{desk.settlements} settlements, {desk.payouts} payouts, {desk.disputes} chargebacks")
    for line, minor, ledger in added_up():
        tell(f"{line:<44}{minor / 100:>18,.2f}{ledger / 100:>18,.2f}")
        if minor != ledger:
            raise SystemExit(f"{line}: {minor} by the rows, {ledger} by the ledger")
    return seconds


def verified(days: int, seconds: Seconds) -> tuple[list[str], list[tuple[float, str]]]:
    """What the checks of the books find, and which took longest."""
    from common.books import Asked, verify

    wrong, took, last = [], [], time.perf_counter()
    began = last
    for each, found in verify(Asked(now=moment(days + AFTER))):
        wrong += [f"{each.name}: {violation}" for violation in found.violations]
        now = time.perf_counter()
        took.append((now - last, each.name))
        last = now
    seconds["verify_books"] = last - began
    return wrong, sorted(took, reverse=True)[:10]


if __name__ == "__main__":
    main()
