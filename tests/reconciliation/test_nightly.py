"""The nightly job and the commands against the real sandbox: real payments, real statements."""

from __future__ import annotations

import io
import threading
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from common.books import Asked, verify
from merchants.models import ProviderAccount
from payments.services.operations import operation_look_up
from reconciliation.models import Break, Match, ReconciliationRun, RuleSet, Statement
from reconciliation.parsers import fpx
from reconciliation.services.locks import only_one
from reconciliation.services.nightly import ACTOR, reconcile_recent_days
from reconciliation.services.reconcile import reconcile_day
from reconciliation.services.rule_sets import rule_set_live
from tests.factories import NOW, ProviderAccountFactory, new_transaction, sale_of, settle
from tests.factories.agreed import source_agreed
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import DAY, Listed, fpx_file, open_kinds
from tests.reconciliation.sandbox_day import open_shop, pay, refund
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def day_of(moment: datetime) -> date:
    return moment.astimezone(fpx.FORMAT.zone).date()


def today() -> date:
    return day_of(timezone.now())


def _same(now: datetime) -> datetime:
    return now


def nightly(began: date, *, hours: int = 0) -> list[ReconciliationRun]:
    """The night's job after each day of the test: two of them if midnight passed there while it ran."""
    nights = (
        datetime.combine(began + timedelta(days=days + 1), time(12), fpx.FORMAT.zone) + timedelta(hours=hours)
        for days in range((today() - began).days + 1)
    )
    return [run for now in nights for run in reconcile_recent_days(clock=partial(_same, now))]


def figures(runs: list[ReconciliationRun], *names: str) -> dict[str, tuple[int, ...]]:
    """Of each provider, over all runs."""
    providers = {run.provider for run in runs}
    return {
        provider: tuple(sum(getattr(run, name) for run in runs if run.provider == provider) for name in names)
        for provider in providers
    }


