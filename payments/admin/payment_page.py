"""Everything about one transaction, read for one screen: a fixed number of queries, whatever happened to it.

What an operator may not view is not read. Facts and audit records tell one story (each fact has its record, by version), so they are
shown as one history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Prefetch

from common.console.panels import may
from common.models import AuditRecord, Fact, Proposal, ProposalState
from common.money import Money
from payments.admin.review import dialogs_of
from payments.models import JournalEntry, Operation, Payment, Posting, ProviderEvent, Refund, ReviewItem, Transaction
from payments.services.operations import OPEN
from payments.services.refunds import REFUNDABLE


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the history: a fact with its audit record, or an act that changed nothing."""

    at: datetime
    name: str
    version: int | None
    changes: tuple[tuple[str, str], ...]  # what, "before → after"
    fact: Fact | None = None
    record: AuditRecord | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A posting, in the column of its side."""

    posting: Posting
    debit_minor: int | None
    credit_minor: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    entry: JournalEntry
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Total:
    """What was debited and credited in one currency."""

    currency: str
    debit_minor: int
    credit_minor: int

    @property
    def balanced(self) -> bool:
        return self.debit_minor == self.credit_minor


@dataclass(frozen=True, slots=True)
class PaymentPage:
    transaction: Transaction
    payments: Sequence[Payment]  # each with `shown_operations`
    refunds: list[Refund]
    review_items: list[ReviewItem]
    events: list[ProviderEvent] | None  # None: not for this operator
    entries: list[Entry] | None
    totals: list[Total]
    history: list[Moment]

    @property
    def open_operations(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.state in OPEN]

    @property
    def operations(self) -> list[Operation]:
        return [operation for payment in self.payments for operation in payment.shown_operations]  # type: ignore[attr-defined]

    @property
    def open_questions(self) -> list[ReviewItem]:
        """Each with the decisions that may be proposed now, and the proposals that wait."""
        return [item for item in self.review_items if item.resolved_at is None]

    @property
    def fee_minor(self) -> int:
        return sum(payment.fee_minor for payment in self.payments)

    @property
    def refundable(self) -> bool:
        transaction = self.transaction
        return transaction.status in REFUNDABLE and transaction.refundable_minor > 0


def payment_page(transaction: Transaction, user: AbstractBaseUser | AnonymousUser) -> PaymentPage:
    """Read it, as far as this operator may."""
    operations = Prefetch("operations", Operation.objects.order_by("created_at", "id"), to_attr="shown_operations")
    payments = list(
        transaction.payments.select_related("provider_account").prefetch_related(operations).order_by("attempt")
    )
    entries = _entries(transaction) if may(user, "payments.view_posting") else None
    return PaymentPage(
        transaction=transaction,
        payments=payments,
        refunds=list(transaction.refunds.order_by("created_at", "id")),
        review_items=_review_items(transaction),
        events=_events(transaction) if may(user, "payments.view_providerevent") else None,
        entries=entries,
        totals=_totals(entries or []),
        history=_history(transaction, user),
    )


def _review_items(transaction: Transaction) -> list[ReviewItem]:
    items: list[Any] = list(ReviewItem.objects.filter(payment__transaction=transaction).order_by("opened_at"))
    open_ids = [item.pk for item in items if item.resolved_at is None]
    waiting = Proposal.objects.filter(subject_id__in=open_ids, state=ProposalState.OPEN) if open_ids else []
    for item in items:
        item.waiting = [proposal for proposal in waiting if proposal.subject_id == item.pk]
        item.dialogs = [] if item.waiting else dialogs_of(item)
    return items


def _events(transaction: Transaction) -> list[ProviderEvent]:
    return list(
        ProviderEvent.objects.filter(payment__transaction=transaction).defer("body").order_by("received_at", "id")
    )


def _entries(transaction: Transaction) -> list[Entry]:
    postings = Prefetch(
        "postings", Posting.objects.select_related("account__merchant", "account__provider_account").order_by("id")
    )
    entries = transaction.journal_entries.prefetch_related(postings).order_by("booked_at", "id")
    return [Entry(entry, [_line(posting) for posting in entry.postings.all()]) for entry in entries]


def _line(posting: Posting) -> Line:
    minor = posting.amount_minor
    return Line(posting, debit_minor=minor if minor > 0 else None, credit_minor=-minor if minor < 0 else None)


def _totals(entries: list[Entry]) -> list[Total]:
    debits: dict[str, int] = defaultdict(int)
    credits_: dict[str, int] = defaultdict(int)
    for entry in entries:
        for line in entry.lines:
            debits[line.posting.currency] += line.debit_minor or 0
            credits_[line.posting.currency] += line.credit_minor or 0
    return [Total(currency, debits[currency], credits_[currency]) for currency in sorted(debits)]


def _history(transaction: Transaction, user: AbstractBaseUser | AnonymousUser) -> list[Moment]:
    facts = Fact.objects.filter(subject_id=transaction.pk) if may(user, "common.view_fact") else Fact.objects.none()
    audited = AuditRecord.objects.filter(subject_id=transaction.pk)
    records = list(audited if may(user, "common.view_auditrecord") else AuditRecord.objects.none())
    by_version = {record.version: record for record in records if record.version is not None}
    moments = []
    for fact in facts:
        record = by_version.pop(fact.sequence, None)
        moments.append(Moment(fact.created_at, fact.name, fact.sequence, _changes(record, transaction), fact, record))
    for record in [record for record in records if record.version is None or record.version in by_version]:
        changes = _changes(record, transaction)
        moments.append(Moment(record.at, record.action, record.version, changes, record=record))
    return sorted(moments, key=lambda moment: (moment.at, moment.version or 0))


def _changes(record: AuditRecord | None, transaction: Transaction) -> tuple[tuple[str, str], ...]:
    """What an audit record says changed, in words: amounts with their decimals."""
    if record is None:
        return ()
    return tuple(_words(name, value, transaction.currency) for name, value in record.changes.items())


def _words(name: str, value: Any, currency: str) -> tuple[str, str]:
    sides = value if isinstance(value, list) else [value]
    if name.endswith("_minor"):
        sides = [str(Money(side, currency)) if isinstance(side, int) else side for side in sides]
    shown = " → ".join(str(side) for side in sides if side is not None)
    return name.removesuffix("_minor").replace("_", " "), shown
