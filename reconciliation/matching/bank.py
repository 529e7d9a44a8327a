"""The second comparison: bank lines and the remittances that providers owe us. Pure; some tens of items on each side, so no SQL is needed.

Rules are tried in their order. One claims only what fits best, alone: where two are as good, nobody guesses, and later rules do not
touch them either. A bank's reversal belongs with the entry that it takes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from reconciliation.matching.sums import both_sides, parts_of


@dataclass(frozen=True, slots=True)
class Arrived:
    """A bank line. `minor` is what was booked, signed; with `charges` it is what was sent. `text`: everything in which a reference may stand.

    `misfit`: of one that names a payout, why it does not prove it.
    """

    id: int
    account: str
    currency: str
    minor: int
    booked_on: date
    text: str = ""
    reference: str = ""
    reversal: bool = False
    charges: int = 0
    instructed_currency: str = ""
    instructed_minor: int | None = None
    misfit: str = ""

    @property
    def exchanged(self) -> bool:
        return bool(self.instructed_currency) and self.instructed_currency != self.currency

    def sent(self) -> tuple[str, int]:
        """Currency and amount as the other side sent them."""
        if self.exchanged and self.instructed_minor is not None:
            sign = -1 if self.minor < 0 else 1
            return self.instructed_currency, sign * abs(self.instructed_minor)
        return self.currency, self.minor + self.charges


@dataclass(frozen=True, slots=True)
class Owed:
    """A remittance. `minor` is its net, signed."""

    id: str
    provider: str
    account_key: str
    currency: str
    minor: int
    day: date
    due_on: date

    def named_by(self, line: Arrived) -> bool:
        """Whether the bank's text names it: its id, or the provider's account and the day."""
        if self.id in line.text:
            return True
        days = (f"{self.day:%Y-%m-%d}", f"{self.day:%Y%m%d}", f"{self.day:%d%m%Y}", f"{self.day:%y%m%d}")
        return _has_word(line.text, self.account_key) and any(text in line.text for text in days)


@dataclass(frozen=True, slots=True)
class BankRule:
    """A rule with its source's settings filled in."""

    by: str
    tolerance: int
    days: int


