"""What the tests of a module are given, built once: each begins with it, and what a test changes is undone as always."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

T = TypeVar("T")


@contextmanager
def given_once(blocker: Any, build: Callable[[], T]) -> Iterator[T]:
    """`build()` in a transaction around those of the tests (pytest-django's `blocker` lets it). For fixtures of a module all of whose
    tests want it, and none of which commits."""
    whole = transaction.atomic()
    whole._from_testcase = True  # as inside a test, services may ask for a transaction of their own
    with blocker.unblock(), whole:
        try:
            made = build()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            with blocker.block():
                yield made
        finally:
            transaction.set_rollback(True)
