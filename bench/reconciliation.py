"""What reconciling a provider's day costs, beside the plain SQL that does the least that could be called the same.

    python bench/reconciliation.py [--payments 100000] [--rounds 3]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it. Payments are made by SQL, the statement file with breaks whose kinds are
known beforehand; every round begins with an empty reconciliation. Rungs:

- plain: COPY the file into a bare table, full join with the operations by reference, differences into a table: no checks, no keys;
- ours: parse and check the file, import it, match, breaks (services statement_import and reconcile_day).

The run fails if the breaks are not exactly the planted ones.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.embedded import Services

DAY = date(2026, 3, 2)
NIGHT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
EVERY = 200  # one break of each kind in so many payments
KINDS = (
    "MISSING_AT_PROVIDER",
    "MISSING_IN_BOOKS",
    "AMOUNT_MISMATCH",
    "FEE_MISMATCH",
    "STATUS_MISMATCH",
    "DUPLICATE_LINE",
)

PAYMENTS = """
INSERT INTO transaction (id, merchant_id, live, channel, method, status, version, currency, amount_minor, amount_authorized_minor,
    amount_captured_minor, amount_refunded_minor, amount_refund_pending_minor, content_hash, description, metadata, extra_fields,
    payer_name, payer_email, payer_phone, return_url, failure_code, failure_reason, expires_at, created_at, updated_at)
SELECT 'txn_' || n, %(merchant)s, false, 'api', 'fpx', 'COMPLETED', 2, 'MYR', 1000 + n, 1000 + n, 1000 + n, 0, 0, '', '', '{}', '{}',
    '', '', '', '', '', '', %(at)s, %(at)s, %(at)s
FROM generate_series(1, %(count)s) n;
INSERT INTO payment (id, transaction_id, attempt, provider_account_id, state, payment_trans_id, currency, amount_minor, fee_minor,
    bank_code, business_banking, approval_code, bank_reference, provider_reference, failure_code, failure_reason, created_at, updated_at)
SELECT 'pay_' || n, 'txn_' || n, 1, %(account)s, 'CAPTURED', 'EPG' || n, 'MYR', 1000 + n, 0, '', false, '', '', 'F' || n, '', '',
    %(at)s, %(at)s
FROM generate_series(1, %(count)s) n;
INSERT INTO operation (id, payment_id, kind, state, reference, currency, amount_minor, sends, look_ups, due_at, provider_code,
    provider_reason, provider_reference, reply, created_at, ended_at)
SELECT 'op_' || n, 'pay_' || n, 'SALE', CASE WHEN n %% %(every)s = 5 THEN 'PENDING' ELSE 'SUCCEEDED' END, 'EPG' || n, 'MYR', 1000 + n,
    0, 0, CASE WHEN n %% %(every)s = 5 THEN %(at)s::timestamptz END, '00', '', 'F' || n, '{}', %(at)s,
    CASE WHEN n %% %(every)s <> 5 THEN %(at)s::timestamptz END
