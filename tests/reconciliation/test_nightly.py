"""The nightly job and the commands against the real sandbox: real payments, real statements."""

from __future__ import annotations

import io
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from common.books import Asked, verify
from merchants.models import ProviderAccount
from payments.services.operations import operation_look_up
from reconciliation.models import Break, Match, ReconciliationRun, Statement
from reconciliation.parsers import fpx
from reconciliation.services.locks import only_one
from reconciliation.services.nightly import reconcile_yesterday
from tests.reconciliation.given import Listed, fpx_file, open_kinds
from tests.reconciliation.sandbox_day import open_shop, pay, refund
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


def today() -> str:
    return timezone.now().astimezone(fpx.FORMAT.zone).date().isoformat()


def command(name: str, *arguments: str) -> tuple[int, str]:
    """The exit status, and what a person reads."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as exc:
        return exc.returncode, f"{out.getvalue()}{exc}"
    return 0, out.getvalue()


def test_a_day_of_both_providers(sandbox_url: str) -> None:
    banks, cards = open_shop(sandbox_url, "fpx"), open_shop(sandbox_url, "migs")
    good = [pay(banks, sandbox_url, 10_000), pay(cards, sandbox_url, 33_333), pay(banks, sandbox_url, 100)]
    good += [refund(good[0], 2_500), refund(good[0], 7_500), refund(good[1], 1)]
    pay(banks, sandbox_url, 10_000, decision="decline")
    pay(cards, sandbox_url, 10_000, decision="decline")
    pay(cards, sandbox_url, 10_000, decision="leave", told=False)
    conflicts = [pay(banks, sandbox_url, 900), pay(cards, sandbox_url, 900)]
    untold = pay(cards, sandbox_url, 5_000, told=False)

    runs = reconcile_yesterday(now=tomorrow())

    assert [x.state for x in conflicts] == ["CONFLICTED", "CONFLICTED"]
    assert set(Match.objects.values_list("operation", flat=True)) == {x.pk for x in good}
    assert sorted((kind, ours) for kind, _, ours in open_kinds()) == sorted(
        [("AMOUNT_MISMATCH", x.reference) for x in conflicts] + [("STATUS_MISMATCH", untold.reference)]
    )
    assert {(x.our_minor, x.their_minor) for x in Break.objects.filter(kind="AMOUNT_MISMATCH")} == {(900, 1_000)}
    assert {run.provider: (run.lines, run.lines_matched, run.lines_broken) for run in runs} == {
        "fpx": (5, 4, 1),
        "migs": (4, 2, 2),
    }
    assert {run.operations_broken for run in runs} == {1}

    operation_look_up(operation_id=untold.pk, now=timezone.now())
    command("reconcile", "--provider=migs", f"--date={today()}", "--no-fetch")

    assert [kind for kind, _, _ in open_kinds()] == ["AMOUNT_MISMATCH"] * 2
    assert [violation for _, found in verify(Asked(now=timezone.now())) for violation in found.violations] == []


def test_it_goes_on_where_it_was_and_then_does_nothing(own_sandbox: SandboxProcess) -> None:
    account = open_shop(own_sandbox.url, "fpx")
    pay(account, own_sandbox.url, 10_000)
    own_sandbox.stop()

    first = reconcile_yesterday(now=tomorrow())

    assert (Statement.objects.count(), [run.lines for run in first]) == (0, [0])

    own_sandbox.start()
    second = reconcile_yesterday(now=tomorrow() + timedelta(hours=1))
    own_sandbox.stop()
    third = reconcile_yesterday(now=tomorrow() + timedelta(hours=2))

    assert [(run.lines, run.lines_matched) for run in second] == [(1, 1)]
    assert third == []
    assert (Statement.objects.count(), Match.objects.count()) == (1, 1)


def test_a_statement_of_a_day_that_was_not_over_is_fetched_again(sandbox_url: str) -> None:
    account = open_shop(sandbox_url, "fpx")
    pay(account, sandbox_url, 10_000)
    command("reconcile", "--provider=fpx", f"--date={today()}")
    pay(account, sandbox_url, 20_000)

    reconcile_yesterday(now=tomorrow())

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

    assert reconcile_yesterday(now=tomorrow()) == []

    leave.set()
    thread.join()
    with only_one("nightly") as mine:
        assert mine


def test_reconcile_says_by_its_exit_status_how_it_went(own_sandbox: SandboxProcess) -> None:
    account = open_shop(own_sandbox.url, "fpx")
    sale = pay(account, own_sandbox.url, 10_000)

    status, text = command("reconcile", "--provider=fpx", f"--date={today()}")
    assert (status, f"fpx {today()}: everything agrees." in text) == (0, True)

    conflict = pay(account, own_sandbox.url, 900)
    status, text = command("reconcile", "--provider=fpx", f"--date={today()}")
    assert (status, text.splitlines()[-1]) == (1, f"1 open breaks on {today()}: 1 AMOUNT_MISMATCH")
    assert conflict.reference in text
    assert "9.00 MYR" in text
    assert "10.00 MYR" in text

    own_sandbox.stop()
    status, text = command("reconcile", "--provider=fpx", f"--date={today()}")
    assert (status, text.splitlines()[-1].startswith(f"{account}: The statement could not be fetched")) == (2, True)

    ProviderAccount.objects.update(is_active=False)
    assert command("reconcile", "--provider=fpx", f"--date={today()}") == (2, "There is no active fpx account.")
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
