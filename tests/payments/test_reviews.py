"""Closing open questions: each decision moves exactly the money it says, takes two people, and leaves nothing in suspense."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.approvals import approve
from common.changes import Actor
from common.errors import Forbidden, InvalidState
from common.events import EVENT_OF_FACT
from common.models import AuditRecord, Fact, Proposal
from common.money import Money
from payments.models import Operation, Posting, Refund, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.captures import capture_request
from payments.services.refunds import refund_request
from payments.services.reviews import decisions_for, review_propose
from payments.states import Decision
from tests.factories import (
    NOW,
    ProviderAccountFactory,
    attempt,
    captured_transaction,
    new_hosted,
    new_transaction,
    sale_of,
    settle,
)
from tests.payments.deciding import decided, person
from tests.payments.verify.books import wrong

pytestmark = pytest.mark.django_db

MERCHANT = Actor("merchant:test")
LATER = NOW + timedelta(hours=2)


def conflicted(minor: int, *, currency: str = "MYR", provider: str = "migs") -> Transaction:
    """100.00 MYR was asked for, the provider moved something else."""
    account = ProviderAccountFactory(provider=provider, fee_basis_points=100)
    transaction = new_transaction(account).transaction
    settle(sale_of(transaction), amount=Money(minor, currency), provider_reference="P9")
    return transaction


def late(end: Outcome = Outcome.DECLINED, minor: int = 10_000) -> Transaction:
    transaction = new_transaction(ProviderAccountFactory(provider="migs", fee_basis_points=100)).transaction
    settle(sale_of(transaction), end, now=LATER)
    settle(sale_of(transaction), amount=Money(minor, "MYR"), now=LATER)
    return transaction


def answer(operation: Operation, outcome: Outcome = Outcome.SUCCEEDED, **said: object) -> Operation:
    """The provider answers an operation that was queued."""
    Operation.objects.filter(pk=operation.pk).update(state="SENT", sends=1, look_ups=3, sent_at=NOW)
    settle(operation, outcome, now=LATER, **said)
    operation.refresh_from_db()
    return operation


def returning(transaction: Transaction) -> Operation:
    return Operation.objects.get(payment__transaction=transaction, state="QUEUED")


def booked() -> dict[str, int]:
    sums: dict[str, int] = {}
    for code, minor in Posting.objects.values_list("account_id", "amount_minor"):
        kind = code.split(":")[0]
        sums[kind] = sums.get(kind, 0) + minor
    return {kind: minor for kind, minor in sums.items() if minor}


def events(transaction: Transaction) -> list[str]:
    """What the merchant hears, in order; fails unless each fact has its audit record."""
    facts = list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("sequence", "name"))
    audits = AuditRecord.objects.filter(subject_id=transaction.pk, version__isnull=False).order_by("version")
    assert list(audits.values_list("version", "action")) == facts
    return [EVENT_OF_FACT[name] for _, name in facts if name in EVENT_OF_FACT]


@pytest.fixture(autouse=True)
def _books_are_right():
    """Whatever a test did, the books and the database's deferred rules hold after it."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert wrong() == {}


def test_less_than_asked_is_accepted_as_what_it_is():
    transaction = conflicted(9_000)

    item = decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (item.state, item.suspense_minor, item.accepted_minor, item.resolved_by) == (
        "CLOSED",
        0,
        9_000,
        "operator:yes",
    )
    assert (transaction.status, transaction.amount_captured_minor, transaction.failure_code) == ("COMPLETED", 9_000, "")
    assert transaction.payments.get().state == "CAPTURED"
    assert booked() == {"provider_receivable": 9_000, "merchant_payable": -8_910, "fee_income": -90}
    assert events(transaction) == ["transaction.created", "transaction.completed"]


def test_more_than_asked_is_accepted_up_to_the_order_and_the_rest_goes_back():
    transaction = conflicted(11_000)

    item = decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (item.state, item.suspense_minor, item.accepted_minor) == ("RETURNING", 1_000, 10_000)
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 10_000)
    operation = returning(transaction)
    assert (operation.kind, operation.amount_minor, operation.refund_id) == ("REFUND", 1_000, None)

    answer(operation)

    item.refresh_from_db()
    assert (item.state, item.suspense_minor, item.decision) == ("CLOSED", 0, "ACCEPT")
    assert booked() == {"provider_receivable": 10_000, "merchant_payable": -9_900, "fee_income": -100}
    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_refunded_minor) == ("COMPLETED", 0)


