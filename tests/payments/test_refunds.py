"""Refunds: works; refused; no reply; asked twice. A refusal leaves nothing behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound
from common.models import AuditRecord, Fact
from common.money import Money
from payments.models import JournalEntry, Operation, Refund, ReviewItem
from payments.providers.base import Outcome
from payments.services.refunds import refund_request
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, settle

pytestmark = pytest.mark.django_db

ACTOR = Actor("operator:aisha")


def ask(transaction, minor=None, **changes):
    amount = None if minor is None else Money(minor, changes.pop("currency", "MYR"))
    return refund_request(
        transaction_id=transaction.pk, amount=amount, reason="returned", actor=ACTOR, now=NOW, **changes
    )


def send(refund: Refund) -> Operation:
    """As a worker does before it calls the provider."""
    operation = refund.operation
    operation.state, operation.sent_at = "SENT", NOW
    operation.save()
    return operation


def test_a_partial_refund_is_pending_then_completed_and_booked():
    transaction = captured_transaction(ProviderAccountFactory())

    refund = ask(transaction, 4_000)
    transaction.refresh_from_db()
    reserved = (transaction.status, transaction.amount_refund_pending_minor, transaction.amount_refunded_minor)
    settle(send(refund))

    transaction.refresh_from_db()
    refund.refresh_from_db()
    assert reserved == ("COMPLETED", 4_000, 0)
    assert (refund.state, transaction.status) == ("SUCCEEDED", "PARTIALLY_REFUNDED")
    assert (transaction.amount_refund_pending_minor, transaction.amount_refunded_minor) == (0, 4_000)
    entry = JournalEntry.objects.get(fact_name="refund.completed")
    assert sorted(entry.postings.values_list("amount_minor", flat=True)) == [-4_000, 4_000]
    assert [f.name for f in Fact.objects.order_by("sequence")][-2:] == ["refund.created", "refund.completed"]


def test_without_an_amount_all_that_is_left_is_refunded():
    transaction = captured_transaction(ProviderAccountFactory())
    settle(send(ask(transaction, 4_000)))

    refund = ask(transaction)
    settle(send(refund))

    transaction.refresh_from_db()
    assert refund.amount_minor == 6_000
    assert transaction.status == "REFUNDED"


def test_a_refused_refund_frees_what_it_had_reserved():
    transaction = captured_transaction(ProviderAccountFactory())
    refund = ask(transaction, 10_000)

    settle(send(refund), Outcome.DECLINED, failure_code="DECLINED", reason="The account is closed.")

    transaction.refresh_from_db()
    refund.refresh_from_db()
    assert (refund.state, refund.failure_reason) == ("FAILED", "The account is closed.")
    assert (transaction.status, transaction.refundable_minor) == ("COMPLETED", 10_000)
    assert not JournalEntry.objects.filter(fact_name__startswith="refund").exists()


def test_no_reply_is_not_a_failure_and_not_found_is_believed_only_after_the_window():
    transaction = captured_transaction(ProviderAccountFactory())
    refund = ask(transaction, 10_000)
    operation = send(refund)

    settle(operation, Outcome.UNKNOWN)
    Operation.objects.filter(pk=operation.pk).update(look_ups=3)
    settle(operation, Outcome.NOT_FOUND, now=NOW + timedelta(minutes=14))
    refund.refresh_from_db()
    state_within = refund.state
    settle(operation, Outcome.NOT_FOUND, now=NOW + timedelta(minutes=15))

    refund.refresh_from_db()
    transaction.refresh_from_db()
    assert state_within == "PENDING"
    assert (refund.state, refund.failure_code) == ("FAILED", "NOT_EXECUTED")
    assert transaction.refundable_minor == 10_000


def test_a_refund_of_another_amount_stays_reserved_for_review():
    transaction = captured_transaction(ProviderAccountFactory())
    refund = ask(transaction, 9_00)

    settle(send(refund), amount=Money(10_00, "MYR"))

    transaction.refresh_from_db()
    refund.refresh_from_db()
    assert (refund.state, transaction.amount_refund_pending_minor) == ("CONFLICTED", 900)
    assert ReviewItem.objects.get().kind == "CONFLICT"


@pytest.mark.parametrize(
    ("minor", "changes", "error"),
    [
        (10_001, {}, InvalidState),
        (0, {}, InvalidState),
        (-1, {}, InvalidState),
        (100, {"currency": "USD"}, InvalidRequest),
        (100, {"merchant_id": "mer_other", "live": False}, NotFound),
        (100, {"live": True}, NotFound),
    ],
)
def test_refund_that_must_not_be_is_refused_and_leaves_nothing(minor, changes, error):
    account = ProviderAccountFactory()
    transaction = captured_transaction(account)
    if "live" in changes and "merchant_id" not in changes:
        changes = {**changes, "merchant_id": account.merchant_id}
    before = (Fact.objects.count(), AuditRecord.objects.count(), Operation.objects.count())

    with pytest.raises(error):
        ask(transaction, minor, **changes)

    transaction.refresh_from_db()
    assert (Fact.objects.count(), AuditRecord.objects.count(), Operation.objects.count()) == before
    assert (Refund.objects.count(), transaction.amount_refund_pending_minor) == (0, 0)


def test_refund_of_an_unpaid_transaction_is_refused():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    with pytest.raises(InvalidState, match="PENDING cannot be refunded"):
        ask(transaction, 100)

    assert Refund.objects.count() == 0
