"""POST /eps/update: the state of a transaction, for the merchant whose it is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Transaction
from payments.providers.base import Outcome
from tests.factories import NOW, sale_of, settle
from tests.payments.eps.given import ask, checksum_of, merchant_with, post, signed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
def test_state_is_told_as_it_is_now(scheme):
    merchant = merchant_with(scheme)
    asked = ask(merchant, TRANS_ID="T1").json()
    update = signed(merchant, "update", {"TRANS_ID": "T1"})
    assert post("update", update).json() == asked

    operation = sale_of(Transaction.objects.get())
    settle(operation, Outcome.PENDING)
    assert (post("update", update).json()["STATUS_CODE"]) == "77"
    settle(operation, approval_code="A12345")

    answer = post("update", update).json()
    assert (answer["STATUS"], answer["STATUS_CODE"], answer["APPROVAL_CODE"]) == ("SUCCESS", "00", "A12345")
    assert answer["PAYMENT_TRANS_ID"] == asked["PAYMENT_TRANS_ID"]
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)


def test_a_number_that_a_provider_gives_a_decline_is_no_approval_code():
    merchant = merchant_with()
    ask(merchant, TRANS_ID="T1")
    settle(sale_of(Transaction.objects.get()), Outcome.DECLINED, approval_code="A12345", failure_code="DECLINED")

    answer = post("update", signed(merchant, "update", {"TRANS_ID": "T1"})).json()

    assert (answer["STATUS_CODE"], answer["APPROVAL_CODE"]) == ("01", "")


def test_payer_who_never_came_is_declined_in_the_end():
    merchant = merchant_with()
    ask(merchant, TRANS_ID="T1")
    transaction = Transaction.objects.get()
    settle(sale_of(transaction), Outcome.NOT_FOUND, now=transaction.expires_at.replace(year=NOW.year + 5))

    answer = post("update", signed(merchant, "update", {"TRANS_ID": "T1"})).json()

    assert (answer["STATUS_CODE"], answer["STATUS_MESSAGE"]) == ("01", "The payer did not finish in time")


def test_another_merchants_transaction_is_answered_like_none():
    ask(merchant_with(), TRANS_ID="T1")
    other = merchant_with()

    foreign = post("update", signed(other, "update", {"TRANS_ID": "T1", "TIMESTAMP": _now()}))
    absent = post("update", signed(other, "update", {"TRANS_ID": "T2", "TIMESTAMP": _now()}))

    assert foreign.status_code == absent.status_code == 404
    told, none = foreign.json(), absent.json()
    assert (told.pop("TRANS_ID"), none.pop("TRANS_ID")) == ("T1", "T2")
    assert told.pop("CHECKSUM") != none.pop("CHECKSUM")
    assert told == none
    assert (told["STATUS"], told["STATUS_CODE"]) == ("INVALID_TRANSACTION", "12")


def _now() -> str:
    return signed(merchant_with(), "update", {"TRANS_ID": "T"})["TIMESTAMP"]


@pytest.mark.parametrize("fields", [{}, {"TRANS_ID": ""}, {"TRANS_ID": "a b"}, {"TRANS_ID": "T1", "AMOUNT": "1.00"}])
def test_bad_fields_are_refused(fields):
    response = post("update", signed(merchant_with(), "update", fields))
    assert (response.status_code, response.json()["STATUS_CODE"]) == (400, "30")


def test_request_checksum_of_epic_v1_does_not_work_for_update():
    merchant = merchant_with("epic-v1")
    ask(merchant, TRANS_ID="T1")
    fields = signed(merchant, "request", {"TRANS_ID": "T1", "AMOUNT": "100.50", "PAYMENT_MODE": "fpx"})
    only = {name: fields[name] for name in ("TRANS_ID", "MERCHANT_CODE", "CHECKSUM")}
    assert post("update", only).status_code == 401


def test_update_takes_one_round_trip_to_the_database():
    merchant = merchant_with()
    ask(merchant, TRANS_ID="T1")

    with CaptureQueriesContext(connection) as queries:
        post("update", signed(merchant, "update", {"TRANS_ID": "T1"}))

    assert len(queries) == 1
