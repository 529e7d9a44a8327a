"""One break, whole: both sides field by field, what nearly fits, who has it, what was said and proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, When
from django.db.models.functions import Abs

from common.console import html
from common.models import Proposal, ProposalState
from common.money import Money
from payments.models import Operation
from payments.providers.base import Kind
from payments.services.operations import OPEN
from reconciliation.models import BankLine, Break, BreakKind, LineType, Payout, Remittance, StatementLine
from reconciliation.selectors import break_difference
from reconciliation.services.claims import came_after_the_end, signed

_NEAR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Row:
    """A field of both sides; `differs` if both say something, and not the same."""

    name: str
    ours: Any
    theirs: Any
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """An item that nearly fits: its page, why it does not, and the keys with which to propose it."""

    text: str
    url: str
    amount: Any
    at: Any
    why_not: str
    field: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class BreakPage:
    found: Break
    difference: Any
    rows: Sequence[Row]
    nearest: Sequence[Near]
    comments: Sequence[Any]
    proposals: Sequence[Proposal]
    transaction: Any
    both: bool
    owner_is_me: bool
    can: dict[str, bool]


def break_page(found: Break, user: Any) -> BreakPage:
    """All of one break's page."""
    proposals = list(
        Proposal.objects.filter(subject_type="break", subject_id=str(found.pk))
        .select_related("proposed_by", "decided_by")
        .order_by("-proposed_at")
    )
    open_ = found.resolved_at is None
    proposes = open_ and found.payout_id is None and user.has_perm("reconciliation.propose_break")
    operation, line = found.operation, found.line
    dispute = line is not None and line.type in (LineType.CHARGEBACK, LineType.REVERSAL)
    late = open_ and operation is not None and line is not None and came_after_the_end(operation, line) is not None
    asks = late or (operation is not None and operation.state in OPEN)
    both = (line is not None and operation is not None) or (
        found.bank_line_id is not None and found.remittance_id is not None
    )
    return BreakPage(
        found=found,
        difference=html.amounts(break_difference(found)),
        rows=_rows(found),
        nearest=_nearest(found) if open_ else [],
        comments=list(found.comments.select_related("author")),
        proposals=proposals,
        transaction=operation.payment.transaction if operation else None,
        both=both,
        owner_is_me=found.owner_id == user.pk,
        can={
            "work": open_ and user.has_perm("reconciliation.work_break"),
            "comment": user.has_perm("reconciliation.work_break"),
            "ask": open_ and asks and user.has_perm("payments.look_up_operation"),
            "late": late,
            "propose": proposes and not asks,
            "match_both": proposes and not asks and both and not dispute and found.kind != BreakKind.DUPLICATE_LINE,
            "match": proposes and not asks and not dispute,
            "dispute": proposes and dispute,
            "waits": any(proposal.state == ProposalState.OPEN for proposal in proposals),
        },
    )


def _rows(found: Break) -> list[Row]:
    if found.of_bank:
        return _bank_rows(found)
    operation, line = found.operation, found.line
    ours = _operation_side(operation) if operation else {}
    theirs = _line_side(line) if line else {}
    if found.kind == BreakKind.FEE_MISMATCH:
        ours["Fee"] = (found.our_minor, html.money(found.our_minor, found.our_currency))
    return _beside(ours, theirs)


def _operation_side(operation: Operation) -> dict[str, tuple[Any, Any]]:
    """Per field what is compared and how it is shown."""
    payment = operation.payment
    return {
        "Reference": (operation.reference, html.link(html.page_url(operation), operation.reference)),
        "Provider's reference": (operation.provider_reference or None, html.copyable(operation.provider_reference)),
        "What": ("REFUND" if operation.kind == Kind.REFUND else "PAYMENT", operation.get_kind_display()),
        "Account": (payment.provider_account.account_key, payment.provider_account.account_key),
        "Amount": (signed(operation), html.money(signed(operation), operation.currency)),
        "Currency": (operation.currency, operation.currency),
        "Outcome": (operation.state == "SUCCEEDED", html.badge(operation.state)),
        "When": (None, html.moment(operation.ended_at or operation.created_at)),
    }


def _line_side(line: StatementLine) -> dict[str, tuple[Any, Any]]:
    return {
        "Reference": (line.our_reference or None, line.our_reference or html.EMPTY),
        "Provider's reference": (line.provider_reference, html.link(html.page_url(line), line.provider_reference)),
        "What": (str(line.type), line.get_type_display()),
        "Account": (line.account_key, line.account_key),
        "Amount": (line.amount_minor, html.money(line.amount_minor, line.currency)),
        "Currency": (line.currency, line.currency),
        "Outcome": (True, line.status_code),
        "Fee": (line.fee_minor, html.money(line.fee_minor, line.currency)),
        "When": (None, html.moment(line.at)),
        "From": (None, html.link(html.page_url(line.statement), f"{line.statement.day}, line {line.number}")),
    }


