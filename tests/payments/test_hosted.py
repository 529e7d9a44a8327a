"""A payer chooses on our page: declined attempts leave the transaction open, and never can two payments charge."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound, UnsupportedCurrency
from common.events import EVENT_OF_FACT
from common.models import Fact
from common.money import Money
from payments.models import JournalEntry, Operation, Payment, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.advance import Effect
from payments.services.cancellations import transaction_cancel
from payments.services.pages import page_ask_again, page_attempt, page_end
from payments.services.recovery import sweep
from payments.states import Decision, TransactionStatus
from tests.factories import NOW, MerchantFactory, ProviderAccountFactory, attempt, new_hosted, new_transaction, settle
from tests.payments.deciding import decided
from tests.payments.test_advance import postings, trail
from tests.payments.verify.books import wrong
from tests.support.api import counts

pytestmark = pytest.mark.django_db

PAYER = Actor("payer")
OVER = NOW + timedelta(minutes=30)


def page(**changes: object) -> Transaction:
    """A hosted transaction of a merchant with FPX and cards."""
    merchant = MerchantFactory()
    ProviderAccountFactory(merchant=merchant, provider="migs")
    return new_hosted(ProviderAccountFactory(merchant=merchant), **changes)


def now_of(hosted: Transaction) -> tuple[str, str, list[str]]:
    """Status and method of the transaction, states of its payments."""
    hosted.refresh_from_db()
    return hosted.status, hosted.method, list(hosted.payments.order_by("attempt").values_list("state", flat=True))


def test_a_page_is_accepted_without_a_payment():
    hosted = page()

    assert now_of(hosted) == ("PENDING", "", [])
    assert (hosted.hosted, hosted.version, hosted.expires_at) == (True, 1, OVER)
    assert trail(hosted) == [("transaction.created", 1)]
    fact = Fact.objects.get()
    assert (fact.payload["paymentTypeId"], fact.payload["transactionReference"]) == (None, hosted.pk)


def test_a_page_that_nothing_could_pay_is_refused():
    account = ProviderAccountFactory()
    before = counts()
    for changes in ({"amount": Money(100, "VND")}, {"manual_capture": True}):
        with pytest.raises(UnsupportedCurrency):
            new_hosted(account, **changes)
    assert counts() == before


def test_declined_then_paid_by_card_is_one_charge_and_one_public_event():
    hosted = page()

    settle(attempt(hosted, "fpx", bank_code="TEST0002"), Outcome.DECLINED, failure_code="INSUFFICIENT_FUNDS")
    assert now_of(hosted) == ("PENDING", "fpx", ["DECLINED"])
    assert (hosted.failure_code, hosted.payments.get().failure_code) == ("", "INSUFFICIENT_FUNDS")
    settle(attempt(hosted, "migs"), approval_code="A1")

    assert now_of(hosted) == ("COMPLETED", "migs", ["DECLINED", "CAPTURED"])
    assert hosted.amount_captured_minor == 10_000
    assert postings() == {"provider_receivable": 10_000, "merchant_payable": -10_000}
    names = [name for name, _ in trail(hosted)]
    assert names == [
        "transaction.created", "payment.opened", "payment.attempt_declined", "payment.opened", "payment.captured",
    ]  # fmt: skip
    assert [EVENT_OF_FACT[name] for name in names if name in EVENT_OF_FACT] == [
        "transaction.created",
        "transaction.completed",
    ]
    assert wrong() == {}


def test_a_decline_after_the_provider_had_it_lets_the_payer_choose_again():
    hosted = page()
    operation = attempt(hosted)
    settle(operation, Outcome.PENDING)
    assert now_of(hosted) == ("PROCESSING", "fpx", ["PROCESSING"])

    settle(operation, Outcome.DECLINED)

    assert now_of(hosted) == ("PENDING", "fpx", ["DECLINED"])
    assert wrong() == {}


def test_the_last_try_and_the_last_minute_end_it(settings):
    settings.PAYMENT_ATTEMPTS = 2
    tried, slow = page(), page()

    settle(attempt(tried), Outcome.DECLINED)
    settle(attempt(tried), Outcome.DECLINED, failure_code="INVALID_CARD")
    settle(attempt(slow), Outcome.DECLINED, now=OVER)

    assert now_of(tried) == ("FAILED", "fpx", ["DECLINED", "DECLINED"])
    assert (tried.failure_code, trail(tried)[-1][0]) == ("INVALID_CARD", "payment.declined")
    assert now_of(slow) == ("FAILED", "fpx", ["DECLINED"])
    for ended in (tried, slow):
        with pytest.raises(InvalidState):
            attempt(ended)


@pytest.mark.parametrize("outcome", [None, Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND, Outcome.SUCCEEDED])
def test_nothing_is_opened_beside_a_payment_that_may_charge(outcome):
    hosted = page()
    operation = attempt(hosted, "fpx", bank_code="TEST0001")
    if outcome is not None:
        settle(operation, outcome)
    before = counts()

    with pytest.raises(InvalidState):
        attempt(hosted, "migs")
    with pytest.raises(InvalidState):
        attempt(hosted, "fpx", bank_code="TEST0002")

    assert counts() == before


def test_the_same_choice_again_is_the_payment_that_is_open():
    hosted = page()
    first = attempt(hosted, "fpx", bank_code="TEST0001")
    before = counts()
    assert attempt(hosted, "fpx", bank_code="TEST0001") == first
    assert counts() == before


def test_money_from_an_attempt_that_was_over_stops_further_ones_until_somebody_has_looked():
    hosted = page()
    first = attempt(hosted)
    settle(first, Outcome.DECLINED)

    assert settle(first) is Effect.REVIEW
    before = counts()
    with pytest.raises(InvalidState):
        attempt(hosted, "migs")

    assert counts() == before
    assert now_of(hosted) == ("PENDING", "fpx", ["DECLINED"])
    assert postings() == {"provider_receivable": 10_000, "suspense": -10_000}
    assert wrong() == {}
    decided(ReviewItem.objects.get(), Decision.WRITE_OFF)
    assert attempt(hosted, "migs").payment.attempt == 2


def test_money_of_two_attempts_captures_once_and_the_late_one_is_under_review():
    hosted = page()
    first = attempt(hosted)
    settle(first, Outcome.DECLINED)
    second = attempt(hosted, "migs")

    settle(first)
    settle(second)

    assert now_of(hosted) == ("COMPLETED", "migs", ["DECLINED", "CAPTURED"])
    assert hosted.amount_captured_minor == 10_000
    assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
    assert postings() == {"provider_receivable": 20_000, "suspense": -10_000, "merchant_payable": -10_000}
    assert wrong() == {}


def test_choices_that_are_not_offered_are_refused():
    hosted = page()
    other = new_transaction(ProviderAccountFactory()).transaction
    before = counts()
    with pytest.raises(InvalidRequest):
        attempt(hosted, "vnpay")
    for elsewhere in (other.pk, "txn_0"):
        with pytest.raises(NotFound):
            page_attempt(transaction_id=elsewhere, method="fpx", actor=PAYER, now=NOW)
    with pytest.raises(InvalidState):
        attempt(hosted, now=OVER)
    assert counts() == before


def test_a_card_can_only_be_reserved_where_the_merchant_asked_for_it():
    cards = ProviderAccountFactory(provider="migs", mode="authorise")
    hosted = new_hosted(cards, manual_capture=True)

    settle(attempt(hosted, "migs"))

    assert now_of(hosted) == ("AUTHORIZED", "migs", ["AUTHORIZED"])
    assert Operation.objects.get().kind == "AUTHORIZE"


def test_the_sweep_ends_a_page_whose_time_is_over_and_no_other():
    unused, declined, unsure = page(), page(), page()
    settle(attempt(declined), Outcome.DECLINED)
    settle(attempt(unsure), Outcome.UNKNOWN)
    Operation.objects.filter(due_at__isnull=False).update(due_at=OVER + timedelta(days=1))

    assert sweep(clock=lambda: OVER - timedelta(microseconds=1)) == 0
    assert sweep(clock=lambda: OVER) == 2
    assert sweep(clock=lambda: OVER) == 0

    assert now_of(unused) == ("EXPIRED", "", [])
    assert (unused.failure_code, trail(unused)) == ("EXPIRED", [("transaction.created", 1), ("transaction.expired", 2)])
    assert now_of(declined) == ("EXPIRED", "fpx", ["DECLINED"])
    assert now_of(unsure) == ("PENDING", "fpx", ["CREATED"])
    assert wrong() == {}


def test_an_open_payment_expires_with_its_page():
    hosted = page()
    settle(attempt(hosted), Outcome.NOT_FOUND, now=OVER + timedelta(minutes=2))
    assert now_of(hosted) == ("EXPIRED", "fpx", ["EXPIRED"])


def test_its_merchant_cancels_what_nobody_pays():
    hosted = page()
    settle(attempt(hosted), Outcome.DECLINED)

    transaction_cancel(transaction_id=hosted.pk, actor=Actor("merchant:test"), now=NOW)

    assert now_of(hosted) == ("CANCELLED", "fpx", ["DECLINED"])
    assert trail(hosted)[-1][0] == "transaction.cancelled"
    with pytest.raises(InvalidState):
        attempt(hosted)
    with pytest.raises(InvalidState):
        transaction_cancel(transaction_id=hosted.pk, actor=Actor("merchant:test"), now=NOW)
    assert wrong() == {}


def test_an_open_payment_is_not_ended_with_its_page():
    hosted = page()
    attempt(hosted)
    before = counts()
    with pytest.raises(InvalidState):
        page_end(transaction_id=hosted.pk, status=TransactionStatus.EXPIRED, actor=PAYER, now=OVER)
    assert counts() == before


def test_asking_again_only_brings_the_look_up_forward():
    hosted = page()
    assert not page_ask_again(transaction_id=hosted.pk, now=NOW)
    operation = attempt(hosted)
    before = counts()

    assert page_ask_again(transaction_id=hosted.pk, now=NOW)

    operation.refresh_from_db()
    assert (operation.due_at, operation.state, counts()) == (NOW, "PENDING", before)
    settle(operation)
    assert not page_ask_again(transaction_id=hosted.pk, now=NOW)
    assert JournalEntry.objects.count() == 1


def test_a_named_method_fails_with_its_first_decline_as_ever():
    plain = new_transaction(ProviderAccountFactory()).transaction
    settle(plain.payments.get().operations.get(), Outcome.DECLINED)
    assert now_of(plain) == ("FAILED", "fpx", ["DECLINED"])
    assert trail(plain)[-1][0] == "payment.declined"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE transaction SET status = 'PENDING' WHERE NOT hosted AND status = 'PROCESSING'", "transaction_waits_again_only_if_hosted"),
        ("UPDATE transaction SET method = 'migs' WHERE NOT hosted", "transaction_method_chosen_only_if_hosted"),
        ("UPDATE transaction SET method = '' WHERE hosted", "transaction_method_chosen_only_if_hosted"),
        ("UPDATE transaction SET hosted = true", "transaction_fixed_columns"),
        ("UPDATE payment SET method = 'migs'", "payment_fixed_columns"),
        ("INSERT INTO payment SELECT (jsonb_populate_record(p, '{\"id\": \"pay_x\", \"attempt\": 2, \"payment_trans_id\": \"x\", \"state\": \"DECLINED\"}')).* FROM payment p JOIN transaction t ON t.id = p.transaction_id WHERE NOT t.hosted", "payment_again_only_if_hosted"),
        ("INSERT INTO payment SELECT (jsonb_populate_record(p, '{\"id\": \"pay_x\", \"attempt\": 2, \"payment_trans_id\": \"x\"}')).* FROM payment p JOIN transaction t ON t.id = p.transaction_id WHERE t.hosted", "payment_one_that_can_charge"),
    ],
)  # fmt: skip
def test_the_database_refuses_what_the_page_would_not_do(statement, constraint):
    hosted = page()
    attempt(hosted)
    settle(new_transaction(ProviderAccountFactory()).transaction.payments.get().operations.get(), Outcome.PENDING)

    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert refused.value.__cause__.diag.constraint_name == constraint
    assert Payment.objects.count() == 2
