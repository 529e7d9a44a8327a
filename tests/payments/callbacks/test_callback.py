"""POST /eps/callback: what a provider says is kept, believed only when it is signed, and acted on once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.models import AuditRecord, Fact
from common.money import Money
from payments.models import JournalEntry, Payment, ProviderEvent, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.recovery import sweep
from tests.factories import ProviderAccountFactory, new_transaction, sale_of, settle
from tests.payments.callbacks.messages import call_back, fpx_ac, migs_result, unpaid, untouched
from tests.payments.eps.given import ask, merchant_with

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("provider", "message", "approval_code", "bank_reference"),
    [("fpx", fpx_ac, "1234567890", "9988776655"), ("migs", migs_result, "A12345", "603021234567")],
)
def test_genuine_message_completes_the_payment(provider, message, approval_code, bank_reference):
    account, operation = unpaid(provider)

    response = call_back(message(account, operation))

    transaction, payment, event = Transaction.objects.get(), Payment.objects.get(), ProviderEvent.objects.get()
    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"OK", "text/plain")
    assert (transaction.status, transaction.amount_captured_minor, transaction.version) == ("COMPLETED", 10_000, 2)
    assert (payment.approval_code, payment.bank_reference) == (approval_code, bank_reference)
    assert (event.state, event.arrivals, event.payment_id) == ("ACTED", 1, payment.pk)
    assert event.source_ip == "127.0.0.1"
    assert JournalEntry.objects.count() == 1


@pytest.mark.parametrize("amount", ["150", "150.0", "150.00"])
def test_amount_is_compared_by_value(amount):
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now(), amount=Money(15_000, "MYR")).transaction)

    call_back(fpx_ac(account, operation, fpx_txnAmount=amount))

    assert (Transaction.objects.get().status, Transaction.objects.get().amount_captured_minor) == ("COMPLETED", 15_000)


@pytest.mark.parametrize(
    ("amount", "currency"), [("100.01", "MYR"), ("10.00", "MYR"), ("10000.00", "MYR"), ("100.00", "USD")]
)
def test_another_amount_goes_to_review_and_completes_nothing(amount, currency):
    account, operation = unpaid()

    response = call_back(fpx_ac(account, operation, fpx_txnAmount=amount, fpx_txnCurrency=currency))

    transaction, review = Transaction.objects.get(), ReviewItem.objects.get()
    assert response.status_code == 200
    assert (transaction.status, transaction.amount_captured_minor) == ("PROCESSING", 0)
    assert Payment.objects.get().state == "CONFLICTED"
    assert review.kind == "CONFLICT"
    assert (review.details["providerSaid"], review.details["providerCurrency"]) == (amount, currency)


@pytest.mark.parametrize("amount", ["150,00", "100.001", "1e2", "", "-100.00", "１００"])
def test_amount_that_cannot_be_read_completes_nothing(amount):
    account, operation = unpaid()

    assert call_back(fpx_ac(account, operation, fpx_txnAmount=amount)).status_code == 200

    assert Transaction.objects.get().status == "PENDING"
    assert JournalEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("provider", "change"), [("fpx", {"fpx_debitAuthCode": "Z9"}), ("migs", {"vpc_TxnResponseCode": "Z"})]
)
def test_unknown_word_is_kept_and_the_provider_asked(provider, change):
    account, operation = unpaid(provider)

    response = call_back((fpx_ac if provider == "fpx" else migs_result)(account, operation, **change))

    operation.refresh_from_db()
    assert response.status_code == 200
    assert Transaction.objects.get().status == "PENDING"
    assert operation.due_at <= timezone.now()
    assert ProviderEvent.objects.get().state == "ACTED"


@pytest.mark.parametrize("field", ["fpx_debitAuthNo", "fpx_creditAuthNo", "fpx_fpxTxnId", "fpx_buyerName"])
def test_longer_words_than_ours_do_no_harm(field):
    account, operation = unpaid()
    assert call_back(fpx_ac(account, operation, **{field: "9" * 300})).status_code == 200
    assert Transaction.objects.get().status == "COMPLETED"


def test_failure_after_success_changes_nothing():
    account, operation = unpaid()
    call_back(fpx_ac(account, operation))

    response = call_back(fpx_ac(account, operation, fpx_debitAuthCode="51"))

    assert response.status_code == 200
    assert (Transaction.objects.get().status, Transaction.objects.get().version) == ("COMPLETED", 2)
    assert sorted(ProviderEvent.objects.values_list("state", flat=True)) == ["ACTED", "IGNORED"]


def test_success_after_failure_is_money_received_and_reviewed():
    account, operation = unpaid()
    call_back(fpx_ac(account, operation, fpx_debitAuthCode="51"))

    response = call_back(fpx_ac(account, operation))

    assert response.status_code == 200
    assert Transaction.objects.get().status == "FAILED"
    assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
    assert JournalEntry.objects.count() == 1


def test_another_merchants_account_cannot_speak_for_our_reference():
    _, operation = unpaid()
    stranger = ProviderAccountFactory()

    response = call_back(fpx_ac(stranger, operation))

    assert response.status_code == 200  # genuine, and kept: it is the stranger's own message
    assert (Transaction.objects.get().status, Transaction.objects.get().version) == ("PENDING", 1)
    assert ProviderEvent.objects.get().state == "UNMATCHED"


def test_unknown_reference_is_kept_and_picked_up_later(monkeypatch):
    account = ProviderAccountFactory()

    response = call_back(fpx_ac(account, "EPG20260302ABCDEFGHJKMN"))

    event = ProviderEvent.objects.get()
    assert response.status_code == 200
    assert (event.state, event.reference) == ("UNMATCHED", "EPG20260302ABCDEFGHJKMN")

    # our own commit comes a moment later, then the sweep
    monkeypatch.setattr("payments.services.attempts.new_reference", lambda *_: "EPG20260302ABCDEFGHJKMN")
    new_transaction(account, now=timezone.now())
    sweep(clock=lambda: timezone.now() + timedelta(seconds=31))

    event.refresh_from_db()
    assert Transaction.objects.get().status == "COMPLETED"
    assert (event.state, event.due_at) == ("ACTED", None)


def test_account_that_confirms_asks_the_provider_before_it_believes():
    account = ProviderAccountFactory(confirm_events=True)
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)

    response = call_back(fpx_ac(account, operation))

    operation.refresh_from_db()
    assert response.status_code == 200
    assert (Transaction.objects.get().status, operation.state) == ("PENDING", "PENDING")
    assert operation.due_at <= timezone.now()


def test_late_money_is_kept_safe_for_an_account_that_confirms_too():
    """Nobody would ask the provider about an operation that has ended, so its word is taken for what it can do: open a question."""
    account = ProviderAccountFactory(confirm_events=True)
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    settle(operation, Outcome.DECLINED)

    assert call_back(fpx_ac(account, operation)).status_code == 200

    assert Transaction.objects.get().status == "FAILED"
    assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
    assert ProviderEvent.objects.get().state == "ACTED"


def test_forgeries_share_one_row_an_hour():
    account, operation = unpaid()
    fields = fpx_ac(account, operation)

    for number in range(20):
        assert call_back(fields | {"fpx_checkSum": f"{number:02x}"}).status_code == 401

    events = ProviderEvent.objects.all()  # two if the hour has passed meanwhile
    assert {event.state for event in events} == {"REJECTED"}
    assert (sum(event.arrivals for event in events), len(events) <= 2) == (20, True)


def test_nothing_is_acknowledged_that_is_not_durable():
    account, operation = unpaid()
    fields = fpx_ac(account, operation)

    def lost(execute, sql, params, many, context):
        if "INSERT INTO provider_event" in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(lost):
        assert call_back(fields).status_code == 503
    assert untouched()
    assert call_back(fields).status_code == 200
    assert Transaction.objects.get().status == "COMPLETED"


def test_round_trips_to_the_database():
    """First arrival: account (then known for seconds), store, operation, five of payment_advance, event. A repeat: store."""
    account, operation = unpaid()
    fields = fpx_ac(account, operation)

    with CaptureQueriesContext(connection) as first:
        call_back(fields)
    with CaptureQueriesContext(connection) as repeat:
        call_back(fields)
    with CaptureQueriesContext(connection) as forged:
        call_back(fields | {"fpx_checkSum": "00"})
    with CaptureQueriesContext(connection) as unknown:
        call_back({"fpx_msgType": "AC", "fpx_sellerId": "SE99999999"})

    assert (len(first), len(repeat), len(forged), len(unknown)) == (9, 1, 1, 1)
    assert (Fact.objects.count(), AuditRecord.objects.count()) == (2, 2)


def test_eps_merchants_payment_completes_too():
    merchant = merchant_with()
    ask(merchant, TRANS_ID="T1")
    operation = sale_of(Transaction.objects.get())

    assert call_back(fpx_ac(operation.payment.provider_account, operation)).status_code == 200
    assert ask(merchant, TRANS_ID="T1").json()["STATUS_CODE"] == "00"