def test_a_surplus_that_cannot_go_back_stays_open_until_it_is_booked_off():
    transaction = conflicted(11_000)
    item = decided(ReviewItem.objects.get(), Decision.ACCEPT)

    answer(returning(transaction), Outcome.DECLINED)

    item.refresh_from_db()
    assert (item.state, item.suspense_minor) == ("OPEN", 1_000)
    assert [choice.decision for choice in decisions_for(item)] == [Decision.RETURN, Decision.WRITE_OFF]
    with pytest.raises(InvalidState):
        decided(item, Decision.ACCEPT)
    assert decided(item, Decision.WRITE_OFF, keep=True).state == "CLOSED"
    assert booked() == {
        "provider_receivable": 11_000,
        "merchant_payable": -9_900,
        "fee_income": -100,
        "differences": -1_000,
    }


def test_given_back_it_is_a_payment_that_failed():
    transaction = conflicted(11_000)

    item = decided(ReviewItem.objects.get(), Decision.RETURN)
    transaction.refresh_from_db()
    assert (item.state, transaction.status, item.suspense_minor) == ("RETURNING", "PROCESSING", 11_000)
    answer(returning(transaction))

    item.refresh_from_db()
    transaction.refresh_from_db()
    assert (item.state, item.decision, item.suspense_minor) == ("CLOSED", "RETURN", 0)
    assert (transaction.status, transaction.failure_code, transaction.amount_captured_minor) == (
        "FAILED",
        "AMOUNT_MISMATCH",
        0,
    )
    assert booked() == {}
    assert events(transaction) == ["transaction.created", "transaction.failed"]


def test_a_refused_return_may_be_tried_again():
    transaction = conflicted(11_000)
    item = decided(ReviewItem.objects.get(), Decision.RETURN)
    answer(returning(transaction), Outcome.DECLINED)
    item.refresh_from_db()
    assert (item.state, item.suspense_minor) == ("OPEN", 11_000)

    decided(item, Decision.RETURN)
    answer(returning(transaction))

    item.refresh_from_db()
    assert (item.state, item.suspense_minor, booked()) == ("CLOSED", 0, {})


def test_a_return_that_moves_another_amount_is_a_question_of_its_own():
    transaction = conflicted(11_000)
    decided(ReviewItem.objects.get(), Decision.RETURN)

    answer(returning(transaction), amount=Money(12_000, "MYR"))

    first, second = ReviewItem.objects.order_by("opened_at")
    assert (first.state, first.suspense_minor, second.state, second.suspense_minor) == ("OPEN", 11_000, "OPEN", -12_000)
    decided(second, Decision.WRITE_OFF)
    decided(first, Decision.WRITE_OFF)
    transaction.refresh_from_db()
    assert (transaction.status, booked()) == ("FAILED", {})


def test_a_return_that_succeeds_after_it_was_refused_is_money_out_twice_explained():
    transaction = conflicted(11_000)
    decided(ReviewItem.objects.get(), Decision.RETURN)
    operation = answer(returning(transaction), Outcome.DECLINED)

    settle(operation, now=LATER)

    first, second = ReviewItem.objects.order_by("opened_at")
    assert (second.kind, first.suspense_minor + second.suspense_minor) == ("LATE_SUCCESS", 0)
    for item in (second, first):
        decided(item, Decision.WRITE_OFF, keep=True)
    assert booked() == {}


@pytest.mark.parametrize(
    ("keep", "books"), [(False, {}), (True, {"provider_receivable": 11_000, "differences": -11_000})]
)
def test_booked_off_against_the_provider_or_as_a_difference_of_ours(keep, books):
    transaction = conflicted(11_000)

    item = decided(ReviewItem.objects.get(), Decision.WRITE_OFF, keep=keep)

    transaction.refresh_from_db()
    assert (item.state, item.suspense_minor, transaction.status) == ("CLOSED", 0, "FAILED")
    assert booked() == books