@dataclass(slots=True)
class Group:
    """Items that belong together. `difference`: what arrived less what was owed, in `currency`, let pass by the rule."""

    rule: str
    lines: list[Arrived]
    owed: list[Owed]
    currency: str
    difference: int = 0
    runner_up: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A break as it is now."""

    kind: str
    line: Arrived | None
    owed: Owed | None
    cause: str


@dataclass(slots=True)
class Outcome:
    groups: list[Group] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def compare_bank(
    lines: Iterable[Arrived],
    owed: Iterable[Owed],
    rules: Sequence[BankRule],
    *,
    is_late: Callable[[Owed], bool],
    settled: Iterable[Owed] = (),
    earlier: Iterable[Arrived] = (),
) -> Outcome:
    """What belongs together and what is left. `settled` and `earlier`: remittances and lines that are claimed already, to tell repeats."""
    work = _Work(
        sorted(lines, key=lambda x: (x.booked_on, x.id)), sorted(owed, key=lambda x: (x.due_on, x.id)), list(settled)
    )
    work.pair_reversals(list(earlier))
    work.set_payouts_apart()
    for rule in rules:
        {"REMITTANCE_REFERENCE": work.by_reference, "AMOUNT_AND_DATE": work.by_amount, "SUM_AND_DATE": work.by_sum}[
            rule.by
        ](rule)
    work.leave(is_late)
    return work.outcome


class _Work:
    """What is still open, and what became of the rest."""

    def __init__(self, lines: list[Arrived], owed: list[Owed], settled: list[Owed]) -> None:
        self.lines, self.owed, self.settled = lines, owed, settled
        self.outcome = Outcome()

    def claim(self, group: Group) -> None:
        self.outcome.groups.append(group)
        taken_lines, taken_owed = {x.id for x in group.lines}, {x.id for x in group.owed}
        self.lines = [x for x in self.lines if x.id not in taken_lines]
        self.owed = [x for x in self.owed if x.id not in taken_owed]
        self.settled += group.owed

    def find(self, kind: str, pairs: Sequence[tuple[Arrived | None, Owed | None]], cause: str) -> None:
        """These are breaks: no later rule touches them."""
        for line, remittance in pairs:
            self.outcome.findings.append(Finding(kind, line, remittance, cause))
        lines, owed = {x.id for x, _ in pairs if x}, {x.id for _, x in pairs if x}
        self.lines = [x for x in self.lines if x.id not in lines]
        self.owed = [x for x in self.owed if x.id not in owed]

    def pair_reversals(self, earlier: Sequence[Arrived]) -> None:
        """An entry and what takes it back, or what replaces one that was taken back."""
        for back in [x for x in self.lines if x.reversal]:
            if back not in self.lines:
                continue
            partners = [x for x in self.lines if x.id != back.id and _takes_back(back, x)]
            if len(partners) == 1:
                self.claim(Group("REMITTANCE_REFERENCE", [partners[0], back], [], back.currency))
            elif partners:
                cause = "The bank took an entry back, and more than one could be meant."
                self.find("AMBIGUOUS", [(back, None)], cause)
            elif any(_takes_back(back, x) for x in earlier):
                cause = "The bank took back an entry that is matched already: the money did not stay."
                self.find("MISSING_IN_BOOKS", [(back, None)], cause)

    def set_payouts_apart(self) -> None:
        """What names a payout is no remittance, however well it would fit."""
        for line in [x for x in self.lines if x.misfit]:
            self.find("MISSING_IN_BOOKS", [(line, None)], line.misfit)

    def by_reference(self, rule: BankRule) -> None:
        """Lines and remittances that name each other, taken together as far as they hang together."""
        for lines, owed in self._named():
            self._settle_named(lines, owed, rule)
        for line in list(self.lines):
            paid = [x for x in self.settled if x.named_by(line) and x.minor * line.minor > 0]
            if paid and not any(x.named_by(line) for x in self.owed):
                cause = "The bank booked it once more: the remittance that it names is matched already."
                self.find("DUPLICATE_LINE", [(line, paid[0])], cause)

    def _settle_named(self, lines: list[Arrived], owed: list[Owed], rule: BankRule) -> None:
        currencies = {x.sent()[0] for x in lines} | {x.currency for x in owed}
        if len(currencies) > 1:
            kind, cause = "CURRENCY_MISMATCH", "The bank booked another currency than the provider owes."
            self.find(kind, _each_with(lines, owed), cause)
            return
        total = sum(x.sent()[1] for x in lines) - sum(x.minor for x in owed)
        if abs(total) <= rule.tolerance:  # whatever the day: it is named
            self.claim(Group(rule.by, lines, owed, currencies.pop(), total))
            return
        for remittance in owed:  # those of the knot that agree one to one
            fits = [x for x in lines if x.sent()[1] == remittance.minor and remittance.named_by(x)]
            if fits:
                line = fits[0]
                self.claim(Group(rule.by, [line], [remittance], remittance.currency))
                lines, owed = [x for x in lines if x.id != line.id], [x for x in owed if x.id != remittance.id]
        if lines and owed:
            cause = "The bank booked another amount than the provider owes."
            self.find("AMOUNT_MISMATCH", _each_with(lines, owed), cause)

    def _named(self) -> list[tuple[list[Arrived], list[Owed]]]:
        """Connected parts of the graph "this line names that remittance", in the order of the lines."""
        names = {line.id: [x for x in self.owed if x.named_by(line)] for line in self.lines if not line.reversal}
        parts: list[tuple[list[Arrived], list[Owed]]] = []
        for line in self.lines:
            mine = names.get(line.id)
            if not mine:
                continue
            mine = [x for x in mine if x.currency == line.sent()[0]] or mine
            joined = [part for part in parts if any(x in part[1] for x in mine)]
            part: tuple[list[Arrived], list[Owed]] = ([], [])
            for old in joined:
                part[0].extend(old[0])
                part[1].extend(old[1])
                parts.remove(old)
            part[0].append(line)
            part[1].extend(x for x in mine if x not in part[1])
            parts.append(part)
        return parts

    def by_amount(self, rule: BankRule) -> None:
        """One line and one remittance that are each other's best, and nobody as good."""
        while True:
            scores = self._scores(rule)
            of_line, of_owed = _best_of(scores, 0), _best_of(scores, 1)
            pairs = [
                (line, remittance)
                for line, remittance in ((x, ys[0]) for x, ys in of_line.items() if len(ys) == 1)
                if of_owed[remittance] == [line]
            ]
            if not pairs:
                break
            lines, owed = {x.id: x for x in self.lines}, {x.id: x for x in self.owed}
            for line_id, owed_id in pairs:  # each other's best, so no two of them share an item
                line, remittance = lines[line_id], owed[owed_id]
                group = Group(rule.by, [line], [remittance], remittance.currency, line.sent()[1] - remittance.minor)
                group.runner_up = _runner_up(scores, line, remittance)
                self.claim(group)
        if not scores:
            return
        # Of what is left some have rivals that are as good. What shares an item with them waits too.
        lines, owed = {x.id: x for x in self.lines}, {x.id: x for x in self.owed}
        cause = "More than one fits as well as this one."
        self.find("AMBIGUOUS", [(lines[line], owed[remittance]) for line, remittance in scores], cause)

    def _scores(self, rule: BankRule) -> dict[tuple[int, str], tuple[int, int, int]]:
        """How well each possible pair fits, less is better: the account is named, the difference, the days apart."""
        scores = {}
        for line in self.lines:
            currency, minor = line.sent()
            for remittance in self.owed:
                off, apart = abs(minor - remittance.minor), _apart(line, remittance)
                if (
                    remittance.currency == currency
                    and off <= rule.tolerance
                    and apart <= rule.days
                    and not line.reversal
                ):
                    named = 0 if _has_word(line.text, remittance.account_key) else 1
                    scores[line.id, remittance.id] = (named, off, apart)
        return scores

    def by_sum(self, rule: BankRule) -> None:
        """Several remittances in one line, one remittance in several lines, several in several; of one account before of many."""
        for line in list(self.lines):
            pool = [x for x in self.owed if self._could(line, x, rule)]
            for narrower in (*_by_account(pool), pool):
                if self._take_sum([line], narrower, line.sent()[1], [x.minor for x in narrower], rule):
                    break
        for remittance in list(self.owed):
            lines = [x for x in self.lines if self._could(x, remittance, rule)]
            sent = [x.sent()[1] for x in lines]
            found = parts_of(remittance.minor, sent, slack=rule.tolerance)
            if len(found) == 1:
                chosen = [lines[i] for i in found[0]]
                total = sum(sent[i] for i in found[0])
                self.claim(Group(rule.by, chosen, [remittance], remittance.currency, total - remittance.minor))
            elif found:
                each = [(lines[i], remittance) for i in sorted({i for chosen in found for i in chosen})]
                self.find("AMBIGUOUS", each, "More than one set of lines comes to this remittance.")
        self._many_to_many(rule)

    def _take_sum(
        self, lines: list[Arrived], pool: list[Owed], target: int, amounts: list[int], rule: BankRule
    ) -> bool:
        found = parts_of(target, amounts, slack=rule.tolerance)
        if len(found) == 1:
            chosen = [pool[i] for i in found[0]]
            difference = target - sum(amounts[i] for i in found[0])
            self.claim(Group(rule.by, lines, chosen, chosen[0].currency, difference))
        elif found:
            both = sorted({i for chosen in found for i in chosen})
            cause = "More than one set of remittances comes to this line."
            self.find("AMBIGUOUS", [(lines[0], pool[i]) for i in both], cause)
        return bool(found)

    def _many_to_many(self, rule: BankRule) -> None:
        by_currency: dict[str, list[Arrived]] = defaultdict(list)
        for line in self.lines:
            if not line.reversal:
                by_currency[line.sent()[0]].append(line)
        for currency, lines in sorted(by_currency.items()):
            for owed in _by_account([x for x in self.owed if x.currency == currency]):
                near = [x for x in lines if any(_apart(x, y) <= rule.days for y in owed) and x in self.lines]
                found = both_sides([x.sent()[1] for x in near], [x.minor for x in owed], slack=rule.tolerance)
                if len(found) == 1:
                    group = [near[i] for i in found[0][0]], [owed[i] for i in found[0][1]]
                    total = sum(x.sent()[1] for x in group[0]) - sum(x.minor for x in group[1])
                    self.claim(Group(rule.by, *group, currency, total))

    def _could(self, line: Arrived, remittance: Owed, rule: BankRule) -> bool:
        currency, minor = line.sent()
        return (
            remittance.currency == currency
            and remittance.minor * minor > 0
            and _apart(line, remittance) <= rule.days
            and not line.reversal
        )

    def leave(self, is_late: Callable[[Owed], bool]) -> None:
        """What no rule has found anything for."""
        lines = [(line, None) for line in self.lines]
        self.find("MISSING_IN_BOOKS", lines, "The bank booked something that nobody has announced.")
        owed = [(None, x) for x in self.owed if is_late(x)]
        self.find("MISSING_AT_PROVIDER", owed, "The provider announced it, it is due, and the bank does not have it.")


