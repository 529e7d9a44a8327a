"""One at a time: named advisory locks of the database, and patience for work that takes whole files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_PATIENCE = (
    "15min"  # for a statement, a lock and the pause between two statements: a large file outlasts the web's limits
)


def patient() -> None:
    """Lift the time limits that are meant for requests, until the transaction ends."""
    with connection.cursor() as cursor:
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {limit} = '{_PATIENCE}'")


def hold(name: str) -> None:
    """Wait for the lock called `name` and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Whether we are the only one in this block; held by the connection, so that transactions may come and go inside."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
