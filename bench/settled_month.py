"""The generated month to the last cent: what settling every merchant every night and `verify_books` cost, over the matched and closed month.

    python bench/settled_month.py [--payments 100000 ...] [--days 30] [--merchants 20]

Starts its own PostgreSQL (fsync on) in a scratch directory and stops it; each size begins in an empty database. Night after night the books of the day
are written (bench/books.py), its statements are imported and compared (bench/reconciliation.py), chargebacks are booked by two people, facts are
relayed, everybody whose day is over is settled, and once a week what is due is paid out. Then every day is closed, and after it has lasted until
the last reserve but one is released, the month is added up from the tables alone, and every check of the books is run.

The run fails if a planted break is not found, a merchant cannot be settled, a cent is missing, or a check finds anything.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.books import book_day, open_shops, plan_month, rules_lifted
from bench.month import ACCOUNTS, BANK, BANK_ACCOUNT, FIRST, LATE, Month, write_month
from bench.reconciliation import check, close, one_day, peak, run_apart

AFTER = LATE + 10  # nights after the month
ANALYZED = (0, 1, 3, 7, 15, 29)  # days after which PostgreSQL would count anew by itself, give or take
LARGE = 20_000  # payments; more are written without the database's rules, which the checks at the end make up for
TABLES = "transaction, payment, operation, refund, posting, journal_entry, fee_charge, fact, audit_record, settlement_line, settlement, reconciliation_match, statement_line"
Seconds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, nargs="+", default=[100_000])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--merchants", type=int, default=20)
    options = parser.parse_args()
    figures = []
    for count in options.payments:
        with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as scratch:
            measured = lambda c, d, s: measure(c, d, s, options.merchants)  # noqa: E731
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
                _timed(seconds, "books", lambda number=number: book_day(number))
        if analyze and number in ANALYZED:
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {TABLES}")
        one_day(month, number, accounts, seconds)
        desk.night(month, number)
    check(month)
    if late := desk.payouts_that_should_not_be_late():
        raise SystemExit(f"the bank did not show {late}")
    desk.late_answers(days + LATE)
    close(month, seconds)
    for number in range(days + LATE, days + AFTER):
        desk.night(month, number)
    tell(f"{desk.settlements} settlements, {desk.payouts} payouts, {desk.disputes} chargebacks")
    for line, minor, ledger in added_up():
        tell(f"{line:<44}{minor / 100:>18,.2f}{ledger / 100:>18,.2f}")
        if minor != ledger:
            raise SystemExit(f"{line}: {minor} by the rows, {ledger} by the ledger")
    return seconds


def _timed(seconds: Seconds, name: str, what: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    try:
        return what()
    finally:
        seconds[name] += time.perf_counter() - started


class Desk:
    """Two people and the nightly jobs."""

    def __init__(self, seconds: Seconds) -> None:
        from common.changes import Actor
        from tests.factories.agreed import new_payout_bank
        from tests.reconciliation.people import person

        self.seconds, self.actor = seconds, Actor("system:bench")
        self.maker, self.checker = person("maker", "superuser"), person("checker", "superuser")
        self.settlements = self.payouts = self.disputes = 0
        new_payout_bank(source=BANK, account_key=BANK_ACCOUNT, bic="SBOXMYKLXXX", now=moment(0))

    def night(self, month: Month, number: int) -> None:
        """Chargebacks of the day before, then settling all whose day is over, then the payouts of the week."""
        from notifications.services.dispatch import relay_outbox

        now = moment(number)
        self._book_chargebacks(month, now)
        _timed(self.seconds, "settle", lambda: self._settle(now))
        if number % 7 == 4:
            _timed(self.seconds, "pay_out", lambda: self._pay_out(now))
        _timed(self.seconds, "relay", lambda: relay_outbox(now=now))

    def _approve(self, proposal: Any, now: datetime) -> None:
        from common.approvals import approve

        approve(proposal_id=proposal.pk, by=self.checker, reason="Seen", actor=self.actor, now=now)

    def _book_chargebacks(self, month: Month, now: datetime) -> None:
        from reconciliation.models import Break
        from reconciliation.services.resolutions import DISPUTE, propose_resolution

        found = Break.objects.filter(resolved_at=None, line__type="CHARGEBACK", operation__isnull=False)
        for each in found.select_related("line", "operation"):
            proposal = propose_resolution(
                kind=DISPUTE, break_id=each.pk, by=self.maker, reason="Lost", actor=self.actor, now=now
            )
            self._approve(proposal, now)
            month.planted.discard((each.kind, each.line.provider_reference, each.operation.reference))
            self.disputes += 1

    def _settle(self, now: datetime) -> None:
        from reconciliation.services.settle import books
        from reconciliation.services.settle_all import settle_books

        for book in books():
            yesterday = now.astimezone(book.zone).date() - timedelta(days=1)
            made, problems = settle_books([book], day=yesterday, actor=self.actor, now=now)
            if problems:
                raise SystemExit(problems[0])
            self.settlements += len(made)

    def _pay_out(self, now: datetime) -> None:
        """All that is due: to accounts at once; through the bank the first of a file came back, the second arrived, the others are on their way."""
        from reconciliation.models import PayoutFile, PayTo, Settlement
        from reconciliation.services.payout_files import payout_file_handed_over, payouts_send
        from reconciliation.services.payouts import payout_confirm, payouts_propose

        due = Settlement.objects.filter(state="CREATED", pay_on__lte=now.date(), terms__isnull=False)
        ids = list(due.exclude(terms__pay_to=PayTo.NOWHERE).values_list("pk", flat=True)[:400])
        if not ids:
            return
        self.payouts += len(ids)
        self._approve(payouts_propose(settlement_ids=ids, by=self.maker, reason="Due", actor=self.actor, now=now), now)
        payouts_send(now=now)
        for file in PayoutFile.objects.filter(state="PREPARED"):
            payout_file_handed_over(file_id=file.pk, reason="Carried", actor=self.actor, now=now)
            for number, payout in enumerate(file.payouts.order_by("pk")[:2]):
                asked = payout_confirm(
                    payout_id=payout.pk,
                    returned=number == 0,
                    by=self.maker,
                    reason="By phone",
                    actor=self.actor,
                    now=now,
                )
                self._approve(asked, now)

    def payouts_that_should_not_be_late(self) -> list[str]:
        """The bank shows no payout here, so the ones that are with it become breaks; no other may."""
        from reconciliation.models import Break

        found = Break.objects.filter(resolved_at=None, payout__isnull=False).exclude(payout__state="SENT")
        return list(found.values_list("payout_id", flat=True))

    def late_answers(self, number: int) -> None:
        """The provider says in the end what became of some that had waited: of every second that it moved another amount, which waits in suspense."""
        from common.money import Money
        from payments.models import Operation
        from payments.providers.base import Outcome, ProviderResult
        from payments.services.advance import payment_advance

        for index, each in enumerate(Operation.objects.filter(state="PENDING").order_by("created_at", "pk")[:20]):
            amount = Money(each.amount_minor + 100 * (index % 2), each.currency)
            result = ProviderResult(Outcome.SUCCEEDED, amount=amount, code="00")
            payment_advance(operation_id=each.pk, result=result, actor=self.actor, now=moment(number))


def moment(number: int) -> datetime:
    """The night after a day: it is over in every merchant's zone but that of New York."""
    day: date = FIRST + timedelta(days=number)
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)