FROM generate_series(1, %(count)s) n;
"""

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

EMPTY = "TRUNCATE reconciliation_rehearsal, reconciliation_break_comment, reconciliation_break, reconciliation_bank_match, reconciliation_match_group, bank_line, remittance, reconciliation_match, reconciliation_run, statement_line, statement_file_chunk, statement_file, quarantined_line, bank_balance, statement"


def statement(count: int) -> tuple[bytes, list[str], Counter[str]]:
    """The file, its lines alone, and how many breaks of each kind are in it."""
    planted: Counter[str] = Counter()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lines = amounts = fees = 0

    def write(reference: str, number: str, minor: int, fee: int = 50) -> None:
        nonlocal lines, amounts, fees
        money = (f"{x // 100}.{x % 100:02d}" for x in (minor, fee, minor - fee))
        writer.writerow(["PAYMENT", "SE1", number, reference, f"{DAY}T12:00:00+08:00", "TEST0001", "MYR", *money, "00"])
        lines, amounts, fees = lines + 1, amounts + minor, fees + fee

    for n in range(1, count + 1):
        kind = KINDS[n % EVERY - 1] if 1 <= n % EVERY <= len(KINDS) else ""
        planted[kind] += 1
        match kind:
            case "MISSING_AT_PROVIDER":
                continue
            case "MISSING_IN_BOOKS":
                write(f"STRANGER{n}", f"S{n}", 1000 + n)
            case "DUPLICATE_LINE":
                write(f"EPG{n}", f"D{n}", 1000 + n)
        write(f"EPG{n}", f"F{n}", 1000 + n + (kind == "AMOUNT_MISMATCH"), 50 + (kind == "FEE_MISMATCH"))
    del planted[""]
    head = f"H,FPX,SE1,{DAY}\nTXN_TYPE,SELLER_ID,FPX_TXN_ID,SELLER_EX_ORDER_NO,TXN_TIME,BUYER_BANK,CURRENCY,AMOUNT,FEE,NET,STATUS\n"
    sums = ",".join(f"{x // 100}.{x % 100:02d}" for x in (amounts, fees, amounts - fees))
    body = text.getvalue()
    return f"{head}{body}T,{lines},{sums}\n".encode(), [body], planted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as scratch:
        Path(scratch).chmod(0o711)
        services = Services(Path(scratch) / "s")
        urls = services.start()
        os.environ.update(urls | {"DATABASE_URL": urls["DATABASE_OWNER_URL"], "DATA_DIR": f"{scratch}/data"})
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
        try:
            measure(options.payments, options.rounds)
        finally:
            services.stop()


def measure(count: int, rounds: int) -> None:
    import logging

    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command
    from django.db import connection

    from common.changes import Actor
    from reconciliation.models import Break
    from reconciliation.services.imports import statement_import
    from reconciliation.services.reconcile import reconcile_day
    from tests.factories import ProviderAccountFactory

    call_command("migrate", verbosity=0)
    account = ProviderAccountFactory(account_key="SE1")
    actor = Actor("system:bench")
    noon = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    parameters = {"merchant": account.merchant_id, "account": account.pk, "count": count, "every": EVERY, "at": noon}
    with connection.cursor() as cursor:
        cursor.execute(PAYMENTS, parameters)
        cursor.execute("VACUUM ANALYZE")
    content, body, planted = statement(count)
    print(f"{count:,} payments, a file of {len(content) / 1e6:.1f} MB, {sum(planted.values()):,} breaks planted")

    seconds: dict[str, list[float]] = {"plain": [], "import": [], "match": []}
    for number in range(rounds):
        with connection.cursor() as cursor:
            cursor.execute(EMPTY)
            started = time.perf_counter()
            cursor.execute(PLAIN[0])
            with cursor.copy(PLAIN[1]) as copy:
                copy.write(body[0])
            cursor.execute(PLAIN[2])
            seconds["plain"].append(time.perf_counter() - started)
            cursor.execute(PLAIN[3])
        started = time.perf_counter()
        statement_import(content=content, provider="fpx", account=account, live=False, day=DAY, actor=actor, now=NIGHT)
        imported = time.perf_counter()
        run = reconcile_day(provider="fpx", live=False, day=DAY, actor=actor, now=NIGHT)
        seconds["import"].append(imported - started)
        seconds["match"].append(time.perf_counter() - imported)
        found = Counter(Break.objects.values_list("kind", flat=True))
        if found != planted or run.lines != run.lines_matched + run.lines_broken:
            raise SystemExit(f"The breaks are not the planted ones: {found}, planted {planted}")
        print(f"round {number + 1}: " + ", ".join(f"{name} {times[-1]:.2f} s" for name, times in seconds.items()))
    plain, importing, matching = (statistics.median(times) for times in seconds.values())
    print(f"medians: plain {plain:.2f} s; import {importing:.2f} s, match {matching:.2f} s")
    print(
        f"ours is {(importing + matching) / plain:.1f} x plain; {count / (importing + matching):,.0f} payments a second"
    )
    print(
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: above the number of cores, only the ratio counts"
    )
    print(f"memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
