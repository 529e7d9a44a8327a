"""Whatever payers, providers and merchants do to a hosted transaction, in any order: one payment can charge at a time, and the books hold."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db import transaction as database
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from common.books import Asked, verify
from common.changes import Actor
from common.errors import InvalidState
from common.events import EVENT_OF_FACT
from common.models import Fact
from payments.models import Operation, Payment, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.pages import page_attempt, page_end
from payments.states import OVER, TransactionStatus
from tests.factories import NOW, MerchantFactory, ProviderAccountFactory, new_hosted, settle

TRIES = 3
ENDS = {"transaction.completed", "transaction.failed", "transaction.expired", "transaction.cancelled"}
S = TransactionStatus


class PageMachine(RuleBasedStateMachine):
    """One hosted transaction. Each sequence is rolled back; time only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self._sequence = database.atomic()
        self._sequence.__enter__()
        self.now: datetime = NOW
        self.operations: list[Operation] = []

    def teardown(self) -> None:
        with connection.cursor() as cursor:  # what the database checks at every commit
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        wrong = {check.name: found.violations for check, found in verify(Asked(now=NOW)) if found.violations}
        database.set_rollback(True)
        self._sequence.__exit__(None, None, None)
        assert wrong == {}

    @initialize()
    def create(self) -> None:
        merchant = MerchantFactory()
        ProviderAccountFactory(merchant=merchant, provider="migs")
        self.hosted = new_hosted(ProviderAccountFactory(merchant=merchant, fee_basis_points=150))

    def read(self) -> tuple[Transaction, list[Payment]]:
        return Transaction.objects.get(pk=self.hosted.pk), list(self.hosted.payments.order_by("attempt"))

    @rule(method=st.sampled_from(["fpx", "migs"]))
    def payer_chooses(self, method: str) -> None:
        before, payments = self.read()
        last = payments[-1] if payments else None
        under_review = ReviewItem.objects.filter(payment__transaction=self.hosted, kind="LATE_SUCCESS").exists()
        over = last is None or last.state in OVER
        free = over and before.status == S.PENDING and self.now < before.expires_at and len(payments) < TRIES
        same = not over and last is not None and before.status == S.PENDING and last.method == method
        try:
            payment = page_attempt(transaction_id=self.hosted.pk, method=method, actor=Actor("payer"), now=self.now)
        except InvalidState:
            assert not same
            assert not free or under_review
        else:
            assert same or (free and not under_review)
            if not same:
                self.operations.append(payment.operations.get())

    @rule(which=st.integers(0, 5), outcome=st.sampled_from([Outcome.DECLINED, Outcome.DECLINED, *Outcome]))
    def provider_says(self, which: int, outcome: Outcome) -> None:
        if self.operations:
            settle(self.operations[which % len(self.operations)], outcome, now=self.now)

    @rule(minutes=st.sampled_from([1, 20, 40]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(status=st.sampled_from([S.EXPIRED, S.CANCELLED]))
    def it_is_ended(self, status: TransactionStatus) -> None:
        before, payments = self.read()
        may = before.status == S.PENDING and (not payments or payments[-1].state in OVER)
        try:
            page_end(transaction_id=self.hosted.pk, status=status, actor=Actor("system:test"), now=self.now)
        except InvalidState:
            assert not may
        else:
            assert may

    @invariant()
    def one_payment_can_charge(self) -> None:
        row, payments = self.read()
        assert sum(payment.state not in OVER for payment in payments) <= 1
        assert [payment.attempt for payment in payments] == list(range(1, len(payments) + 1))
        assert len(payments) <= TRIES
        assert row.amount_captured_minor in (0, row.amount_minor)
        took = Operation.objects.filter(payment__transaction=self.hosted, state="SUCCEEDED").count()
        assert (took == 1) == (row.amount_captured_minor > 0)

    @invariant()
    def the_merchant_hears_of_one_end(self) -> None:
        row, _ = self.read()
        names = Fact.objects.filter(subject_id=self.hosted.pk).order_by("sequence").values_list("name", flat=True)
        ends = [EVENT_OF_FACT[name] for name in names if EVENT_OF_FACT.get(name) in ENDS]
        assert len(ends) == (row.status not in (S.PENDING, S.PROCESSING))


@pytest.mark.django_db
def test_any_order_of_choices_answers_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sequences on every run, so that a failure repeats."""
    monkeypatch.setattr("django.conf.settings.PAYMENT_ATTEMPTS", TRIES)
    run_state_machine_as_test(
        PageMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
