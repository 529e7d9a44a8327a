"""What a person puts together: items of both sides, the difference between them, and the postings that it takes.

Nothing is written here. An item that is claimed, unfinished or of another source is refused with a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from common.errors import InvalidState
from common.money import Money
from payments.ledger.accounts import AccountRef
from payments.ledger.recipes import Leg
from payments.models import Operation
from payments.models.ledger import AccountKind
from payments.models.review import ReviewKind
from payments.providers.base import Kind
from payments.states import OperationState, ReviewState
from reconciliation.matching.booked import BOOKED, BOOKED_CURRENCY
from reconciliation.models import (
    BankLine,
    BankMatch,
    Break,
    BreakKind,
    Comparison,
    LineType,
    Match,
    Remittance,
    Source,
    StatementLine,
)

# Against which account a difference may be booked by hand; what a merchant is owed moves only by disputes.
COUNTER_ACCOUNTS = (
    AccountKind.DIFFERENCES,
    AccountKind.PROVIDER_FEES,
    AccountKind.BANK_CHARGES,
    AccountKind.FX_CLEARING,
)

BOOKED_KINDS = (ReviewKind.CONFLICT, ReviewKind.LATE_SUCCESS)


@dataclass(slots=True)
class Items:
    """The items that belong together."""

    comparison: str
    live: bool
    lines: list[StatementLine] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    bank_lines: list[BankLine] = field(default_factory=list)
    remittances: list[Remittance] = field(default_factory=list)

    def count(self) -> int:
        return len(self.lines) + len(self.operations) + len(self.bank_lines) + len(self.remittances)

    def differences(self) -> dict[str, int]:
        """Theirs less ours, per currency in minor units; a currency that agrees is left out."""
        total: dict[str, int] = defaultdict(int)
        for line in self.lines:
            total[line.currency] += line.amount_minor
        for bank_line in self.bank_lines:
            total[bank_line.currency] += bank_line.amount_minor
        for operation in self.operations:
            booked = _booked(operation)
            if booked is not None:
                total[booked.currency] -= booked.minor
        for remittance in self.remittances:
            total[remittance.currency] -= remittance.net_minor
        return {currency: minor for currency, minor in sorted(total.items()) if minor}

    def legs(self, counter: AccountKind) -> list[Leg]:
        """What makes the books say what happened: the difference goes to `counter`, in every currency by itself."""
        moved: dict[AccountRef, int] = defaultdict(int)
        for line in self.lines:
            if line.provider_account_id is not None:
                moved[_receivable(line.provider_account_id, line.currency, self.live)] += line.amount_minor
        for operation in self.operations:
            booked = _booked(operation)
            if booked is not None:
                account = operation.payment.provider_account_id
                moved[_receivable(account, booked.currency, self.live)] -= booked.minor
        for bank_line in self.bank_lines:
            name = f"{bank_line.provider}/{bank_line.account_key}"
            moved[AccountRef(AccountKind.BANK, bank_line.currency, self.live, bank_account=name)] += (
                bank_line.amount_minor
            )
            charges = AccountRef(AccountKind.BANK_CHARGES, bank_line.currency, self.live)
            moved[charges] += bank_line.charges_minor
        for remittance in self.remittances:
            owed_by = remittance.provider_account_id
            strange = AccountRef(AccountKind.SUSPENSE, remittance.currency, self.live)
            moved[_receivable(owed_by, remittance.currency, self.live) if owed_by else strange] -= remittance.net_minor
        rest: dict[str, int] = defaultdict(int)
        for reference, minor in moved.items():
            rest[reference.currency] += minor
        merchants = {line.provider_account.merchant_id for line in self.lines if line.provider_account is not None}
        merchant_id = merchants.pop() if counter == AccountKind.MERCHANT_PAYABLE and len(merchants) == 1 else None
        for currency, minor in rest.items():
            moved[AccountRef(counter, currency, self.live, merchant_id=merchant_id)] -= minor
        return [Leg(reference, minor) for reference, minor in moved.items() if minor]


def signed(operation: Operation) -> int:
    """The amount as a statement signs it: refunds negative."""
    return -operation.amount_minor if operation.kind == Kind.REFUND else operation.amount_minor


def own_items(found: Break, *, both_sides: bool) -> Items:
    """The items of the break itself. A line that is listed twice or fits several stands alone unless `both_sides` are meant.

    None of a fee's: the pair is matched, and what ends is the question about its fee. Raises InvalidState of a payout, whose own page says how it ends.
    """
    if found.payout_id is not None:
        raise InvalidState("Say of the payout that it arrived, or that it came back; then the break closes itself.")
    if found.kind == BreakKind.FEE_MISMATCH and Match.objects.filter(line=found.line_id).exists():
        return Items(Comparison.LEDGER, found.live, [], [], [], [])
    comparison = Comparison.BANK if found.of_bank else Comparison.LEDGER
    alone = (
        found.kind == BreakKind.DUPLICATE_LINE
        or (found.kind == BreakKind.AMBIGUOUS and not both_sides)
        or (found.line is not None and found.line.type in (LineType.CHARGEBACK, LineType.REVERSAL))
        or (found.line is not None and Match.objects.filter(operation=found.operation_id).exists())
    )
    return gather(
        found,
        comparison=comparison,
        lines=[found.line_id] if found.line_id else [],
        operations=[found.operation_id] if found.operation_id and not alone else [],
        bank_lines=[found.bank_line_id] if found.bank_line_id else [],
        remittances=[found.remittance_id] if found.remittance_id and not (alone and found.bank_line_id) else [],
    )


def gather(
    found: Break,
    *,
    comparison: str,
    lines: Collection[int],
    operations: Collection[str],
    bank_lines: Collection[int],
    remittances: Collection[str],
) -> Items:
    """The items by their keys, of the break's own source and mode. Raises InvalidState naming the item that may not be taken."""
    of_source: dict[str, Any] = {"provider": found.provider}
    items = Items(
        comparison,
        found.live,
        list(
            StatementLine.objects.filter(pk__in=lines, statement__live=found.live, **of_source)
            .select_related("provider_account", "statement")
            .order_by("pk")
        ),
        list(
            Operation.objects.filter(
                pk__in=operations,
                payment__provider_account__provider=found.provider,
                payment__provider_account__live=found.live,
            )
            .select_related("payment")
            .order_by("pk")
        ),
        list(BankLine.objects.filter(pk__in=bank_lines, statement__live=found.live).order_by("pk")),
        list(Remittance.objects.filter(pk__in=remittances, live=found.live).order_by("pk")),
    )
    asked = len({*lines}) + len({*operations}) + len({*bank_lines}) + len({*remittances})
    if asked != items.count():
        raise InvalidState("One of the items is not there, or is of another source.")
    if comparison == Comparison.LEDGER and (items.bank_lines or items.remittances):
        raise InvalidState("Bank lines and remittances are matched with each other only.")
    if comparison == Comparison.BANK and (items.lines or items.operations):
        raise InvalidState("Lines and operations are matched with each other only.")
    return items