def test_another_currency_is_not_taken_as_paid():
    conflicted(10_000, currency="USD")
    item = ReviewItem.objects.get()
    assert (item.currency, item.suspense_minor) == ("USD", 10_000)

    with pytest.raises(InvalidState, match="the order is in MYR"):
        decided(item, Decision.ACCEPT)

    assert not Proposal.objects.exists()


@pytest.mark.parametrize("end", [Outcome.DECLINED, Outcome.NOT_FOUND])
def test_late_money_is_taken_as_paid(end):
    transaction = late(end)

    item = decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    payment = transaction.payments.get()
    assert (transaction.status, transaction.amount_captured_minor, transaction.failure_code) == (
        "COMPLETED",
        10_000,
        "",
    )
    assert (payment.state, payment.failure_code, payment.fee_minor, item.state) == ("CAPTURED", "", 100, "CLOSED")
    assert booked() == {"provider_receivable": 10_000, "merchant_payable": -9_900, "fee_income": -100}
    assert events(transaction)[-1] == "transaction.completed"
    refund_request(transaction_id=transaction.pk, amount=None, reason="r", actor=MERCHANT, now=LATER)
    answer(Operation.objects.get(refund__isnull=False))
    transaction.refresh_from_db()
    assert transaction.status == "REFUNDED"


def test_late_money_goes_back():
    transaction = late()

    item = decided(ReviewItem.objects.get(), Decision.RETURN)
    answer(returning(transaction))

    item.refresh_from_db()
    transaction.refresh_from_db()
    assert (item.state, transaction.status, transaction.payments.get().state, booked()) == (
        "CLOSED",
        "FAILED",
        "DECLINED",
        {},
    )
    assert events(transaction) == ["transaction.created", "transaction.failed"]


def test_an_order_paid_otherwise_is_not_paid_twice():
    transaction = new_hosted(ProviderAccountFactory())
    first = attempt(transaction)
    settle(first, Outcome.DECLINED)
    settle(attempt(transaction))
    settle(first)

    with pytest.raises(InvalidState, match="another payment"):
        decided(ReviewItem.objects.get(), Decision.ACCEPT)

    assert (ReviewItem.objects.get().state, Proposal.objects.count()) == ("OPEN", 0)
    assert decided(ReviewItem.objects.get(), Decision.RETURN).state == "RETURNING"


def held_hold(minor: int | None = None) -> Transaction:
    account = ProviderAccountFactory(provider="migs", mode="authorise")
    transaction = new_transaction(account, manual_capture=True).transaction
    settle(sale_of(transaction), amount=Money(minor, "MYR") if minor else sale_of(transaction).amount)
    return transaction


def test_a_hold_of_another_amount_is_accepted_and_can_be_captured():
    transaction = held_hold(9_000)

    decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_authorized_minor, booked()) == ("AUTHORIZED", 9_000, {})
    capture_request(transaction_id=transaction.pk, amount=None, actor=MERCHANT, now=LATER)
    answer(returning(transaction))
    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 9_000)


def test_a_hold_of_another_amount_is_released():
    transaction = held_hold(11_000)

    item = decided(ReviewItem.objects.get(), Decision.RETURN)
    assert returning(transaction).kind == "VOID"
    answer(returning(transaction))

    item.refresh_from_db()
    transaction.refresh_from_db()
    assert (item.state, transaction.status, transaction.amount_authorized_minor) == ("CLOSED", "FAILED", 0)


@pytest.mark.parametrize(("moved", "captured", "surplus"), [(3_900, 3_900, 0), (10_500, 10_000, 500)])
def test_a_capture_of_another_amount_is_accepted_within_the_hold(moved, captured, surplus):
    transaction = held_hold()
    capture_request(transaction_id=transaction.pk, amount=Money(4_000, "MYR"), actor=MERCHANT, now=LATER)
    answer(returning(transaction), amount=Money(moved, "MYR"))

    item = decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor, item.suspense_minor) == (
        "COMPLETED",
        captured,
        surplus,
    )


