"""Rehearsing a draft of the bank's rules: the comparison is pure, so a day's items are compared again and nothing has to be undone.

What two people matched and what a payout's line proves stays out of it, as it would in a run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from reconciliation.matching.bank import BankRule, Outcome, compare_bank
from reconciliation.models import BankLine, BankMatch, Comparison, MatchGroup, Remittance, RuleSet, Source
from reconciliation.services.reconcile_bank import (
    arrived,
    arrived_open,
    bank_rules,
    claimed_lines,
    owed_of,
    settled_before,
)

Items = tuple[str, ...]


def bank_day_rehearsed(draft: RuleSet, *, live: bool, day: date) -> list[dict[str, Any]]:
    """For every line of the bank's day that has or would have a match: {"verdict", "day", "line", "now", "before", "why"}."""
    source = Source.objects.get(code=draft.provider)
    rules = bank_rules(source, draft.rules)
    lines = list(BankLine.objects.filter(provider=source.code, statement__live=live, statement__day=day).order_by("id"))
    rows = BankMatch.objects.filter(bank_line__in=lines).values_list("bank_line", "group")
    groups = MatchGroup.objects.filter(pk__in={group for _, group in rows}, comparison=Comparison.BANK)
    by_rule = {group.pk: group.rule for group in groups.filter(run__isnull=False)}
    for decided in BankMatch.objects.filter(group__in=list(by_rule), payout__isnull=False).values_list(
        "group", flat=True
    ):
        by_rule.pop(decided, None)
    group_of = dict(rows)
    tried = [line for line in lines if group_of.get(line.pk) is None or group_of[line.pk] in by_rule]
    before = _items_by_line(
        BankMatch.objects.filter(group__in=list(by_rule)).values_list("group", "bank_line", "remittance")
    )
    outcome = _compared(tried, list(by_rule), rules, source, live, day)
    now, rule_now = _of(outcome)
    found = []
    for line in tried:
        was, would = before.get(line.pk), now.get(line.pk)
        if was is None and would is None:
            continue
        verdict = "won" if was is None else "lost" if would is None else "same" if was == would else "changed"
        rule_before = by_rule.get(group_of.get(line.pk, ""), "nothing")
        why = _cause(outcome, line.pk) if would is None else f"By {rule_now[line.pk]}, before by {rule_before}"
        found.append(
            {
                "verdict": verdict,
                "day": day.isoformat(),
                "line": line.reference,
                "now": ", ".join(would) if would is not None else None,
                "before": ", ".join(was) if was is not None else None,
                "why": why,
            }
        )
    return found


def _compared(
    lines: Sequence[BankLine], groups: Sequence[str], rules: Sequence[BankRule], source: Source, live: bool, day: date
) -> Outcome:
    """The comparison of the day as it would be if what its runs matched were free again."""
    freed = BankMatch.objects.filter(group__in=groups, remittance__isnull=False).values("remittance")
    latest = max(rule.days for rule in rules)
    candidates = Remittance.objects.filter(live=live).exclude(net_minor=0)
    open_ = candidates.filter(bank_match=None) | candidates.filter(pk__in=freed)
    owed = [owed_of(x) for x in open_.order_by("id") if (x.due_on - day).days <= latest]
    free = {x.id for x in owed}
    tried = {line.pk for line in lines}
    return compare_bank(
        arrived_open(lines, live=live),
        owed,
        rules,
        is_late=lambda x: False,
        settled=[x for x in map(owed_of, settled_before(live, day)) if x.id not in free],
        earlier=[x for x in map(arrived, claimed_lines(source, live, day)) if x.id not in tried],
    )


def _of(outcome: Outcome) -> tuple[dict[int, Items], dict[int, str]]:
    rows = [
        (str(number), line, owed)
        for number, group in enumerate(outcome.groups)
        for line, owed in [(x.id, None) for x in group.lines] + [(None, x.id) for x in group.owed]
    ]
    rules = {line.id: group.rule for group in outcome.groups for line in group.lines}
    return _items_by_line(rows), rules


def _items_by_line(rows: Any) -> dict[int, Items]:
    """For each bank line what it belongs to: remittances, and other lines of its group as "line n"."""
    lines: Mapping[str, list[int]] = defaultdict(list)
    owed: Mapping[str, list[str]] = defaultdict(list)
    for group, line, remittance in rows:
        if line is not None:
            lines[group].append(line)
        if remittance is not None:
            owed[group].append(remittance)
    return {
        line: (*sorted(owed[group]), *(f"line {other}" for other in sorted(members) if other != line))
        for group, members in lines.items()
        for line in members
    }


def _cause(outcome: Outcome, line: int) -> str:
    of_line = (x for x in outcome.findings if x.line is not None and x.line.id == line)
    return next((f"{x.kind}: {x.cause}" for x in of_line), "")
