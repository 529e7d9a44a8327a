"""The rules of matching, as data: what makes a line and an operation disagree, and what the probable cause is.

The first rule that holds decides; a pair that none of them stops is a match. The conditions are SQL over `l` (statement_line), `o`
(operation) and `p` (payment), because the database decides for a whole day at once; passes.py puts them into its statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciliation.models import BreakKind


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` it holds, there is a break of this kind, and `cause` is the sentence for people (an apostrophe-free literal)."""

    kind: BreakKind
    when: str
    cause: str


OUR_AMOUNT = "CASE WHEN l.type = 'REFUND' THEN -o.amount_minor ELSE o.amount_minor END"

# Half up to the minor unit, like payments.ledger.recipes.fee_of; refunds carry no fee.
AGREED_FEE = """CASE WHEN l.type = 'REFUND' THEN 0
    ELSE (l.amount_minor * %(basis_points)s * 2 + 10000) / 20000
         + CASE WHEN p.business_banking THEN %(fixed_business)s ELSE %(fixed)s END
    END"""

PAIR_RULES: tuple[Rule, ...] = (
    Rule(
        BreakKind.STATUS_MISMATCH,
        "l.status_code <> %(approved)s",
        "The statement lists it with a code that does not mean approved.",
    ),
    Rule(
        BreakKind.CURRENCY_MISMATCH,
        "l.currency <> o.currency",
        "The provider moved it in another currency than was asked.",
    ),
    Rule(
        BreakKind.STATUS_MISMATCH,
        "o.state IN ('QUEUED', 'SENT', 'PENDING', 'UNKNOWN')",
        "The provider carried it out and its answer has not reached us: look it up.",
    ),
    Rule(
        BreakKind.STATUS_MISMATCH,
        "o.state IN ('DECLINED', 'EXPIRED')",
        "The provider carried it out after it had ended for us: refund it or accept it late.",
    ),
    Rule(
        BreakKind.AMOUNT_MISMATCH,
        f"l.amount_minor <> {OUR_AMOUNT} AND o.state = 'CONFLICTED'",
        "The provider moved another amount than was asked: it is on the conflict list.",
    ),
    Rule(
        BreakKind.AMOUNT_MISMATCH,
        f"l.amount_minor <> {OUR_AMOUNT}",
        "The provider answered with the amount that was asked and lists another.",
    ),
    Rule(
        BreakKind.STATUS_MISMATCH,
        "o.state = 'CONFLICTED'",
        "It is on the conflict list, and the statement shows what was asked.",
    ),
    Rule(
        BreakKind.FEE_MISMATCH,
        f"l.fee_minor <> {AGREED_FEE}",
        "The provider kept another fee than was agreed.",
    ),
)

# A line that finds no operation. `x` is the operation with its reference, whosever it is.
ORPHAN_RULES: tuple[Rule, ...] = (
    Rule(
        BreakKind.MISSING_IN_BOOKS,
        "l.provider_account_id IS NULL",
        "The provider lists it for an account that is not one of ours.",
    ),
    Rule(
        BreakKind.MISSING_IN_BOOKS,
        "x.kind IN ('AUTHORIZE', 'VOID')",
        "The provider lists money for a message that moves none.",
    ),
    Rule(
        BreakKind.MISSING_IN_BOOKS,
        "x.id IS NOT NULL",
        "The reference is that of another operation of ours: of another account, or the other way round.",
    ),
    Rule(
        BreakKind.MISSING_IN_BOOKS,
        "true",
        "We never sent this reference, or a restore from backup lost it.",
    ),
)


def first_rule(rules: Sequence[Rule]) -> str:
    """An SQL expression: the index of the first rule that holds, NULL if none does."""
    return "CASE " + " ".join(f"WHEN {rule.when} THEN {index}" for index, rule in enumerate(rules)) + " END"


def labels(rules: Sequence[Rule]) -> str:
    """An SQL VALUES list (index, kind, cause) of the rules."""
    return ", ".join(f"({index}, '{rule.kind}', '{rule.cause}')" for index, rule in enumerate(rules))
