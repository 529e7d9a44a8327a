"""The fast way in is never laxer than the reader: what it takes, the reader takes too, line for line; what is odd it leaves to the reader."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciliation.models import StatementLine
from reconciliation.parsers import fpx, migs
from reconciliation.parsers.base import Line, RefusedFile
from reconciliation.parsers.table import TableReader, csv_rows
from reconciliation.services.staging import stage
from tests.factories import ProviderAccountFactory
from tests.reconciliation.given import DAY, NOON, Listed, fpx_file, imported, migs_file

LINES = [
    Listed("SE1", "F1", "EPG1"),
    Listed("SE1", "F2", "EPG2", minor=-2_500, fee=0, type="REFUND"),
    Listed("SE1", "F3", "EPG3", minor=99_999_999, at=NOON - timedelta(hours=12)),
]
PLAIN = fpx_file(LINES, account="SE1")


def staged(content: bytes, account_key: str | None = "SE1") -> bool:
    """Whether the fast way takes it; nothing of it stays."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = stage(
            cursor,
            io.BytesIO(content),
            fpx.FORMAT,
            day=DAY,
            account_key=account_key,
            progress=lambda done, size: None,
            size=len(content),
        )
        transaction.set_rollback(True)
    return found is not None


def read(content: bytes) -> bool:
    """Whether the reader takes it, every line of it."""
    try:
        items = list(TableReader(csv_rows(io.BytesIO(content)), fpx.FORMAT, day=DAY, account_key="SE1"))
    except RefusedFile:
        return False
    return all(isinstance(item, Line) for item in items)


@pytest.mark.django_db
def test_a_plain_file_is_taken() -> None:
    assert staged(PLAIN)
    assert staged(fpx_file(LINES), None)
    assert staged(fpx_file([], account="SE1"))


@pytest.mark.django_db
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(PLAIN) - 1), byte=st.sampled_from(b'0159-.,"+TZ:\n\r\\ aF\x00\xe9'), how=st.integers(0, 2))
def test_whatever_byte_is_changed_it_is_never_laxer_than_the_reader(at: int, byte: int, how: int) -> None:
    spoilt = bytearray(PLAIN)
    if how == 0:
        spoilt[at] = byte
    elif how == 1:
        spoilt.insert(at, byte)
    else:
        del spoilt[at]

    if staged(bytes(spoilt)):
        assert read(bytes(spoilt))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "spoilt",
    [
        PLAIN.replace(b"100.00", b"100.001", 1),
        PLAIN.replace(b"EPG2", b'"EPG2"'),
        PLAIN.replace(b"T,3,", b"T,4,"),
        PLAIN.replace(b"2026-03-02T12", b"2026-03-03T12", 1),
        PLAIN.replace(b"2026-03-02T12", b"2026-02-30T12", 1),
        PLAIN.replace(b"TEST0001", b"T\xe9ST0001", 1),
        PLAIN.replace(b"TEST0001", b"x" * 70_000, 1),  # longer than a line may be
        PLAIN.replace(b"REFUND", b"PAYMENT"),
        PLAIN.replace(b"SE1,F1", b"SE2,F1"),
        PLAIN + b"\n",
        PLAIN[:-1],
        b"\xef\xbb\xbf" + PLAIN,
    ],
)
def test_what_is_odd_is_left_to_the_reader(spoilt: bytes) -> None:
    assert spoilt != PLAIN
    taken_and_signed = staged(spoilt) and read(spoilt)
    assert not taken_and_signed


@pytest.mark.django_db
@pytest.mark.parametrize("refused_before", [False, True])
def test_what_only_the_database_finds_odd_is_read_line_by_line_as_if_nothing_had_been(refused_before: bool) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    negative = Listed("SE1", "F9", "EPG9", minor=-1)  # a payment of less than nothing, in sums that agree
    if refused_before:
        day_before = NOON - timedelta(days=1)
        assert imported(account, [*LINES, negative], now=day_before).state == "REFUSED"

    statement = imported(account, [*LINES, negative])

    assert (statement.state, statement.controls, statement.new_line_count) == ("IMPORTED", "WAITING", 3)
    assert [line.number for line in statement.quarantined_lines.all()] == [6]
    assert StatementLine.objects.count() == 3


@pytest.mark.django_db
def test_both_ways_keep_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = ProviderAccountFactory(account_key="SE1"), ProviderAccountFactory(account_key="SE2")
    imported(fast, LINES)
    monkeypatch.setattr("reconciliation.services.imports.stage", lambda *arguments, **more: None)
    imported(slow, [replace(line, account="SE2") for line in LINES])

    def rows(key: str) -> list[tuple[object, ...]]:
        return list(
            StatementLine.objects.filter(account_key=key)
            .order_by("id")
            .values_list(
                "number", "type", "provider_reference", "occurrence", "our_reference", "at", "currency",
                "amount_minor", "fee_minor", "net_minor", "status_code",
            )
        )  # fmt: skip

    assert rows("SE1") == rows("SE2")
    assert set(StatementLine.objects.values_list("provider_account", flat=True)) == {fast.pk, slow.pk}


@pytest.mark.django_db
def test_quoted_text_that_nobody_reads_is_no_oddity() -> None:
    content = migs_file([Listed("S", "1", "E1", type="PURCHASE", status="0")], account="S")
    with transaction.atomic(), connection.cursor() as cursor:
        found = stage(
            cursor, io.BytesIO(content), migs.FORMAT, day=DAY, account_key="S", progress=lambda a, b: None, size=1
        )
        transaction.set_rollback(True)
    assert found is not None
    assert found.totals.lines == 1
