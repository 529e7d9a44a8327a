"""The second comparison on paper: which lines and remittances belong together, and what is left, case by case and in general."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.matching.bank import Arrived, BankRule, Outcome, Owed, compare_bank
from reconciliation.matching.sums import both_sides, parts_of

DAY = date(2026, 3, 2)
RULES = [
    BankRule("REMITTANCE_REFERENCE", 0, 3),
    BankRule("AMOUNT_AND_DATE", 0, 3),
    BankRule("SUM_AND_DATE", 0, 3),
]


def line(number: int, minor: int, text: str = "", **more: Any) -> Arrived:
    given = {"account": "bank/1", "currency": "MYR", "booked_on": DAY + timedelta(days=1), "reference": f"B{number}"}
    return Arrived(id=number, minor=minor, text=text, **(given | more))


def owed(name: str, minor: int, *, days: int = 0, account: str = "SE1", **more: Any) -> Owed:
    day = DAY + timedelta(days=days)
    given = {"provider": "fpx", "currency": "MYR", "due_on": day + timedelta(days=1)}
    return Owed(id=name, account_key=account, minor=minor, day=day, **(given | more))


def named(remittance: Owed) -> str:
    return f"PAYOUT {remittance.account_key} {remittance.day}"


def compared(lines: list[Arrived], remittances: list[Owed], rules: list[BankRule] = RULES, **more: Any) -> Outcome:
    return compare_bank(lines, remittances, rules, is_late=lambda x: True, **more)


def told(outcome: Outcome) -> tuple[list[Any], list[Any]]:
    """Groups as (rule, lines, remittances, difference) and findings as (kind, line, remittance), sorted."""
    groups = sorted((g.rule, [x.id for x in g.lines], [x.id for x in g.owed], g.difference) for g in outcome.groups)
    findings = sorted((f.kind, f.line.id if f.line else 0, f.owed.id if f.owed else "") for f in outcome.findings)
    return groups, findings


FRIDAY, SATURDAY, SUNDAY = (
    owed(name, minor, days=n) for n, (name, minor) in enumerate([("r1", 100), ("r2", 250), ("r3", 475)])
)
BY_NAME, BY_AMOUNT, BY_SUM = "REMITTANCE_REFERENCE", "AMOUNT_AND_DATE", "SUM_AND_DATE"
CASES: dict[str, tuple[list[Arrived], list[Owed], list[Any], list[Any]]] = {
    "named": ([line(1, 100, named(FRIDAY))], [FRIDAY], [(BY_NAME, [1], ["r1"], 0)], []),
    "named, three weeks late": (
        [line(1, 100, named(FRIDAY), booked_on=DAY + timedelta(days=21))], [FRIDAY], [(BY_NAME, [1], ["r1"], 0)], [],
    ),
    "a weekend in one line, named": (
        [line(1, 825, f"{named(FRIDAY)} {SATURDAY.day} {SUNDAY.day}")], [FRIDAY, SATURDAY, SUNDAY],
        [(BY_NAME, [1], ["r1", "r2", "r3"], 0)], [],
    ),
    "one remittance in two lines, named": (
        [line(1, 60, named(FRIDAY)), line(2, 40, named(FRIDAY))], [FRIDAY], [(BY_NAME, [1, 2], ["r1"], 0)], [],
    ),
    "the bank kept charges": ([line(1, 97, named(FRIDAY), charges=3)], [FRIDAY], [(BY_NAME, [1], ["r1"], 0)], []),
    "exchanged": (
        [line(1, 470, named(FRIDAY), instructed_currency="USD", instructed_minor=100)], [replace(FRIDAY, currency="USD")],
        [(BY_NAME, [1], ["r1"], 0)], [],
    ),
    "not named, the amount fits": ([line(1, 100)], [FRIDAY, SATURDAY], [(BY_AMOUNT, [1], ["r1"], 0)],
                                   [("MISSING_AT_PROVIDER", 0, "r2")]),
    "of two equal ones the nearer": (
        [line(1, 100)], [FRIDAY, replace(FRIDAY, id="r9", due_on=DAY + timedelta(days=3))],
        [(BY_AMOUNT, [1], ["r1"], 0)], [("MISSING_AT_PROVIDER", 0, "r9")],
    ),
    "of two equal ones the one whose account is named": (
        [line(1, 100, "FROM SE2")], [FRIDAY, replace(FRIDAY, id="r9", account_key="SE2")],
        [(BY_AMOUNT, [1], ["r9"], 0)], [("MISSING_AT_PROVIDER", 0, "r1")],
    ),
    "two that fit as well": (
        [line(1, 100)], [FRIDAY, replace(FRIDAY, id="r9", account_key="SE2")],
        [], [("AMBIGUOUS", 1, "r1"), ("AMBIGUOUS", 1, "r9")],
    ),
    "a weekend in one line": ([line(1, 825)], [FRIDAY, SATURDAY, SUNDAY], [(BY_SUM, [1], ["r1", "r2", "r3"], 0)], []),
    "one remittance in three lines": (
        [line(1, 60), line(2, 30), line(3, 10)], [FRIDAY], [(BY_SUM, [1, 2, 3], ["r1"], 0)], [],
    ),
    "two in two": ([line(1, 300), line(2, 50)], [FRIDAY, SATURDAY], [(BY_SUM, [1, 2], ["r1", "r2"], 0)], []),
    "two sums that fit as well": (
        [line(1, 300)], [owed("a", 100), owed("b", 200), owed("c", 140), owed("d", 160)],
        [], [("AMBIGUOUS", 1, "a"), ("AMBIGUOUS", 1, "b"), ("AMBIGUOUS", 1, "c"), ("AMBIGUOUS", 1, "d")],
    ),
    "another amount": ([line(1, 99, named(FRIDAY))], [FRIDAY], [], [("AMOUNT_MISMATCH", 1, "r1")]),
    "another currency": (
        [line(1, 100, named(FRIDAY), currency="SGD")], [FRIDAY], [], [("CURRENCY_MISMATCH", 1, "r1")],
    ),
    "booked twice": (
        [line(1, 100, named(FRIDAY)), line(2, 100, named(FRIDAY))], [FRIDAY],
        [(BY_NAME, [1], ["r1"], 0)], [("DUPLICATE_LINE", 2, "r1")],
    ),
    "nobody expects it": ([line(1, 77)], [], [], [("MISSING_IN_BOOKS", 1, "")]),
    "it did not come": ([], [FRIDAY], [], [("MISSING_AT_PROVIDER", 0, "r1")]),
    "taken back at once": (
        [line(1, 100, "X"), line(2, -100, "X", reversal=True)], [], [(BY_NAME, [1, 2], [], 0)], [],
    ),
    "the account is part of a longer word": (
        [line(1, 99, "PAYOUT SE12 2026-03-02")], [FRIDAY], [], [("MISSING_AT_PROVIDER", 0, "r1"), ("MISSING_IN_BOOKS", 1, "")],
    ),
    "two currencies of one day, each named": (
        [line(1, 100, named(FRIDAY)), line(2, 9, named(FRIDAY), currency="USD")],
        [FRIDAY, replace(FRIDAY, id="r2", currency="USD", minor=9)],
        [(BY_NAME, [1], ["r1"], 0), (BY_NAME, [2], ["r2"], 0)], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: tuple[list[Arrived], list[Owed], list[Any], list[Any]]) -> None:
    lines, remittances, groups, findings = case

    assert told(compared(lines, remittances)) == (groups, findings)
    assert told(compared(lines[::-1], remittances[::-1])) == (groups, findings)


def test_a_tolerated_rest_is_a_difference_and_one_more_is_a_break() -> None:
    rules = [BankRule(BY_NAME, 2, 3)]

    assert told(compared([line(1, 98, named(FRIDAY))], [FRIDAY], rules)) == ([(BY_NAME, [1], ["r1"], -2)], [])
    assert told(compared([line(1, 97, named(FRIDAY))], [FRIDAY], rules)) == ([], [("AMOUNT_MISMATCH", 1, "r1")])


def test_why_the_other_lost_is_said() -> None:
    outcome = compared([line(1, 100, "FROM SE2")], [FRIDAY, replace(FRIDAY, id="r9", account_key="SE2")])

    assert outcome.groups[0].runner_up == {
        "remittance": "r1",
        "lost_because": "The bank's text names the account of the one that won.",
    }


def test_what_is_not_due_is_expected() -> None:
    outcome = compare_bank([], [FRIDAY, SATURDAY], RULES, is_late=lambda x: x.id == "r1")

    assert told(outcome) == ([], [("MISSING_AT_PROVIDER", 0, "r1")])


def test_what_was_matched_before_is_known_when_it_comes_again_or_is_taken_back() -> None:
    before = line(1, 100, named(FRIDAY))
    again, back = line(2, 100, named(FRIDAY)), replace(before, id=3, minor=-100, reversal=True)

    outcome = compared([again, back], [], settled=[FRIDAY], earlier=[before])

    # The bank takes the one entry back and books another: they cancel each other out.
    assert told(outcome) == ([(BY_NAME, [2, 3], [], 0)], [])
    assert told(compared([again], [], settled=[FRIDAY]))[1] == [("DUPLICATE_LINE", 2, "r1")]
    assert told(compared([back], [], earlier=[before]))[1] == [("MISSING_IN_BOOKS", 3, "")]


AMOUNTS = st.lists(st.integers(1, 60), min_size=0, max_size=7)


@given(theirs=AMOUNTS, ours=AMOUNTS, names=st.lists(st.integers(0, 7), max_size=7), tolerance=st.integers(0, 2))
def test_every_item_is_in_one_place_and_every_group_adds_up(
    theirs: list[int], ours: list[int], names: list[int], tolerance: int
) -> None:
    remittances = [owed(f"r{n}", minor, days=n % 4, account=f"SE{n % 2}") for n, minor in enumerate(ours)]
    lines = [
        line(n, minor, named(remittances[names[n]]) if n < len(names) and names[n] < len(remittances) else "")
        for n, minor in enumerate(theirs)
    ]
    rules = [replace(rule, tolerance=tolerance) for rule in RULES]

    outcome = compared(lines, remittances, rules)

    claimed = Counter([x.id for g in outcome.groups for x in g.lines] + [x.id for g in outcome.groups for x in g.owed])
    assert set(claimed.values()) <= {1}
    found = {f.line.id for f in outcome.findings if f.line} | {f.owed.id for f in outcome.findings if f.owed}
    single = {f.line.id for f in outcome.findings if f.line and f.kind != "DUPLICATE_LINE"}
    assert not set(claimed) & single
    assert set(claimed) | found == {x.id for x in lines} | {x.id for x in remittances}
    for group in outcome.groups:
        assert sum(x.minor for x in group.lines) - sum(x.minor for x in group.owed) == group.difference
        assert abs(group.difference) <= tolerance
    assert told(compared(lines[::-1], remittances[::-1], rules)) == told(outcome)


@given(amounts=st.lists(st.integers(-50, 50), max_size=9), chosen=st.sets(st.integers(0, 8), min_size=2, max_size=4))
def test_a_sum_that_is_there_is_found(amounts: list[int], chosen: set[int]) -> None:
    positions = sorted(i for i in chosen if i < len(amounts))
    if len(positions) < 2:
        return
    found = parts_of(sum(amounts[i] for i in positions), amounts)

    assert found
    assert all(sum(amounts[i] for i in parts) == sum(amounts[i] for i in positions) for parts in found)
    assert len(found[0]) <= len(positions)


def test_too_many_to_be_evidence() -> None:
    assert parts_of(3, [1, 2] * 13) == []
    assert both_sides([1] * 13, [1] * 13) == []
    assert both_sides([3, 4], [5, 2]) == [((0, 1), (0, 1))]