def _bank_rows(found: Break) -> list[Row]:
    remittance, line = found.remittance, found.bank_line
    ours: dict[str, tuple[Any, Any]] = {}
    theirs: dict[str, tuple[Any, Any]] = {}
    if remittance is not None:
        ours = {
            "Reference": (None, html.link(html.page_url(remittance), remittance.pk)),
            "Account": (None, f"{remittance.provider} {remittance.account_key}"),
            "Amount": (remittance.net_minor, html.money(remittance.net_minor, remittance.currency)),
            "Currency": (remittance.currency, remittance.currency),
            "When": (None, f"due {remittance.due_on:%-d %b %Y}"),
        }
    if found.payout is not None:
        ours = _payout_side(found.payout)
    if line is not None:
        theirs = {
            "Reference": (None, html.link(html.page_url(line), line.reference)),
            "Account": (None, line.account_key),
            "Amount": (line.amount_minor, html.money(line.amount_minor, line.currency)),
            "Currency": (line.currency, line.currency),
            "When": (None, f"booked {line.booked_on:%-d %b %Y}"),
            "Counterparty": (None, line.counterparty or html.EMPTY),
            "Narrative": (None, line.narrative or html.EMPTY),
        }
    return _beside(ours, theirs)


def _payout_side(payout: Payout) -> dict[str, tuple[Any, Any]]:
    return {
        "Reference": (None, html.link(html.page_url(payout), payout.end_to_end_id)),
        "To": (None, payout.destination),
        "Amount": (-payout.amount_minor, html.money(-payout.amount_minor, payout.currency)),
        "Currency": (payout.currency, payout.currency),
        "When": (None, html.moment(payout.sent_at)),
        "State": (None, html.badge(payout.state, payout.get_state_display())),
    }


def _beside(ours: dict[str, tuple[Any, Any]], theirs: dict[str, tuple[Any, Any]]) -> list[Row]:
    nothing = (None, html.EMPTY)
    rows = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        mine, other = ours.get(name, nothing), theirs.get(name, nothing)
        both = mine[0] is not None and other[0] is not None
        rows.append(Row(name, mine[1], other[1], both and mine[0] != other[0]))
    return rows


def _nearest(found: Break) -> list[Near]:
    """What the run noted; where it noted nothing, what is free on the other side and near in amount and time."""
    own = {
        ("operation", found.operation_id),
        ("line", str(found.line_id)),
        ("bank_line", str(found.bank_line_id)),
        ("remittance", found.remittance_id),
    }
    noted = [_noted(entry, found) for entry in found.nearest if (entry.get("item"), str(entry.get("id"))) not in own]
    if noted:
        return [each for each in noted if each is not None]
    two = (found.line is not None and found.operation is not None) or (found.bank_line_id and found.remittance_id)
    return [] if two else [near(item, found) for item in candidates(found, limit=3)]


def _noted(entry: dict[str, Any], found: Break) -> Near | None:
    models: dict[str, Any] = {
        "operation": Operation,
        "line": StatementLine,
        "bank_line": BankLine,
        "remittance": Remittance,
    }
    model = models.get(entry.get("item", ""))
    item = model.objects.filter(pk=entry["id"]).first() if model else None
    return near(item, found, str(entry.get("why_not", ""))) if item is not None else None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How an item of one kind is shown, and under which name it is proposed."""

    field: str
    text: Callable[[Any], str]
    minor: Callable[[Any], int]
    at: Callable[[Any], Any]


_KINDS: dict[type, _Kind] = {
    Operation: _Kind("operations", lambda x: x.reference, signed, lambda x: html.moment(x.ended_at or x.created_at)),
    StatementLine: _Kind(
        "lines", lambda x: x.provider_reference, lambda x: x.amount_minor, lambda x: html.moment(x.at)
    ),
    BankLine: _Kind(
        "bank_lines", lambda x: x.reference, lambda x: x.amount_minor, lambda x: f"{x.booked_on:%-d %b %Y}"
    ),
    Remittance: _Kind("remittances", lambda x: x.pk, lambda x: x.net_minor, lambda x: f"due {x.due_on:%-d %b %Y}"),
    Payout: _Kind("payouts", lambda x: x.end_to_end_id, lambda x: -x.amount_minor, lambda x: html.moment(x.sent_at)),
}


def minor_of(item: Any) -> int:
    """The signed amount of an item of either side."""
    return _KINDS[type(item)].minor(item)


def own_item(found: Break) -> Any:
    """What the break is about, and the other side is looked for; the statement's or bank's side first."""
    return found.bank_line or found.remittance or found.payout or found.line or found.operation


def near(item: Any, found: Break, why_not: str = "") -> Near:
    """An item of the other side beside the break's own one."""
    kind, own = _KINDS[type(item)], own_item(found)
    mine = item.pk in (found.operation_id, found.line_id, found.bank_line_id, found.remittance_id)
    return Near(
        text=kind.text(item),
        url=html.page_url(item),
        amount=html.money(kind.minor(item), item.currency),
        at=kind.at(item),
        why_not=why_not or (found.cause if mine else _why(kind.minor(item) - minor_of(own), item.currency)),
        field=kind.field,
        key=str(item.pk),
    )