def test_a_part_of_another_amount_leaves_the_rest_of_the_hold():
    transaction = held_hold()
    for amount, moved in ((1_000, 1_000), (2_000, 2_500)):
        capture_request(
            transaction_id=transaction.pk, amount=Money(amount, "MYR"), final=False, actor=MERCHANT, now=LATER
        )
        answer(returning(transaction), amount=Money(moved, "MYR"))

    decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("AUTHORIZED", 3_500)
    assert events(transaction)[-1] == "transaction.partially_captured"


def test_given_back_a_conflicting_part_leaves_what_was_captured_before():
    transaction = held_hold()
    for amount, moved in ((1_000, 1_000), (2_000, 2_500)):
        capture_request(
            transaction_id=transaction.pk, amount=Money(amount, "MYR"), final=False, actor=MERCHANT, now=LATER
        )
        answer(returning(transaction), amount=Money(moved, "MYR"))

    decided(ReviewItem.objects.get(), Decision.RETURN)
    answer(returning(transaction))

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 1_000)


def refunded_otherwise(minor: int, *, asked: int = 3_000) -> tuple[Transaction, ReviewItem]:
    transaction = captured_transaction(ProviderAccountFactory(provider="migs"))
    refund_request(transaction_id=transaction.pk, amount=Money(asked, "MYR"), reason="r", actor=MERCHANT, now=NOW)
    answer(returning(transaction), amount=Money(minor, "MYR"))
    return transaction, ReviewItem.objects.get()


@pytest.mark.parametrize("moved", [2_000, 4_000])
def test_a_refund_of_another_amount_is_taken_as_it_moved(moved):
    transaction, item = refunded_otherwise(moved)
    assert item.suspense_minor == -moved

    decided(item, Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_refunded_minor) == ("PARTIALLY_REFUNDED", moved)
    assert (transaction.amount_refund_pending_minor, Refund.objects.get().state) == (0, "SUCCEEDED")
    assert booked() == {"provider_receivable": 10_000 - moved, "merchant_payable": moved - 10_000}
    assert events(transaction)[-1] == "refund.completed"


def test_more_than_was_left_cannot_be_taken_as_refunded():
    transaction, item = refunded_otherwise(10_001, asked=10_000)

    with pytest.raises(InvalidState, match="No refund of"):
        decided(item, Decision.ACCEPT)

    transaction.refresh_from_db()
    assert transaction.amount_refund_pending_minor == 10_000


def test_booked_off_a_conflicting_refund_frees_its_reservation():
    transaction, item = refunded_otherwise(4_000)

    decided(item, Decision.WRITE_OFF)

    transaction.refresh_from_db()
    assert (transaction.amount_refund_pending_minor, transaction.refundable_minor) == (0, 10_000)
    assert (Refund.objects.get().state, events(transaction)[-1]) == ("FAILED", "refund.failed")
    assert booked() == {"provider_receivable": 10_000, "merchant_payable": -10_000}


def test_a_refund_that_was_made_after_all_is_taken_as_refunded():
    transaction = captured_transaction(ProviderAccountFactory(provider="migs"))
    refund_request(transaction_id=transaction.pk, amount=Money(3_000, "MYR"), reason="r", actor=MERCHANT, now=NOW)
    operation = answer(returning(transaction), Outcome.DECLINED)
    settle(operation, now=LATER)

    decided(ReviewItem.objects.get(), Decision.ACCEPT)

    transaction.refresh_from_db()
    assert (transaction.amount_refunded_minor, Refund.objects.get().state) == (3_000, "SUCCEEDED")


def overdue() -> Transaction:
    transaction = captured_transaction(ProviderAccountFactory(provider="migs"))
    refund_request(transaction_id=transaction.pk, amount=Money(3_000, "MYR"), reason="r", actor=MERCHANT, now=NOW)
    operation = returning(transaction)
    Operation.objects.filter(pk=operation.pk).update(state="SENT", sends=1, sent_at=NOW)
    settle(operation, Outcome.UNKNOWN, now=NOW + timedelta(hours=25))
    return transaction