def nearest_owed(line: Arrived, owed: Iterable[Owed]) -> list[dict[str, Any]]:
    """The three remittances that fit a line best although they do not fit."""
    currency, minor = line.sent()
    ranked = sorted(owed, key=lambda x: (x.currency != currency, abs(minor - x.minor), _apart(line, x), x.id))
    return [_near("remittance", "remittances", x.id, minor - x.minor, line, x) for x in ranked[:3]]


def nearest_lines(remittance: Owed, lines: Iterable[Arrived]) -> list[dict[str, Any]]:
    """The three bank lines that fit a remittance best although they do not fit."""
    ranked = sorted(
        lines,
        key=lambda x: (
            x.sent()[0] != remittance.currency,
            abs(x.sent()[1] - remittance.minor),
            _apart(x, remittance),
            x.id,
        ),
    )
    return [_near("bank_line", "bank_lines", x.id, x.sent()[1] - remittance.minor, x, remittance) for x in ranked[:3]]


def _near(item: str, plural: str, key: int | str, difference: int, line: Arrived, remittance: Owed) -> dict[str, Any]:
    same = line.sent()[0] == remittance.currency
    reasons = [
        *(() if remittance.named_by(line) else ("not named",)),
        *(() if same else ("another currency",)),
        *(("another amount",) if difference else ()),
        *((f"{_apart(line, remittance)} days from when it was due",) if _apart(line, remittance) else ()),
    ]
    return {
        "item": item,
        "id": str(key),
        "difference": difference if same else None,
        "why_not": "; ".join(reasons) or "another fits as well",
        "proposal": {"act": "break.match", "parameters": {plural: [key]}},
    }


