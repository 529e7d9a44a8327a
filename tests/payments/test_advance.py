"""payment_advance: every answer a provider can give, in any order, does exactly what the table of moves says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.changes import Actor
from common.errors import InvalidRequest
from common.models import AuditRecord, Fact
from common.money import Money
from payments.models import JournalEntry, Payment, Posting, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.advance import Effect
from payments.services.captures import capture_request
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, sale_of, settle

pytestmark = pytest.mark.django_db

MERCHANT = Actor("merchant:test")
LATER = NOW + timedelta(hours=2)


def trail(transaction: Transaction) -> list[tuple[str, int]]:
    """Facts in order; fails unless each has its audit record of the same version."""
    facts = list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("name", "sequence"))
    audits = AuditRecord.objects.filter(subject_id=transaction.pk).order_by("version").values_list("action", "version")
    assert list(audits) == facts
    assert [sequence for _, sequence in facts] == list(range(1, len(facts) + 1))
    return facts


def postings() -> dict[str, int]:
    """Sum of postings by kind of account."""
    sums: dict[str, int] = {}
    for code, amount in Posting.objects.values_list("account_id", "amount_minor"):
        kind = code.split(":")[0]
        sums[kind] = sums.get(kind, 0) + amount
    return sums


def test_a_paid_sale_is_completed_booked_and_told_once():
    account = ProviderAccountFactory(fee_basis_points=150, fee_fixed_minor=50)
    transaction = new_transaction(account).transaction

    effect = settle(sale_of(transaction), provider_reference="2603021234", approval_code="A1", bank_reference="B1")

    transaction.refresh_from_db()
    payment = transaction.payments.get()
    assert effect is Effect.MOVED
    assert (transaction.status, transaction.amount_captured_minor, transaction.version) == ("COMPLETED", 10_000, 2)
    assert (payment.state, payment.fee_minor, payment.paid_at) == ("CAPTURED", 200, NOW)
    assert (payment.provider_reference, payment.approval_code, payment.bank_reference) == ("2603021234", "A1", "B1")
    assert postings() == {"provider_receivable": 10_000, "merchant_payable": -9_800, "fee_income": -200}
    assert trail(transaction) == [("transaction.created", 1), ("payment.captured", 2)]


def test_the_same_answer_again_changes_nothing():
    transaction = captured_transaction(ProviderAccountFactory())

    effects = [settle(sale_of(transaction)) for _ in range(3)]

    assert effects == [Effect.REPEATED] * 3
    assert JournalEntry.objects.count() == 1
    assert len(trail(transaction)) == 2


@pytest.mark.parametrize(
    ("outcome", "minor", "said"), [(Outcome.DECLINED, None, "DECLINED"), (Outcome.SUCCEEDED, 9_000, "90.00 MYR")]
)
def test_what_contradicts_a_success_changes_nothing_and_asks_a_person_once(outcome, minor, said):
    transaction = captured_transaction(ProviderAccountFactory())
    amount = Money(minor, "MYR") if minor else None

    effects = [settle(sale_of(transaction), outcome, amount=amount, code="05") for _ in range(3)]

    transaction.refresh_from_db()
    item = ReviewItem.objects.get()
    assert effects == [Effect.CONTRADICTED] * 3
    assert (transaction.status, postings()["provider_receivable"]) == ("COMPLETED", 10_000)
    assert len(trail(transaction)) == 2
    assert (item.kind, item.suspense_minor, item.details["code"]) == ("CONTRADICTION", 0, "05")
    assert item.summary == f"It ended as SUCCEEDED with 100.00 MYR; later the provider said {said}."


def test_two_words_for_no_money_are_no_contradiction():
    transaction = new_transaction(ProviderAccountFactory()).transaction
    settle(sale_of(transaction), Outcome.DECLINED)

    assert settle(sale_of(transaction), Outcome.NOT_FOUND, now=LATER) is Effect.REPEATED

    assert not ReviewItem.objects.exists()


@pytest.mark.parametrize(
    ("failure_code", "reason"), [("INSUFFICIENT_FUNDS", "Not enough money."), ("CANCELLED_BY_PAYER", "Payer left.")]
)
def test_a_declined_sale_fails_with_its_reason(failure_code, reason):
    transaction = new_transaction(ProviderAccountFactory()).transaction

    settle(sale_of(transaction), Outcome.DECLINED, failure_code=failure_code, reason=reason)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.failure_code, transaction.failure_reason) == (
        "FAILED",
        failure_code,
        reason,
    )
    assert postings() == {}
    assert trail(transaction)[-1] == ("payment.declined", 2)


def test_another_amount_goes_to_the_conflict_list_and_to_suspense():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    effect = settle(sale_of(transaction), amount=Money(11_000, "MYR"), provider_reference="P9")

    transaction.refresh_from_db()
    item = ReviewItem.objects.get()
    assert effect is Effect.REVIEW
    assert (transaction.status, transaction.amount_captured_minor) == ("PROCESSING", 0)
    assert transaction.payments.get().state == "CONFLICTED"
    assert (item.kind, item.details["asked"], item.details["providerSaid"]) == ("CONFLICT", "100.00", "110.00")
    assert postings() == {"provider_receivable": 11_000, "suspense": -11_000}
    assert settle(sale_of(transaction), amount=Money(11_000, "MYR")) is Effect.REPEATED


def test_another_currency_is_a_conflict_too():
    transaction = new_transaction(ProviderAccountFactory(provider="migs")).transaction

    assert settle(sale_of(transaction), amount=Money(10_000, "USD")) is Effect.REVIEW

    transaction.refresh_from_db()
    assert transaction.status == "PROCESSING"


def test_unknown_and_not_found_leave_it_open_until_the_payer_is_out_of_time():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    before = [settle(sale_of(transaction), outcome) for outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND)]
    transaction.refresh_from_db()
    status_before = transaction.status
    after = settle(sale_of(transaction), Outcome.NOT_FOUND, now=LATER)

    transaction.refresh_from_db()
    assert before == [Effect.WAITING, Effect.WAITING]
    assert status_before == "PENDING"
    assert after is Effect.MOVED
    assert (transaction.status, trail(transaction)[-1]) == ("EXPIRED", ("payment.expired", 2))


def test_a_provider_that_cannot_be_asked_never_expires_a_payment():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    assert settle(sale_of(transaction), Outcome.UNKNOWN, now=LATER) is Effect.WAITING

    transaction.refresh_from_db()
    assert transaction.status == "PENDING"


def test_pending_at_the_provider_shows_as_processing_once():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    effects = [settle(sale_of(transaction), Outcome.PENDING) for _ in range(2)]

    transaction.refresh_from_db()
    assert effects == [Effect.MOVED, Effect.WAITING]
    assert (transaction.status, transaction.payments.get().state) == ("PROCESSING", "PROCESSING")
    assert len(trail(transaction)) == 2


@pytest.mark.parametrize("end", [Outcome.DECLINED, Outcome.NOT_FOUND])
def test_money_that_comes_after_the_end_is_kept_in_suspense_for_review(end):
    transaction = new_transaction(ProviderAccountFactory()).transaction
    settle(sale_of(transaction), end, now=LATER)
    transaction.refresh_from_db()
    ended_as = transaction.status

    effects = [settle(sale_of(transaction), now=LATER) for _ in range(2)]

    transaction.refresh_from_db()
    assert effects == [Effect.REVIEW, Effect.REPEATED]
    assert transaction.status == ended_as
    assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
    assert postings() == {"provider_receivable": 10_000, "suspense": -10_000}
    assert trail(transaction)[-1] == ("payment.late_success", 3)


def test_an_outcome_that_stays_open_for_a_day_reaches_a_person():
    transaction = new_transaction(ProviderAccountFactory()).transaction

    for hours in (1, 25, 26):
        settle(sale_of(transaction), Outcome.UNKNOWN, now=NOW + timedelta(hours=hours))

    assert ReviewItem.objects.get().kind == "OVERDUE"
    assert sale_of(transaction).due_at > NOW + timedelta(hours=26)


def test_an_authorisation_holds_money_and_a_capture_takes_it():
    account = ProviderAccountFactory(provider="migs", mode="authorise")
    transaction = new_transaction(account, manual_capture=True).transaction
    settle(sale_of(transaction), provider_reference="T1")
    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_authorized_minor) == ("AUTHORIZED", 10_000)
    assert postings() == {}

    capture_request(transaction_id=transaction.pk, amount=Money(6_000, "MYR"), actor=MERCHANT, now=NOW)
    capture = transaction.payments.get().operations.get(kind="CAPTURE")
    capture.state = "SENT"
    capture.save()
    settle(capture)

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 6_000)
    assert postings() == {"provider_receivable": 6_000, "merchant_payable": -6_000}
    assert [name for name, _ in trail(transaction)] == [
        "transaction.created",
        "payment.authorized",
        "payment.capture_requested",
        "payment.captured",
    ]


def test_a_declined_capture_is_not_a_second_authorisation():
    transaction = new_transaction(
        ProviderAccountFactory(provider="migs", mode="authorise"), manual_capture=True
    ).transaction
    settle(sale_of(transaction))
    capture_request(transaction_id=transaction.pk, amount=None, actor=MERCHANT, now=NOW)
    capture = transaction.payments.get().operations.get(kind="CAPTURE")
    capture.state = "SENT"
    capture.save()

    settle(capture, Outcome.DECLINED)

    transaction.refresh_from_db()
    assert transaction.status == "AUTHORIZED"
    assert trail(transaction)[-1] == ("payment.capture_declined", 4)
    assert Payment.objects.get().state == "AUTHORIZED"


def test_an_honest_repeat_is_answered_whatever_became_of_the_account():
    account = ProviderAccountFactory()
    first = new_transaction(account, external_reference="T1")
    account.is_active = False
    account.save()

    again = new_transaction(account, external_reference="T1")

    assert (again.repeated, again.transaction.pk) == (True, first.transaction.pk)
    with pytest.raises(InvalidRequest):
        new_transaction(account, external_reference="T2")
    assert Transaction.objects.count() == 1
