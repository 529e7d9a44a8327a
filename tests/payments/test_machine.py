"""Any order of requests and answers does what a few lines of plain Python say, and the books hold after every step.

The model below knows nothing of the table of moves: it is written from what a merchant and an accountant would expect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import connection
from django.db import transaction as database
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from common.changes import Actor
from common.errors import InvalidState
from common.models import AuditRecord, Fact
from common.money import Money
from payments.models import Operation, Posting, Refund, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.captures import capture_request, void_request
from payments.services.refunds import refund_request
from tests.factories import NOW, ProviderAccountFactory, new_transaction, settle

AMOUNT = 10_000
LATE = NOW + timedelta(hours=2)  # the payer's time is over, and so is the provider's
MERCHANT = Actor("merchant:machine")
MORE_THAN_ASKED = 100

ENDED = {"SUCCEEDED", "DECLINED", "EXPIRED", "CONFLICTED"}


@dataclass
class Asked:
    """One message to the provider, as the model sees it."""

    kind: str  # SALE, AUTHORIZE, CAPTURE, VOID, REFUND
    minor: int
    state: str
    late: bool = False  # money moved after it had ended
    contradicted: bool = False  # something else was said after money had moved
    final: bool = True  # a capture that is not leaves the rest reserved


@dataclass
class Model:
    """What should be true of one transaction."""

    asked: list[Asked]
    status: str = "PENDING"
    version: int = 1
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    pending: int = 0
    books: dict[str, int] = field(default_factory=dict)
    reviews: list[str] = field(default_factory=list)

    @property
    def refundable(self) -> int:
        return self.captured - self.refunded - self.pending if self.status in ("COMPLETED", "PARTIALLY_REFUNDED") else 0

    @property
    def capturable(self) -> int:
        busy = any(asked.kind in ("CAPTURE", "VOID") and asked.state not in ENDED for asked in self.asked)
        return self.authorized - self.captured if self.status == "AUTHORIZED" and not busy else 0

    def request(self, kind: str, minor: int, final: bool) -> None:
        self.asked.append(Asked(kind, minor, "SENT", final=final))
        self.version += 1
        if kind == "REFUND":
            self.pending += minor

    def answer(self, asked: Asked, outcome: Outcome, extra: int, late: bool) -> None:
        opening = asked.kind in ("SALE", "AUTHORIZE")
        match outcome:
            case Outcome.SUCCEEDED:
                conclusion = "CONFLICTED" if extra else "SUCCEEDED"
            case Outcome.DECLINED:
                conclusion = "DECLINED"
            case Outcome.NOT_FOUND if late:
                conclusion = "EXPIRED" if opening else "DECLINED"
            case _:
                return self._still_open(asked, outcome, opening)
        if asked.state in ENDED:
            return None if outcome is Outcome.NOT_FOUND else self._after_the_end(asked, conclusion, asked.minor + extra)
        asked.state = conclusion
        self.version += 1
        if conclusion == "CONFLICTED":
            self.reviews.append("CONFLICT")
            self._unexplained(asked, asked.minor + extra)
            if asked.kind != "REFUND":
                self.status = "PROCESSING"
        elif conclusion == "SUCCEEDED":
            self._moved(asked)
        elif opening:
            self.status = "FAILED" if conclusion == "DECLINED" else "EXPIRED"
        elif asked.kind == "REFUND":
            self.pending -= asked.minor
        return None

    def _still_open(self, asked: Asked, outcome: Outcome, opening: bool) -> None:
        if asked.state in ENDED:
            return
        if outcome is Outcome.PENDING:
            asked.state = "PENDING"
            if opening and self.status == "PENDING":
                self.status = "PROCESSING"
                self.version += 1
        elif asked.state == "SENT":
            asked.state = "UNKNOWN"

    def _after_the_end(self, asked: Asked, conclusion: str, minor: int) -> None:
        if asked.state in ("SUCCEEDED", "CONFLICTED"):
            if conclusion != asked.state and (asked.state, conclusion) != ("CONFLICTED", "SUCCEEDED"):
                self._contradict(asked)
            return
        money_came = conclusion in ("SUCCEEDED", "CONFLICTED") and asked.state in ("DECLINED", "EXPIRED")
        if money_came and not asked.late:
            asked.late = True
            self.version += 1
            self.reviews.append("LATE_SUCCESS")
            self._unexplained(asked, minor)

    def _contradict(self, asked: Asked) -> None:
        if not asked.contradicted:
            asked.contradicted = True
            self.reviews.append("CONTRADICTION")

    def _moved(self, asked: Asked) -> None:
        match asked.kind:
            case "AUTHORIZE":
                self.status, self.authorized = "AUTHORIZED", asked.minor
            case "VOID":
                self.status = "COMPLETED" if self.captured else "CANCELLED"
            case "REFUND":
                self.pending -= asked.minor
                self.refunded += asked.minor
                self.status = "REFUNDED" if self.refunded == self.captured else "PARTIALLY_REFUNDED"
                self._book(merchant_payable=asked.minor, provider_receivable=-asked.minor)
            case _:
                self.captured += asked.minor
                self.authorized = max(self.authorized, self.captured)
                if asked.final or self.captured == self.authorized:
                    self.status = "COMPLETED"
                fee = min((asked.minor * 180 + 5_000) // 10_000 + 50, asked.minor)
                self._book(provider_receivable=asked.minor, merchant_payable=fee - asked.minor, fee_income=-fee)

    def _unexplained(self, asked: Asked, minor: int) -> None:
        if asked.kind in ("SALE", "CAPTURE"):
            self._book(provider_receivable=minor, suspense=-minor)
        elif asked.kind == "REFUND":
            self._book(suspense=minor, provider_receivable=-minor)

    def _book(self, **legs: int) -> None:
        for account, minor in legs.items():
            self.books[account] = self.books.get(account, 0) + minor


class PaymentMachine(RuleBasedStateMachine):
    """One card transaction, and everything that merchant and provider can say about it. Each sequence is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self._sequence = database.atomic()
        self._sequence.__enter__()

    def teardown(self) -> None:
        database.set_rollback(True)
        self._sequence.__exit__(None, None, None)

    @initialize(manual=st.booleans())
    def create(self, manual: bool) -> None:
        self.account = ProviderAccountFactory(
            provider="migs",
            mode="authorise" if manual else "purchase",
            fee_basis_points=180,
            fee_fixed_minor=50,
        )
        self.transaction = new_transaction(self.account, amount=Money(AMOUNT, "MYR"), manual_capture=manual).transaction
        self.model = Model([Asked("AUTHORIZE" if manual else "SALE", AMOUNT, "PENDING")])
        self.operations = [Operation.objects.get(payment__transaction=self.transaction)]

    @rule(
        which=st.integers(0, 11),
        outcome=st.sampled_from([Outcome.SUCCEEDED, *Outcome]),
        extra=st.sampled_from([0, 0, 0, MORE_THAN_ASKED]),
        late=st.booleans(),
        times=st.integers(1, 2),
    )
    def provider_answers(self, which: int, outcome: Outcome, extra: int, late: bool, times: int) -> None:
        asked, operation = self.model.asked[which % len(self.operations)], self.operations[which % len(self.operations)]
        if asked.kind == "VOID":
            extra = 0  # a void is of the whole hold: there is no amount in it that could differ
        amount = Money(asked.minor + extra, "MYR") if outcome is Outcome.SUCCEEDED else None
        for _ in range(times):
            settle(operation, outcome, amount=amount, now=LATE if late else NOW)
            self.model.answer(asked, outcome, extra, late)

    @rule(minor=st.sampled_from([1, 2_500, 5_000, 6_000, AMOUNT]))
    def merchant_refunds(self, minor: int) -> None:
        self._request("REFUND", minor, self.model.refundable)

    @precondition(lambda self: self.model.asked[0].kind == "AUTHORIZE")
    @rule(minor=st.sampled_from([2_500, 4_000, AMOUNT, AMOUNT + 1]), final=st.booleans())
    def merchant_captures(self, minor: int, final: bool) -> None:
        self._request("CAPTURE", minor, self.model.capturable, final)

    @precondition(lambda self: self.model.asked[0].kind == "AUTHORIZE")
    @rule()
    def merchant_voids(self) -> None:
        self._request("VOID", self.model.authorized - self.model.captured or AMOUNT, self.model.capturable)

    def _request(self, kind: str, minor: int, allowed: int, final: bool = True) -> None:
        def ask() -> None:
            amount, whose = Money(minor, "MYR"), {"transaction_id": self.transaction.pk, "actor": MERCHANT, "now": NOW}
            match kind:
                case "REFUND":
                    refund_request(amount=amount, reason="machine", **whose)
                case "CAPTURE":
                    capture_request(amount=amount, final=final, **whose)
                case _:
                    void_request(**whose)

        if minor > allowed:
            with pytest.raises(InvalidState):
                ask()
            return
        ask()
        self.model.request(kind, minor, final)
        operation = Operation.objects.get(payment__transaction=self.transaction, state="QUEUED")
        # As a worker would have left it after three look-ups that found nothing.
        Operation.objects.filter(pk=operation.pk).update(state="SENT", sends=1, look_ups=3, sent_at=NOW)
        self.operations.append(operation)

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        row, model = Transaction.objects.get(pk=self.transaction.pk), self.model
        assert (row.status, row.version) == (model.status, model.version)
        assert (row.amount_authorized_minor, row.amount_captured_minor) == (model.authorized, model.captured)
        assert (row.amount_refunded_minor, row.amount_refund_pending_minor) == (model.refunded, model.pending)
        assert row.amount_refunded_minor + row.amount_refund_pending_minor <= row.amount_captured_minor <= AMOUNT
        states = dict(Operation.objects.filter(payment__transaction=row).values_list("pk", "state"))
        assert [states[operation.pk] for operation in self.operations] == [asked.state for asked in model.asked]
        open_refunds = sum(a.kind == "REFUND" and a.state not in ENDED for a in model.asked)
        assert Refund.objects.filter(transaction=row, state="PENDING").count() == open_refunds
        kinds = ReviewItem.objects.filter(payment__transaction=row).values_list("kind", flat=True)
        assert sorted(kinds) == sorted(model.reviews)

    @invariant()
    def the_ledger_balances_and_is_the_accountants(self) -> None:
        with connection.cursor() as cursor:  # what the database checks at every commit
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        postings = Posting.objects.filter(entry__transaction=self.transaction)
        sums = postings.values_list("account__kind").annotate(total=Sum("amount_minor"))
        assert dict(sums) == self.model.books
        assert sum(self.model.books.values()) == 0

    @invariant()
    def versions_are_gapless_with_one_fact_and_one_audit_record_each(self) -> None:
        facts = Fact.objects.filter(subject_id=self.transaction.pk).order_by("sequence")
        audit = AuditRecord.objects.filter(subject_id=self.transaction.pk).order_by("version")
        names = list(facts.values_list("sequence", "name"))
        assert [sequence for sequence, _ in names] == list(range(1, self.model.version + 1))
        assert list(audit.values_list("version", "action")) == names


@pytest.mark.django_db
def test_any_order_of_requests_and_answers():
    """The same sequences on every run, so that a failure repeats."""
    run_state_machine_as_test(
        PaymentMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