def _apart(line: Arrived, remittance: Owed) -> int:
    return abs((line.booked_on - remittance.due_on).days)


def _has_word(text: str, word: str) -> bool:
    """Whether `word` stands in `text` and is not part of a longer word."""
    at = text.find(word)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(word) : at + len(word) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = text.find(word, at + 1)
    return False


def _takes_back(back: Arrived, entry: Arrived) -> bool:
    """Whether the reversal `back` could be of `entry`: the same account, the amount the other way round, and a text or reference in common."""
    if (back.account, back.currency, back.minor) != (entry.account, entry.currency, -entry.minor):
        return False
    return (
        (bool(entry.reference) and entry.reference in back.text)
        or (bool(entry.text.strip()) and entry.text.strip() in back.text)
        or back.text == entry.text
    )


def _best_of(scores: dict[tuple[int, str], tuple[int, int, int]], side: int) -> dict[Any, list[Any]]:
    """For each item of one side, those of the other that fit it best."""
    best: dict[Any, tuple[tuple[int, int, int], list[Any]]] = {}
    for pair, score in scores.items():
        mine, other = pair[side], pair[1 - side]
        if mine not in best or score < best[mine][0]:
            best[mine] = (score, [other])
        elif score == best[mine][0]:
            best[mine][1].append(other)
    return {mine: others for mine, (_, others) in best.items()}


def _runner_up(scores: dict[tuple[int, str], tuple[int, int, int]], line: Arrived, won: Owed) -> dict[str, Any] | None:
    others = sorted((score, owed) for (line_id, owed), score in scores.items() if line_id == line.id and owed != won.id)
    if not others:
        return None
    mine, (score, owed) = scores[line.id, won.id], others[0]
    lost = (
        "The bank's text names the account of the one that won."
        if score[0] > mine[0]
        else "Its amount is further away."
        if score[1] > mine[1]
        else "It is further away in time."
    )
    return {"remittance": owed, "lost_because": lost}


def _each_with(lines: Sequence[Arrived], owed: Sequence[Owed]) -> list[tuple[Arrived | None, Owed | None]]:
    """A break for each item, with its counterpart as far as there are enough."""
    longest = max(len(lines), len(owed))
    return [(lines[i] if i < len(lines) else None, owed[i] if i < len(owed) else None) for i in range(longest)]


def _by_account(owed: Iterable[Owed]) -> list[list[Owed]]:
    """The remittances of each account by themselves."""
    accounts: dict[tuple[str, str], list[Owed]] = defaultdict(list)
    for remittance in owed:
        accounts[remittance.provider, remittance.account_key].append(remittance)
    return [accounts[key] for key in sorted(accounts)]