def test_an_overdue_outcome_is_given_up_on_evidence_and_not_told_to_the_merchant():
    transaction = overdue()

    item = decided(ReviewItem.objects.get(), Decision.GIVE_UP)

    transaction.refresh_from_db()
    refund = Refund.objects.get()
    assert (item.state, refund.state, transaction.amount_refund_pending_minor) == ("CLOSED", "FAILED", 0)
    assert "letter" not in refund.failure_reason
    assert AuditRecord.objects.get(action="review.give_up").reason == "Seen the bank's letter"


def test_an_overdue_outcome_that_is_answered_closes_its_question():
    overdue()

    settle(Operation.objects.get(kind="REFUND"), now=NOW + timedelta(hours=26))

    item = ReviewItem.objects.get()
    assert (item.state, item.decision, item.proposal_id, item.resolved_by) == (
        "CLOSED",
        "ANSWERED",
        None,
        "provider:test",
    )


def test_what_was_contradicted_stands_when_two_people_say_so():
    transaction = captured_transaction(ProviderAccountFactory())
    settle(sale_of(transaction), Outcome.DECLINED)
    transaction.refresh_from_db()
    version = transaction.version

    item = decided(ReviewItem.objects.get(), Decision.STANDS)

    transaction.refresh_from_db()
    assert (item.state, item.resolution, transaction.version) == ("CLOSED", "Seen the bank's letter", version)
    assert AuditRecord.objects.filter(action="review.stands", subject_id=item.pk).count() == 1


def test_nobody_decides_alone_and_nothing_has_happened():
    transaction, ask = conflicted(9_000), person()
    item = ReviewItem.objects.get()
    proposal = review_propose(item_id=item.pk, decision=Decision.ACCEPT, reason="r", by=ask, actor=MERCHANT, now=LATER)

    for who in (ask, person(is_superuser=False)):
        with pytest.raises(Forbidden):
            approve(proposal_id=proposal.pk, by=who, reason="", actor=MERCHANT, now=LATER)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.version, ReviewItem.objects.get().state) == ("PROCESSING", 2, "OPEN")
    assert booked() == {"provider_receivable": 9_000, "suspense": -9_000}


def test_a_payment_that_moved_since_makes_the_proposal_void():
    transaction, item = refunded_otherwise(4_000)
    proposal = review_propose(
        item_id=item.pk, decision=Decision.ACCEPT, reason="r", by=person(), actor=MERCHANT, now=LATER
    )
    refund_request(transaction_id=transaction.pk, amount=Money(100, "MYR"), reason="r", actor=MERCHANT, now=NOW)

    with pytest.raises(InvalidState, match="void"):
        approve(proposal_id=proposal.pk, by=person(), reason="", actor=MERCHANT, now=LATER)

    assert ReviewItem.objects.get().state == "OPEN"


CLOSE = "UPDATE review_item SET state = 'CLOSED', resolved_at = now(), suspense_minor = 0, decision = '{}'"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (CLOSE.format("ACCEPT"), "neither by an approved proposal nor by an answer"),
        (CLOSE.format("STANDS"), "neither by an approved proposal nor by an answer"),
        (CLOSE.format("ANSWERED").replace("suspense_minor = 0,", ""), "nothing_in_suspense"),
        ("UPDATE review_item SET state = 'RETURNING'", "returning_has_its_operation"),
        ("UPDATE review_item SET operation_id = 'op_x'", "not changed afterwards"),
        ("DELETE FROM review_item", "never deleted"),
        ("UPDATE payment SET state = 'CAPTURED'", "only by a decision of two people"),
        ("UPDATE payment SET state = 'DECLINED'", "only by a decision of two people"),
    ],
)
def test_raw_sql_closes_nothing(sql, why):
    conflicted(9_000)

    with pytest.raises(IntegrityError, match=why), database.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_raw_sql_pays_no_ended_payment_and_reopens_nothing():
    late()
    for sql in ("UPDATE payment SET state = 'CAPTURED'", "UPDATE transaction SET status = 'COMPLETED'"):
        with (
            pytest.raises(IntegrityError, match="only by a decision"),
            database.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
    decided(ReviewItem.objects.get(), Decision.ACCEPT)

    with pytest.raises(IntegrityError, match="is closed"), database.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE review_item SET state = 'OPEN', resolved_at = NULL")
