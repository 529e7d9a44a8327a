"""Statements of an account that follow one another, the next opening with what the last closed with, are not two files of the same entries.

A bank may make several statements of one day, number its entries anew in each, or give them no reference at all: then an entry of the one looks
like an entry of the other and is not. A longer file of the same statement opens as it does, and one of more days on an earlier day: their
entries are the same. Where nothing tells, they are taken for the same; `verify_books` compares what came of it with the balances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple

from reconciliation.models import BankBalance, Statement, StatementState


class Span(NamedTuple):
    """From the moment of the opening balance to that of the closing one."""

    opened_on: date
    opening_minor: int
    closed_on: date
    closing_minor: int

    def follows(self, other: Span) -> bool:
        return self[:2] == other[2:] and self[:2] != other[:2]


def other_statements(statement: Statement, spans: Iterable[tuple[str, Span]]) -> list[tuple[str, str]]:
    """(statement id, account) of the files that share a day with the (account, span) of this one and none of its entries."""
    mine: dict[str, set[Span]] = defaultdict(set)
    for account, span in spans:
        mine[account].add(span)
    found = []
    for account, own in mine.items():
        files: dict[str, set[Span]] = defaultdict(set)
        known = BankBalance.objects.filter(
            account_key=account,
            statement__provider=statement.provider,
            statement__live=statement.live,
            statement__state=StatementState.IMPORTED,
            opened_on__lte=max(span.closed_on for span in own),
            closed_on__gte=min(span.opened_on for span in own),
        ).exclude(statement=statement.pk)
        for file, *span in known.values_list("statement", *Span._fields):
            files[file].add(Span(*span))
        apart = _reached(own, set().union(*files.values()))
        found += [(file, account) for file, theirs in files.items() if theirs <= apart]
    return found


def _reached(own: set[Span], known: set[Span]) -> set[Span]:
    """Those of `known` that come after or before all of `own` in a row of statements that follow one another."""
    opening, closing = defaultdict[Any, list[Span]](list), defaultdict[Any, list[Span]](list)
    for span in known:
        opening[span[:2]].append(span)
        closing[span[2:]].append(span)
    reached = known
    for span in own:
        after = _row(span, lambda x: [y for y in opening[x[2:]] if y.follows(x)])
        before = _row(span, lambda x: [y for y in closing[x[:2]] if x.follows(y)])
        reached = reached & (after | before)
    return reached


def _row(span: Span, step: Callable[[Span], list[Span]]) -> set[Span]:
    found, left = set[Span](), [span]
    while left:
        new = set(step(left.pop())) - found - {span}
        found |= new
        left += new
    return found
