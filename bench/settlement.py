"""What settling a merchant costs, beside the plain SQL that sums and claims the same entries.

    python bench/settlement.py [--entries 100000] [--days 3]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it. Journal entries of captures (gross and fee, each with its parts) are made
by SQL. Every day brings as many again, so that the later days show what history costs. Rungs:

- plain: INSERT .. SELECT of the day's entries with their sums into a bare table, then one sum over them;
- ours: `settle_book`, with lines, constraints, postings, fact and audit record.

The run fails if a settlement is not exactly what the entries add up to.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.embedded import Services

FIRST = date(2026, 3, 2)
ENTRIES = """
INSERT INTO journal_entry (id, fact_id, fact_name, booked_at)
SELECT 'jrn_' || %(day)s || '_' || n, 'evt_' || %(day)s || '_' || n, 'payment.captured', %(at)s FROM generate_series(1, %(count)s) n;
INSERT INTO posting (entry_id, account_id, currency, amount_minor)
SELECT 'jrn_' || %(day)s || '_' || n, leg.account, 'MYR', leg.minor FROM generate_series(1, %(count)s) n
CROSS JOIN LATERAL (VALUES (%(payable)s, -1000 - n), ('receivable', 1000 + n), (%(payable)s, 50), ('income', -50)) leg (account, minor);
INSERT INTO fee_charge (entry_id, amount_minor, percentage_minor, fixed_minor, limit_minor)
SELECT 'jrn_' || %(day)s || '_' || n, 1000 + n, 0, 50, 0 FROM generate_series(1, %(count)s) n;
"""
PLAIN = """
CREATE TEMPORARY TABLE plain AS
SELECT p.entry_id, -sum(p.amount_minor) AS net FROM posting p JOIN journal_entry e ON e.id = p.entry_id
WHERE p.account_id = %(payable)s AND e.booked_at >= %(since)s AND e.booked_at < %(until)s GROUP BY p.entry_id;
SELECT count(*), sum(net) FROM plain;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as scratch:
        Path(scratch).chmod(0o711)
        services = Services(Path(scratch) / "s")
        urls = services.start()
        os.environ.update(urls | {"DATABASE_URL": urls["DATABASE_OWNER_URL"], "DATA_DIR": f"{scratch}/data"})
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
        (Path(scratch) / "data/static").mkdir(parents=True)
        try:
            run(options.entries, options.days)
        finally:
            services.stop()


def run(count: int, days: int) -> None:
    import logging

    import django

    django.setup()
    logging.disable()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from common.changes import Actor
    from payments.models import LedgerAccount
    from payments.models.ledger import AccountKind
    from reconciliation.services.settle import books, settle_book
    from tests.factories import MerchantFactory

    merchant = MerchantFactory()
    payable = f"merchant_payable:{merchant.pk}:test:MYR"
    for code, kind, owner in (
        (payable, AccountKind.MERCHANT_PAYABLE, merchant),
        ("receivable", AccountKind.PROVIDER_RECEIVABLE, None),
        ("income", AccountKind.FEE_INCOME, None),
    ):
        LedgerAccount.objects.create(code=code, kind=kind, currency="MYR", live=False, merchant=owner)
    [book] = books()
    expected = sum(1000 + n - 50 for n in range(1, count + 1))
    print(f"{'day':>4} {'lines':>9} {'plain s':>8} {'ours s':>8} {'ratio':>6} {'peak MB':>8}")
    for number in range(days):
        day = FIRST + timedelta(days=number)
        noon = datetime(2026, 3, 2, 4, tzinfo=UTC) + timedelta(days=number)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            for table in ("journal_entry", "posting", "fee_charge"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            cursor.execute(ENTRIES, {"day": number, "count": count, "at": noon, "payable": payable})
            cursor.execute("VACUUM ANALYZE journal_entry, posting, fee_charge")
            span = {"payable": payable, "since": noon, "until": noon + timedelta(hours=1)}
            started = time.perf_counter()
            cursor.execute(PLAIN, span)
            plain = time.perf_counter() - started
            cursor.execute("DROP TABLE plain")
        started = time.perf_counter()
        [made] = settle_book(book, day=day, actor=Actor("bench"), now=noon + timedelta(days=1))
        ours = time.perf_counter() - started
        assert (made.line_count, made.net_minor, made.fee_fixed_minor) == (count, expected, 50 * count), made
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{number + 1:>4} {count:>9,} {plain:>8.2f} {ours:>8.2f} {ours / plain:>6.1f} {peak:>8}")
        connection.close()


if __name__ == "__main__":
    main()
