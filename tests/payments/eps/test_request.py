"""POST /eps/request: accepted payments, and the answers to them in every form."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.models import AuditRecord, Fact
from merchants.selectors import forget_accounts
from payments.models import Operation, Payment, Transaction
from payments.providers.base import Outcome
from tests.factories import ProviderAccountFactory, sale_of, settle
from tests.payments.eps.given import BROWSER, FORM, ask, checksum_of, merchant_with, post, request_fields

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = [
    "STATUS",
    "STATUS_CODE",
    "STATUS_MESSAGE",
    "PAYMENT_TRANS_ID",
    "APPROVAL_CODE",
    "TRANS_ID",
    "AMOUNT",
    "CHECKSUM",
]


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
@pytest.mark.parametrize("mode", ["fpx", "migs"])
def test_payment_is_accepted_and_the_payer_sent_to_pay(scheme, mode):
    merchant = merchant_with(scheme, extra_fields=["KOD_HASIL", "MODULE_ID"])

    response = ask(
        merchant,
        PAYMENT_MODE=mode,
        KOD_HASIL="KH001",
        MODULE_ID="7",
        RESPONSE_URL="https://kedai.example/kembali?x=1",
        BANK_CODE="TEST0001",
        EMAIL="siti@example.com",
        CUST_NAME="Siti Nurhaliza",
        CUST_PHONE="+60 12-345 6789",
    )

    answer = response.json()
    transaction = Transaction.objects.get()
    payment = Payment.objects.get()
    assert response.status_code == 200
    assert list(answer) == [*FIELDS, "REDIRECT_URL"]
    assert answer == {
        "STATUS": "PENDING",
        "STATUS_CODE": "68",
        "STATUS_MESSAGE": "The payer has not finished",
        "PAYMENT_TRANS_ID": payment.payment_trans_id,
        "APPROVAL_CODE": "",
        "TRANS_ID": "TXN20260302001",
        "AMOUNT": "100.50",
        "CHECKSUM": checksum_of(merchant, "response", answer),
        "REDIRECT_URL": answer["REDIRECT_URL"],
    }
    assert answer["REDIRECT_URL"].startswith(f"http://127.0.0.1:8000/pay/{transaction.pk}:")
    assert payment.payment_trans_id.startswith("EPG20")
    assert (transaction.channel, transaction.method, transaction.live) == ("eps", mode, False)
    assert (transaction.amount_minor, transaction.currency) == (10_050, "MYR")
    assert transaction.extra_fields == {"KOD_HASIL": "KH001", "MODULE_ID": "7"}
    assert (transaction.payer_name, transaction.payer_email) == ("Siti Nurhaliza", "siti@example.com")
    assert transaction.return_url == "https://kedai.example/kembali?x=1"
    assert payment.bank_code == "TEST0001"
    assert Fact.objects.get().name == AuditRecord.objects.get().action == "transaction.created"
    assert AuditRecord.objects.get().actor == f"merchant:{merchant.code}/eps"


def test_business_banking_is_fpx1_of_an_epic_v2_merchant():
    assert ask(merchant_with("epic-v2"), PAYMENT_MODE="fpx1").status_code == 200

    payment = Payment.objects.get()
    assert payment.business_banking
    assert payment.next_action["fields"]["fpx_msgToken"] == "02"


def test_epic_v2_takes_hexadecimal_in_either_case():
    merchant = merchant_with()
    fields = request_fields(merchant)
    assert post("request", fields | {"CHECKSUM": fields["CHECKSUM"].upper()}).status_code == 200


def test_answer_is_a_form_when_accept_asks_for_it():
    merchant = merchant_with()

    response = post("request", request_fields(merchant), accept=FORM)

    answer = dict(parse_qsl(response.content.decode(), keep_blank_values=True))
    assert response["Content-Type"] == FORM
    assert list(answer) == [*FIELDS, "REDIRECT_URL"]
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)


def test_browser_is_sent_to_the_payment_page():
    response = post("request", request_fields(merchant_with()), accept=BROWSER)

    assert response.status_code == 303
    assert f"/pay/{Transaction.objects.get().pk}:" in response["Location"]


def test_browser_reads_a_refusal_as_a_page():
    response = post("request", request_fields(merchant_with()) | {"CHECKSUM": "0"}, accept=BROWSER)

    assert response.status_code == 401
    assert response["Content-Type"].startswith("text/html")
    assert b"FORMAT_ERROR" in response.content


def test_same_trans_id_again_is_answered_with_the_state_of_the_first():
    merchant = merchant_with()
    first = ask(merchant).json()
    settle(sale_of(Transaction.objects.get()), approval_code="A12345")

    again = ask(merchant)

    answer = again.json()
    assert again.status_code == 200
    assert (answer["STATUS"], answer["STATUS_CODE"], answer["APPROVAL_CODE"]) == ("SUCCESS", "00", "A12345")
    assert answer["PAYMENT_TRANS_ID"] == first["PAYMENT_TRANS_ID"]
    assert "REDIRECT_URL" not in answer
    assert Transaction.objects.count() == Payment.objects.count() == Operation.objects.count() == 1


@pytest.mark.parametrize("change", [{"AMOUNT": "100.51"}, {"PAYMENT_MODE": "migs"}, {"PAYMENT_MODE": "fpx1"}])
def test_same_trans_id_with_other_content_is_refused(change):
    merchant = merchant_with()
    ask(merchant)

    response = ask(merchant, **change)

    answer = response.json()
    assert response.status_code == 409
    assert (answer["STATUS"], answer["STATUS_CODE"]) == ("INVALID_TRANSACTION", "12")
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)
    assert Transaction.objects.count() == Fact.objects.count() == 1


def test_two_merchants_may_use_the_same_trans_id():
    assert ask(merchant_with()).status_code == ask(merchant_with()).status_code == 200
    assert Transaction.objects.count() == 2


def test_authorised_card_payment_is_approved():
    merchant = merchant_with("epic-v2", "fpx")
    ProviderAccountFactory(merchant=merchant, provider="migs", mode="authorise")
    ask(merchant, PAYMENT_MODE="migs")
    settle(sale_of(Transaction.objects.get()))

    answer = ask(merchant, PAYMENT_MODE="migs").json()

    assert (answer["STATUS"], answer["STATUS_CODE"]) == ("APPROVED", "000")


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        ("INSUFFICIENT_FUNDS", "INSUFFICIENT_FUNDS", "05"),
        ("INVALID_CARD", "INVALID_CARD", "14"),
        ("DECLINED", "DECLINED", "01"),
        ("PROVIDER_ERROR", "DECLINED", "01"),
    ],
)
def test_declined_payment_says_why(failure, status, code):
    merchant = merchant_with()
    ask(merchant)
    settle(sale_of(Transaction.objects.get()), Outcome.DECLINED, failure_code=failure)

    answer = ask(merchant).json()

    assert (answer["STATUS"], answer["STATUS_CODE"]) == (status, code)


def test_live_merchant_uses_its_live_accounts():
    merchant = merchant_with(eps_live=True)
    assert ask(merchant).json()["STATUS_CODE"] == "30"  # it has test accounts only

    ProviderAccountFactory(merchant=merchant, live=True)
    forget_accounts()
    assert ask(merchant).status_code == 200
    assert Transaction.objects.get().live


def test_request_takes_one_round_trip_to_the_database():
    merchant = merchant_with(extra_fields=["KOD_HASIL"])
    ask(merchant, TRANS_ID="WARM", KOD_HASIL="1")

    with CaptureQueriesContext(connection) as queries:
        response = ask(merchant, TRANS_ID="MEASURED", KOD_HASIL="1")

    assert response.status_code == 200
    assert len(queries) == 1
