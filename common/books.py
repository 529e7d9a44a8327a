"""Checks of the books: each is a small named function over the live database that reads, and says what is wrong.

An app registers its own in `<app>/services/verify` with `@check`; `manage.py verify_books` finds and runs them all, in one snapshot, so
that a payment in the middle of being written is seen whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants to know: as of when, and how long a fact may wait to be published."""

    now: datetime
    unpublished_for: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Found:
    """How many things were looked at, and a sentence for each violation (the first ten)."""

    examined: int
    violations: Sequence[str]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that has to hold: its name, the rule as a sentence, and the function that looks."""

    name: str
    rule: str
    look: Callable[[Asked], Found]


_CHECKS: dict[str, Check] = {}


def check(look: Callable[[Asked], Found]) -> Callable[[Asked], Found]:
    """Register a check under the function's name; its docstring is the rule."""
    _CHECKS[look.__name__] = Check(look.__name__, (look.__doc__ or "").strip(), look)
    return look


def all_checks() -> list[Check]:
    """Every check of every app, in the order of the apps."""
    autodiscover_modules("services.verify")
    return list(_CHECKS.values())


def query(*, examined: str, violations: str, **parameters: Any) -> Found:
    """Ask with two statements: one that counts what is looked at, one whose rows are sentences about what is wrong."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {examined}", parameters)  # noqa: S608 -- both are constants of a check
        count: int = cursor.fetchone()[0]
        cursor.execute(f"SELECT * FROM ({violations}) violation LIMIT {_SHOWN}", parameters)  # noqa: S608
        return Found(count, [row[0] for row in cursor.fetchall()])


def verify(asked: Asked) -> Iterator[tuple[Check, Found]]:
    """Run all checks, one after the other, on one snapshot (inside a transaction of the caller: on that one's)."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            if len(connection.savepoint_ids) == 0:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = '15min'")
        for each in all_checks():
            yield each, each.look(asked)