def command(name: str, *arguments: str) -> tuple[int, str]:
    """The exit status, and what a person reads."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as exc:
        return exc.returncode, f"{out.getvalue()}{exc}"
    return 0, out.getvalue()


def test_a_day_of_both_providers(sandbox_url: str) -> None:
    began = today()
    banks, cards = open_shop(sandbox_url, "fpx"), open_shop(sandbox_url, "migs")
    good = [pay(banks, sandbox_url, 10_000), pay(cards, sandbox_url, 33_333), pay(banks, sandbox_url, 100)]
    good += [refund(good[0], 2_500), refund(good[0], 7_500), refund(good[1], 1)]
    pay(banks, sandbox_url, 10_000, decision="decline")
    pay(cards, sandbox_url, 10_000, decision="decline")
    pay(cards, sandbox_url, 10_000, decision="leave", told=False)
    conflicts = [pay(banks, sandbox_url, 900), pay(cards, sandbox_url, 900)]
    untold = pay(cards, sandbox_url, 5_000, told=False)

    runs = nightly(began)

    assert [x.state for x in conflicts] == ["CONFLICTED", "CONFLICTED"]
    assert set(Match.objects.values_list("operation", flat=True)) == {x.pk for x in good}
    assert sorted((kind, ours) for kind, _, ours in open_kinds()) == sorted(
        [("AMOUNT_MISMATCH", x.reference) for x in conflicts] + [("STATUS_MISMATCH", untold.reference)]
    )
    assert {(x.our_minor, x.their_minor) for x in Break.objects.filter(kind="AMOUNT_MISMATCH")} == {(900, 1_000)}
    assert figures(runs, "lines", "lines_matched", "lines_broken", "operations_broken") == {
        "fpx": (5, 4, 1, 1),
        "migs": (4, 2, 2, 1),
    }

    operation_look_up(operation_id=untold.pk, now=timezone.now())
    command("reconcile", "--provider=migs", f"--date={day_of(untold.created_at)}", "--no-fetch")

    assert [kind for kind, _, _ in open_kinds()] == ["AMOUNT_MISMATCH"] * 2
    assert [violation for _, found in verify(Asked(now=timezone.now())) for violation in found.violations] == []


def test_a_day_without_a_statement_does_not_agree_with_anything() -> None:
    ProviderAccountFactory(provider="fpx", live=False)

    status, said = command("reconcile", "--provider=fpx", "--date=2026-03-02", "--no-fetch")

    assert status == 0
    assert "nothing to compare with, no statement of that day is in" in said
    assert "agrees" not in said


def test_it_goes_on_where_it_was_and_then_does_nothing(own_sandbox: SandboxProcess) -> None:
    began = today()
    account = open_shop(own_sandbox.url, "fpx")
    pay(account, own_sandbox.url, 10_000)
    own_sandbox.stop()

    first = nightly(began)

    assert (Statement.objects.count(), figures(first, "lines")) == (0, {"fpx": (0,)})

    own_sandbox.start()
    second = nightly(began, hours=1)
    own_sandbox.stop()
    third = nightly(began, hours=2)

    assert figures(second, "lines", "lines_matched") == {"fpx": (1, 1)}
    assert third == []
    assert (Statement.objects.count(), Match.objects.count()) == (len(second), 1)


def test_a_day_is_judged_once_its_statement_is_due_although_the_night_was_over_before() -> None:
    source_agreed("fpx", zone="Asia/Ho_Chi_Minh")
    account = ProviderAccountFactory(created_at=NOW - timedelta(days=1))
    sale = sale_of(new_transaction(account).transaction)
    settle(sale)

    def night(days: int) -> list[tuple[int, int]]:
        """As scheduled: at 02:00 to 06:00 in Kuala Lumpur. What each hour's comparisons of the day opened."""
        found = []
        for hour in range(2, 7):
            at = datetime.combine(DAY + timedelta(days=days), time(hour), fpx.FORMAT.zone)
            runs = reconcile_recent_days(clock=partial(_same, at))
            found += [(hour, run.breaks_opened) for run in runs if run.day == DAY]
        return found

    assert night(1) == [(2, 0)]  # due at 06:00 in Vietnam, when it is 07:00 here
    assert night(2) == [(2, 1)]
    assert night(3) == []
    assert open_kinds() == [("MISSING_AT_PROVIDER", "", sale.reference)]


def test_a_day_that_could_not_be_fetched_all_night_is_fetched_the_next_night(own_sandbox: SandboxProcess) -> None:
    began = today()
    pay(open_shop(own_sandbox.url, "fpx"), own_sandbox.url, 10_000)
    own_sandbox.stop()
    nightly(began)
    assert Match.objects.count() == 0

    own_sandbox.start()
    nightly(began, hours=24)

    assert (Match.objects.count(), open_kinds()) == (1, [])


def test_what_is_wrong_with_one_account_or_one_source_does_not_keep_the_others(sandbox_url: str) -> None:
    began = today()
    ProviderAccountFactory(config={})  # it cannot even be asked, and comes before the other
    shop = open_shop(sandbox_url, "migs")
    pay(shop, sandbox_url, 10_000)
    broken = rule_set_live(provider="fpx", comparison="LEDGER", now=timezone.now())
    with rules_lifted("reconciliation_rule_set"):
        RuleSet.objects.filter(pk=broken.pk).update(rules=[{"by": "NOTHING"}], built_in=False)

    with capture_logs() as said:
        runs = nightly(began)

    assert {run.provider for run in runs} == {"migs"}
    assert Match.objects.count() == 1
    assert {(x["event"], x.get("provider")) for x in said if x["log_level"] == "error"} == {
        ("nightly.not_fetched", None),
        ("nightly.not_compared", "fpx"),
    }


def test_a_statement_that_came_while_the_night_went_on_is_compared_although_somebody_compared_since(
    sandbox_url: str,
) -> None:
    began = today()
    account = open_shop(sandbox_url, "fpx")
    pay(account, sandbox_url, 10_000)
    night = datetime.combine(began + timedelta(days=1), time(12), fpx.FORMAT.zone)
    reconcile_day(provider="fpx", live=False, day=began, actor=ACTOR, now=night + timedelta(minutes=5))
    clock = iter([night])

    runs = reconcile_recent_days(clock=lambda: next(clock, night + timedelta(minutes=10)))

    assert figures(runs, "lines_matched") == {"fpx": (1,)}
    assert Statement.objects.get().received_at == night + timedelta(minutes=10)


