"""Settling everybody: one book after the other; what is wrong with one does not keep the others waiting, and is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import structlog
from django.db import DatabaseError

from common.changes import Actor
from common.errors import CounterfoilError
from reconciliation.models import Settlement
from reconciliation.services.locks import only_one
from reconciliation.services.settle import Book, books, settle_book

log = structlog.get_logger(__name__)
NIGHTLY = Actor("system:settle")


def settle_books(
    todo: Sequence[Book],
    *,
    day: date,
    actor: Actor,
    now: datetime,
    progress: Callable[[Book], None] = lambda book: None,
) -> tuple[list[Settlement], list[str]]:
    """Settle each book up to `day`. Returns what was made, and a sentence for each book that could not be settled."""
    made: list[Settlement] = []
    problems = []
    for book in todo:
        try:
            made += settle_book(book, day=day, actor=actor, now=now)
        except (DatabaseError, CounterfoilError) as exc:
            log.exception("settlement.failed", book=str(book))
            problems.append(f"{book}: {exc}".strip().splitlines()[0])
        progress(book)
    return made, problems


def settle_yesterday(*, now: datetime) -> list[Settlement]:
    """The nightly job: each book up to the last day that has ended in its merchant's zone. None if another one is at it.

    It may run as often as the schedule likes: what is settled is left alone, what failed is tried again.
    """
    with only_one("settle") as mine:
        if not mine:
            log.info("settle.already_running")
            return []
        made = []
        for book in books():
            yesterday = now.astimezone(book.zone).date() - timedelta(days=1)
            made += settle_books([book], day=yesterday, actor=NIGHTLY, now=now)[0]
        return made