# By the rows that say so, and by the ledger.
ADDED_UP = """
WITH ledger AS (
    SELECT a.currency, a.kind, e.fact_name, sum(p.amount_minor) AS minor
    FROM posting p JOIN ledger_account a ON a.code = p.account_id JOIN journal_entry e ON e.id = p.entry_id GROUP BY 1, 2, 3
), came AS (
    SELECT t.currency, sum(t.amount_captured_minor - t.amount_refunded_minor) AS net, sum(t.fees) AS fees
    FROM (SELECT t.*, (SELECT sum(fee_minor) FROM payment p WHERE p.transaction_id = t.id) AS fees FROM transaction t) t GROUP BY 1
), taken_back AS (
    SELECT l.currency, -sum(l.amount_minor) AS minor FROM statement_line l JOIN reconciliation_match m ON m.line_id = l.id
    WHERE l.type = 'CHARGEBACK' GROUP BY 1
), settled AS (
    SELECT s.currency, sum(net_minor) FILTER (WHERE state IN ('CREATED', 'PAYOUT_PENDING')) AS on_its_way,
           sum(net_minor) FILTER (WHERE state = 'PAID') AS paid, sum(net_minor) FILTER (WHERE state = 'RETURNED') AS returned,
           sum(net_minor) FILTER (WHERE state = 'CARRIED' AND NOT EXISTS (SELECT FROM settlement n WHERE n.carried_from_id = s.id)) AS carried,
           sum(reserve_held_minor - reserve_released_minor) AS reserve,
           sum(gross_minor - refund_minor - dispute_minor - fee_minor + adjustment_minor) AS claimed
    FROM settlement s GROUP BY 1
), asked AS (
    SELECT currency, sum(suspense_minor) AS minor FROM review_item WHERE state <> 'CLOSED' GROUP BY 1
), by_rows AS (
    SELECT currency, coalesce(fees, 0) AS fees, coalesce(asked.minor, 0) AS suspense, coalesce(reserve, 0) AS reserve,
           coalesce(on_its_way, 0) AS on_its_way, coalesce(paid, 0) AS paid,
           coalesce(carried, 0) + net - fees - coalesce(taken_back.minor, 0) + coalesce(returned, 0) - coalesce(claimed, 0) AS owed,
           net - coalesce(taken_back.minor, 0) + coalesce(asked.minor, 0) AS came_in
    FROM came LEFT JOIN taken_back USING (currency) LEFT JOIN settled USING (currency) LEFT JOIN asked USING (currency)
), by_ledger AS (
    SELECT currency, -coalesce(sum(minor) FILTER (WHERE kind = 'fee_income'), 0) AS fees,
           -coalesce(sum(minor) FILTER (WHERE kind = 'suspense'), 0) AS suspense,
           -coalesce(sum(minor) FILTER (WHERE kind = 'merchant_reserve'), 0) AS reserve,
           -coalesce(sum(minor) FILTER (WHERE kind = 'payout_in_transit'), 0) AS on_its_way,
           coalesce(sum(minor) FILTER (WHERE kind = 'payout_in_transit' AND fact_name = 'payout.paid'), 0) AS paid,
           -coalesce(sum(minor) FILTER (WHERE kind = 'merchant_payable'), 0) AS owed,
           coalesce(sum(minor) FILTER (WHERE kind = 'provider_receivable' AND fact_name ~ '^(payment|refund|dispute)[.]'), 0) AS came_in
    FROM ledger GROUP BY 1
)
SELECT r.currency || ', ' || x.what, x.rows::bigint, x.ledger::bigint
FROM by_rows r JOIN by_ledger l USING (currency) CROSS JOIN LATERAL (VALUES
    ('our fees', r.fees, l.fees), ('suspense', r.suspense, l.suspense), ('reserves', r.reserve, l.reserve),
    ('settled, on its way', r.on_its_way, l.on_its_way), ('settled, paid out', r.paid, l.paid),
    ('owed: carried over and not settled yet', r.owed, l.owed), ('all of it: what came in and was not given back', r.came_in, l.came_in),
    ('the parts and the whole', r.fees + r.suspense + r.reserve + r.on_its_way + r.paid + r.owed, l.came_in)
) x (what, rows, ledger)
"""


def added_up() -> list[tuple[str, int, int]]:
    """(what, by the rows, by the ledger), in minor units, of each currency that payments were in; nothing here is asked of the checks."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(ADDED_UP)
        return list(cursor.fetchall())


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