def test_a_statement_of_a_day_that_was_not_over_is_fetched_again(sandbox_url: str) -> None:
    account = open_shop(sandbox_url, "fpx")
    began = day_of(pay(account, sandbox_url, 10_000).created_at)
    command("reconcile", "--provider=fpx", f"--date={began}")
    pay(account, sandbox_url, 20_000)

    nightly(began)

    if today() == began:
        assert list(Statement.objects.order_by("received_at").values_list("line_count", "new_line_count")) == [
            (1, 1),
            (2, 1),
        ]
    assert Match.objects.count() == 2
    assert open_kinds() == []


def test_a_second_nightly_job_at_the_same_time_does_nothing() -> None:
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with only_one("nightly"):
            entered.set()
            leave.wait(timeout=30)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(timeout=30)

    assert nightly(today()) == []

    leave.set()
    thread.join()
    with only_one("nightly") as mine:
        assert mine


def test_reconcile_says_by_its_exit_status_how_it_went(own_sandbox: SandboxProcess) -> None:
    account = open_shop(own_sandbox.url, "fpx")
    sale = pay(account, own_sandbox.url, 10_000)
    day = day_of(sale.created_at)

    status, text = command("reconcile", "--provider=fpx", f"--date={day}")
    assert (status, f"fpx {day}: everything agrees." in text) == (0, True)

    conflict = pay(account, own_sandbox.url, 900)
    day = day_of(conflict.created_at)
    status, text = command("reconcile", "--provider=fpx", f"--date={day}")
    assert (status, text.splitlines()[-1]) == (1, f"1 open breaks on {day}: 1 AMOUNT_MISMATCH")
    assert conflict.reference in text
    assert "9.00 MYR" in text
    assert "10.00 MYR" in text

    own_sandbox.stop()
    status, text = command("reconcile", "--provider=fpx", f"--date={day}")
    assert (status, text.splitlines()[-1].startswith(f"{account}: The statement could not be fetched")) == (2, True)

    ProviderAccount.objects.update(is_active=False)
    assert command("reconcile", "--provider=fpx", f"--date={day}") == (2, "There is no active fpx account.")
    assert command("reconcile", "--provider=fpx", "--date=2999-01-01") == (2, "2999-01-01 has not begun at fpx.")
    assert Match.objects.get().operation_id == sale.pk


def test_import_statement_says_by_its_exit_status_how_it_went(tmp_path: Path, sandbox_url: str) -> None:
    account = open_shop(sandbox_url, "fpx")
    file = tmp_path / "statement.csv"
    file.write_bytes(fpx_file([Listed(account.account_key, "F1", "EPG1")]))
    options = ["--provider=fpx", f"--account={account.account_key}"]

    assert command("import_statement", str(file), *options, "--date=2026-03-01") == (
        2,
        f"Refused, nothing was applied ({Statement.objects.get().pk}).\nline 1: the file is of '2026-03-02', not of 2026-03-01",
    )
    status, text = command("import_statement", str(file), *options, "--date=2026-03-02")
    assert (status, "1 lines, 1 of them new." in text) == (0, True)
    status, text = command("import_statement", str(file), *options, "--date=2026-03-02")
    assert (status, "was imported before" in text) == (0, True)
    status, text = command("import_statement", str(tmp_path / "none"), *options, "--date=2026-03-02")
    assert (status, text) == (2, f"{tmp_path / 'none'} cannot be read: No such file or directory.")
    status, text = command("import_statement", str(file), "--provider=fpx", "--account=NONE", "--date=2026-03-02")
    assert (status, text) == (2, "There is no fpx account NONE.")
    assert (Statement.objects.count(), ReconciliationRun.objects.count()) == (1, 0)
