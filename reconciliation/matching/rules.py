"""The rules of matching, as data: by what items belong together, what has to agree, and what the probable cause is when it does not.

A rule set (reconciliation_rule_set) holds its rules as JSON; `rules_of` reads it and refuses what is not listed here, and only this module
and its neighbours turn rules into SQL, so no text of a row ever becomes part of a statement. The conditions are SQL over `l`
(statement_line), `o` (operation) and `p` (payment), because the database decides for a whole day at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from reconciliation.matching.booked import COMPARED, COMPARED_CURRENCY, DECIDED, UNDECIDED
from reconciliation.models import BreakKind, Comparison, MatchRule

BY: dict[str, tuple[MatchRule, ...]] = {
    Comparison.LEDGER: (
        MatchRule.REFERENCE,
        MatchRule.PROVIDER_REFERENCE,
        MatchRule.AMOUNT_AND_DATE,
        MatchRule.SUM_AND_DATE,
    ),
    Comparison.BANK: (MatchRule.REMITTANCE_REFERENCE, MatchRule.AMOUNT_AND_DATE, MatchRule.SUM_AND_DATE),
}
AGREE: dict[
    str, tuple[str, ...]
] = {  # what a rule may ask for besides account, direction, currency, amount and outcome
    Comparison.LEDGER: ("status_code", "fee"),
    Comparison.BANK: (),
}
MAX_DAYS = 30


class InvalidRules(ValueError):
    """The rules are not what this version of the product understands; the text says which one and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to find what belongs together. `amount_minor`: a difference that is let pass and booked. `days`: how far apart at most.

    None: as the source's settings say (bank), or none at all (ledger).
    """

    by: MatchRule
    amount_minor: int | None = None
    days: int | None = None
    agree: frozenset[str] = frozenset()


def rules_of(comparison: str, data: Any) -> tuple[Rule, ...]:
    """Read the rules of a rule set. Raises InvalidRules."""
    if not isinstance(data, list) or not data:
        raise InvalidRules("There has to be at least one rule.")
    rules = tuple(_rule(number, comparison, item) for number, item in enumerate(data, start=1))
    if len({rule.by for rule in rules}) < len(rules):
        raise InvalidRules("Each way of matching can be there once.")
    return rules


def _rule(number: int, comparison: str, item: Any) -> Rule:
    if not isinstance(item, dict) or not set(item) <= {"by", "amount_minor", "days", "agree"}:
        raise InvalidRules(f"Rule {number}: by, amount_minor, days and agree are what there is.")
    if item.get("by") not in BY[comparison]:
        raise InvalidRules(f"Rule {number}: {item.get('by')!r} is not a way of matching here.")
    agree = item.get("agree", [])
    if not isinstance(agree, list) or not set(agree) <= set(AGREE[comparison]):
        raise InvalidRules(f"Rule {number}: agree takes {', '.join(AGREE[comparison]) or 'nothing here'}.")
    return Rule(
        MatchRule(item["by"]),
        _whole(number, "amount_minor", item.get("amount_minor"), 10**9),
        _whole(number, "days", item.get("days"), MAX_DAYS),
        frozenset(agree),
    )


def _whole(number: int, name: str, value: Any, most: int) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= most):
        raise InvalidRules(f"Rule {number}: {name} is a whole number from 0 to {most}, or nothing.")
    return value


_EXACT = ["status_code", "fee"]
BUILT_IN: dict[str, list[dict[str, Any]]] = {
    Comparison.LEDGER: [
        {"by": "REFERENCE", "amount_minor": 0, "days": None, "agree": _EXACT},
        {"by": "PROVIDER_REFERENCE", "amount_minor": 0, "days": None, "agree": _EXACT},
        {"by": "SUM_AND_DATE", "amount_minor": 0, "days": None, "agree": _EXACT},
    ],
    Comparison.BANK: [
        {"by": "REMITTANCE_REFERENCE", "amount_minor": None, "days": None, "agree": []},
        {"by": "AMOUNT_AND_DATE", "amount_minor": None, "days": None, "agree": []},
        {"by": "SUM_AND_DATE", "amount_minor": 0, "days": None, "agree": []},
    ],
}


@dataclass(frozen=True, slots=True)
class Check:
    """`when` it holds of a pair or an orphan, there is a break of this kind, and `cause` is the sentence for people (an apostrophe-free literal).

    `name` is what a rule's `agree` lists; without one it is always asked.
    """

    kind: BreakKind
    when: str
    cause: str
    name: str = ""


OUR_AMOUNT = f"(CASE WHEN l.type = 'REFUND' THEN -1 ELSE 1 END * {COMPARED})"
OUR_CURRENCY = COMPARED_CURRENCY
DIFFERENCE = f"(l.amount_minor - {OUR_AMOUNT})"

# Half up to the minor unit, like payments.ledger.recipes.fee_of; refunds carry no fee.
AGREED_FEE = """CASE WHEN l.type = 'REFUND' THEN 0
    ELSE (l.amount_minor * %(basis_points)s * 2 + 10000) / 20000
         + CASE WHEN p.business_banking THEN %(fixed_business)s ELSE %(fixed)s END
    END"""

STATUS_CODE = "status_code"
AMOUNT = "amount"
PAIR_CHECKS: tuple[Check, ...] = (
    Check(
        BreakKind.STATUS_MISMATCH,
        "%(approved)s <> '' AND l.status_code <> %(approved)s",
        "The statement lists it with a code that does not mean approved.",
        STATUS_CODE,
    ),
    Check(
        BreakKind.CURRENCY_MISMATCH,
        f"l.currency <> {OUR_CURRENCY}",
        "The provider moved it in another currency than was asked.",
    ),
    Check(
        BreakKind.STATUS_MISMATCH,
        "o.state IN ('QUEUED', 'SENT', 'PENDING', 'UNKNOWN')",
        "The provider carried it out and its answer has not reached us: look it up.",
    ),
    Check(
        BreakKind.STATUS_MISMATCH,
        f"o.state IN ('DECLINED', 'EXPIRED') AND NOT {DECIDED}",
        "The provider carried it out after it had ended for us: refund it or accept it late.",
    ),
    Check(
        BreakKind.AMOUNT_MISMATCH,
        f"o.state = 'CONFLICTED' AND NOT {DECIDED} AND {DIFFERENCE} <> 0",
        "The provider moved another amount than was asked: it is on the conflict list.",
    ),
    Check(
        BreakKind.STATUS_MISMATCH,
        f"o.state = 'CONFLICTED' AND NOT {DECIDED}",
        "It is on the conflict list, and the statement shows what was asked.",
    ),
    Check(
        BreakKind.STATUS_MISMATCH,
        UNDECIDED,
        "It succeeded after its payment had moved on: it is among the open questions.",
    ),
    Check(
        BreakKind.AMOUNT_MISMATCH,
        f"{DECIDED} AND {DIFFERENCE} <> 0",
        "The statement lists another amount than was booked when its open question was decided.",
    ),
    Check(
        BreakKind.AMOUNT_MISMATCH,
        f"abs({DIFFERENCE}) > {{tolerance}}",
        "The provider answered with the amount that was asked and lists another.",
        AMOUNT,
    ),
)
AMOUNT_CHECK = next(index for index, check in enumerate(PAIR_CHECKS) if check.name == AMOUNT)

FEE_DIFFERS = f"(l.fee_minor <> {AGREED_FEE})"
FEE_CAUSE = "The provider kept another fee than was agreed."

# A line that finds no operation. `x` is the operation with its reference, whosever it is.
ORPHAN_CHECKS: tuple[Check, ...] = (
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "l.provider_account_id IS NULL",
        "The provider lists it for an account that is not one of ours.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "l.type = 'CHARGEBACK'",
        "A payment was taken back that our books do not have.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "l.type = 'REVERSAL'",
        "A chargeback was given back of a payment that our books do not have.",
    ),
    Check(
        BreakKind.FEE_MISMATCH,
        "l.type = 'FEE'",
        "The provider charges a fee that belongs to no payment.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "l.type = 'ADJUSTMENT'",
        "The provider corrected the account by itself: ask what for.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "x.kind IN ('AUTHORIZE', 'VOID')",
        "The provider lists money for a message that moves none.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "x.id IS NOT NULL",
        "The reference is that of another operation of ours: of another account, or the other way round.",
    ),
    Check(
        BreakKind.MISSING_IN_BOOKS,
        "true",
        "We never sent this reference, or a restore from backup lost it.",
    ),
)


# What a break was judged by, in short: after a release that judges otherwise every open break is looked at once.
CHECKS = sha256(repr((PAIR_CHECKS, ORPHAN_CHECKS, AGREED_FEE)).encode()).hexdigest()[:12]


def first_of(checks: Sequence[Check], *, agree: Collection[str] = (), tolerance: int = 0) -> str:
    """An SQL expression: the index of the first check that finds something, NULL if none does. `agree`: which of the optional ones are asked."""
    asked = [
        (index, check.when.format(tolerance=int(tolerance)))
        for index, check in enumerate(checks)
        if check.name in ("", AMOUNT) or check.name in agree
    ]
    return "CASE " + " ".join(f"WHEN {when} THEN {index}" for index, when in asked) + " END"


def labels(checks: Sequence[Check]) -> str:
    """An SQL VALUES list (index, kind, cause) of the checks."""
    return ", ".join(f"({index}, '{check.kind}', '{check.cause}')" for index, check in enumerate(checks))