def refuse_claimed(items: Items) -> None:
    """Raises InvalidState if an item is claimed already, or if it is not final what is booked of an operation."""
    for operation in items.operations:
        if operation.state in (
            OperationState.QUEUED,
            OperationState.SENT,
            OperationState.PENDING,
            OperationState.UNKNOWN,
        ):
            raise InvalidState(f"The outcome of {operation.reference} is not known yet: ask the provider first.")
        if operation.kind not in (Kind.SALE, Kind.CAPTURE, Kind.REFUND):
            raise InvalidState(f"{operation.reference} moves no money.")
        if undecided(operation):
            raise InvalidState(f"{operation.reference} waits among the open questions: decide there first what it is.")
        if any(came_after_the_end(operation, line) for line in items.lines):
            raise InvalidState(
                f"{operation.reference} ended for us without money: take the statement's word for it, so that people decide what it is."
            )
    taken = (
        Match.objects.filter(line__in=items.lines).exists()
        or Match.objects.filter(operation__in=items.operations).exists()
        or BankMatch.objects.filter(bank_line__in=items.bank_lines).exists()
        or BankMatch.objects.filter(remittance__in=items.remittances).exists()
    )
    if taken:
        raise InvalidState("One of the items is matched already.")


def is_dispute(items: Items) -> bool:
    """Whether it is one chargeback, or one that was given back, of an account of ours."""
    return (
        len(items.lines) == 1
        and not items.operations
        and items.lines[0].type in (LineType.CHARGEBACK, LineType.REVERSAL)
        and items.lines[0].provider_account_id is not None
    )


def undecided(operation: Operation) -> bool:
    """Whether people have still to decide what a conflict or a late success brought."""
    return operation.review_items.filter(kind__in=BOOKED_KINDS).exclude(state=ReviewState.CLOSED).exists()


def came_after_the_end(operation: Operation, line: StatementLine) -> Money | None:
    """What a statement says came of an operation that had ended for us without money; None if it does not say so, or that is booked."""
    if operation.state not in (OperationState.DECLINED, OperationState.EXPIRED) or _booked(operation) is not None:
        return None
    approved = Source.objects.values_list("approved", flat=True).get(pk=line.provider)
    speaks = LineType.REFUND if operation.kind == Kind.REFUND else LineType.PAYMENT
    if line.type != speaks or approved not in ("", line.status_code):
        return None
    return Money(abs(line.amount_minor), line.currency)


def _booked(operation: Operation) -> Money | None:
    """What the books have of it with the provider, signed as a statement does; None if nothing is booked."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, [operation.pk])
        [(minor, currency)] = cursor.fetchall()
    return None if minor is None else Money(-minor if operation.kind == Kind.REFUND else minor, currency)


_BOOKED = f"SELECT {BOOKED}, {BOOKED_CURRENCY} FROM operation o WHERE o.id = %s"  # noqa: S608 -- constants


def _receivable(provider_account_id: str, currency: str, live: bool) -> AccountRef:
    return AccountRef(AccountKind.PROVIDER_RECEIVABLE, currency, live, provider_account_id=provider_account_id)
