"""manage.py settle and the nightly job: exit statuses for a scheduler, one bad merchant harms no other, and a second run finds nothing."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from merchants.models import Merchant
from reconciliation.models import Settlement
from reconciliation.services.settle_all import settle_yesterday
from tests.factories import NOW, captured_transaction
from tests.reconciliation.test_settle import AFTER, DAY, priced

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    out = io.StringIO()
    try:
        call_command("settle", *arguments, stdout=out)
    except CommandError as exc:
        return exc.returncode, out.getvalue() + str(exc)
    return 0, out.getvalue()


def test_settled_and_then_nothing_more() -> None:
    account = priced()
    captured_transaction(account)

    status, said = run("--date", DAY.isoformat())

    settlement = Settlement.objects.get()
    assert status == 0
    assert settlement.pk in said
    assert "98.30 MYR" in said
    assert "1 settlements of 1 accounts" in said
    assert run("--date", DAY.isoformat()) == (0, "2026-03-02: 0 settlements of 1 accounts.\n")
    assert Settlement.objects.count() == 1


def test_one_merchant_alone() -> None:
    one, other = priced(), priced()
    captured_transaction(one)
    captured_transaction(other)

    assert run("--date", DAY.isoformat(), "--merchant", one.merchant.code)[0] == 0

    assert Settlement.objects.get().merchant == one.merchant


def test_nothing_to_settle_is_fine() -> None:
    assert run("--date", DAY.isoformat()) == (0, "2026-03-02: 0 settlements of 0 accounts.\n")


@pytest.mark.parametrize("arguments", [("--date", "2999-01-01"), ("--date", "2026-03-02", "--merchant", "NOBODY")])
def test_bad_arguments(arguments: tuple[str, ...]) -> None:
    captured_transaction(priced())

    assert run(*arguments)[0] == 2

    assert not Settlement.objects.exists()


def test_what_cannot_be_settled_is_named_and_harms_no_other() -> None:
    bad, good = priced(), priced()
    for account in (bad, good):
        captured_transaction(account)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE settlement ADD CONSTRAINT planted CHECK (merchant_id <> '{bad.merchant_id}')")

    status, said = run("--date", DAY.isoformat())

    assert status == 1
    assert f"{bad.merchant.code} test MYR" in said
    assert Settlement.objects.get().merchant == good.merchant
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE settlement DROP CONSTRAINT planted")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert run("--date", DAY.isoformat())[0] == 0
    assert Settlement.objects.count() == 2


def test_the_nightly_job_settles_each_merchants_own_yesterday() -> None:
    here, there = priced(), priced()
    Merchant.objects.filter(pk=there.merchant_id).update(time_zone="America/New_York")
    captured_transaction(here)
    captured_transaction(there, now=NOW + timedelta(hours=2))  # 06:00 UTC: the small hours of 2 March in New York

    assert [each.merchant for each in settle_yesterday(now=AFTER)] == [here.merchant]
    assert settle_yesterday(now=AFTER) == []
    made = settle_yesterday(now=datetime(2026, 3, 3, 5, 30, tzinfo=UTC))

    assert [(each.merchant, each.day) for each in made] == [(there.merchant, DAY)]