def _why(difference: int, currency: str) -> str:
    if not difference:
        return "Same amount, another reference."
    return f"{currency} {html.amount_text(Money(abs(difference), currency))} {'more' if difference > 0 else 'less'}, another reference."


def candidates(found: Break, term: str = "", *, limit: int) -> list[Any]:
    """Free items of the other side, nearest in amount first: within a week, or (with `term`) by any of their references."""
    if found.bank_line is not None:
        return _remittances(found.bank_line, found, term, limit)
    if found.remittance is not None:
        return _bank_lines(found.remittance.due_on, found, term, limit)
    if found.payout is not None and found.payout.sent_at is not None:
        return _bank_lines(found.payout.sent_at.date(), found, term, limit)
    if found.line is not None:
        return _operations(found.line, found, term, limit)
    if found.operation is not None:
        return _lines(found.operation, found, term, limit)
    return []


def _operations(line: StatementLine, found: Break, term: str, limit: int) -> list[Operation]:
    rows = Operation.objects.filter(
        payment__provider_account__provider=found.provider,
        payment__provider_account__live=found.live,
        kind__in=(Kind.SALE, Kind.CAPTURE, Kind.REFUND),
        state__in=("SUCCEEDED", "CONFLICTED"),
        matches=None,
    ).select_related("payment__transaction")
    if term:
        rows = (
            rows.filter(reference=term) | rows.filter(provider_reference=term) | rows.filter(payment__transaction=term)
        )
    else:
        rows = rows.filter(ended_at__range=(line.at - _NEAR, line.at + _NEAR), currency=line.currency)
        if line.provider_account_id is not None:
            rows = rows.filter(payment__provider_account=line.provider_account_id)
    refund = When(kind=Kind.REFUND, then=-F("amount_minor"))
    minor = Case(refund, default=F("amount_minor"), output_field=BigIntegerField())
    return _nearest_of(rows, minor, line.amount_minor, limit)


def _remittances(line: BankLine, found: Break, term: str, limit: int) -> list[Remittance]:
    rows = Remittance.objects.filter(live=found.live, bank_match=None)
    if term:
        rows = rows.filter(pk=term) | rows.filter(account_key=term)
    else:
        rows = rows.filter(currency=line.currency, due_on__range=(line.booked_on - 4 * _NEAR, line.booked_on + _NEAR))
    return _nearest_of(rows, F("net_minor"), line.amount_minor, limit)


def _bank_lines(due_on: date, found: Break, term: str, limit: int) -> list[BankLine]:
    rows = BankLine.objects.filter(statement__live=found.live, bank_match=None)
    if term:
        rows = rows.filter(reference=term) | rows.filter(end_to_end_id=term)
    else:
        rows = rows.filter(currency=found.our_currency, booked_on__range=(due_on - _NEAR, due_on + 4 * _NEAR))
    return _nearest_of(rows, F("amount_minor"), found.our_minor or 0, limit)


def _lines(operation: Operation, found: Break, term: str, limit: int) -> list[StatementLine]:
    rows = StatementLine.objects.filter(provider=found.provider, statement__live=found.live, matches=None)
    if term:
        rows = rows.filter(our_reference=term) | rows.filter(provider_reference=term)
    else:
        at = operation.ended_at or operation.created_at
        rows = rows.filter(
            Exists(Break.objects.filter(line=OuterRef("pk"), resolved_at=None)),
            at__range=(at - _NEAR, at + _NEAR),
            currency=operation.currency,
            provider_account=operation.payment.provider_account_id,
        )
    return _nearest_of(rows, F("amount_minor"), signed(operation), limit)


def _nearest_of(rows: Any, minor: Any, wanted: int, limit: int) -> list[Any]:
    """Of all these the nearest in amount; the database looks at each."""
    return list(rows.annotate(off=Abs(minor - wanted)).order_by("off", "pk")[:limit])
