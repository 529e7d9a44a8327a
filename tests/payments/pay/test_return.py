"""/pay/return/{provider}: the payer comes back from the provider and is sent on; only what is signed counts."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from merchants.models import ProviderAccount
from payments.models import ProviderEvent, Transaction
from tests.factories import ProviderAccountFactory, new_transaction, sale_of
from tests.payments.callbacks.messages import FORM, call_back, fpx_ac, migs_result
from tests.payments.eps.given import ask, checksum_of, merchant_with
from tests.payments.pay.test_pay import fields_of

pytestmark = pytest.mark.django_db


def by_fpx(fields):
    return Client(enforce_csrf_checks=True).post("/pay/return/fpx", urlencode(fields), content_type=FORM)


def by_migs(fields):
    return Client().get(f"/pay/return/migs?{urlencode(fields)}")


def of_eps(merchant, mode="fpx"):
    ask(merchant, TRANS_ID="T1", PAYMENT_MODE=mode, RESPONSE_URL="https://kedai.example/kembali")
    operation = sale_of(Transaction.objects.get())
    return ProviderAccount.objects.get(merchant=merchant, provider=mode), operation


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
@pytest.mark.parametrize("mode", ["fpx", "migs"])
def test_payer_of_an_eps_merchant_goes_back_with_the_signed_result(scheme, mode):
    merchant = merchant_with(scheme)
    account, operation = of_eps(merchant, mode)

    response = by_fpx(fpx_ac(account, operation)) if mode == "fpx" else by_migs(migs_result(account, operation))

    page = response.content.decode()
    fields = fields_of(page)
    assert response.status_code == 200
    assert Transaction.objects.get().status == "COMPLETED"
    assert 'method="post" action="https://kedai.example/kembali" data-autosubmit' in page
    assert re.search(r'<button type="submit">Return to [^<]+</button>', page)
    assert (fields["STATUS"], fields["STATUS_CODE"], fields["TRANS_ID"], fields["AMOUNT"]) == (
        "SUCCESS",
        "00",
        "T1",
        "100.50",
    )
    assert fields["CHECKSUM"] == checksum_of(merchant, "response", fields)


def test_payer_of_an_api_merchant_goes_back_by_redirect():
    account = ProviderAccountFactory(provider="migs")
    transaction = new_transaction(
        account, now=timezone.now(), return_url="https://kedai.example/done?a=1#top", external_reference="ORDER 7"
    ).transaction

    response = by_migs(migs_result(account, sale_of(transaction)))

    back = urlsplit(response["Location"])
    assert response.status_code == 303
    assert (back.scheme, back.netloc, back.path, back.fragment) == ("https", "kedai.example", "/done", "top")
    assert parse_qsl(back.query) == [
        ("a", "1"), ("transactionId", transaction.pk), ("status", "COMPLETED"), ("externalReference", "ORDER 7"),
    ]  # fmt: skip


def test_payer_without_an_address_to_return_to_sees_our_result():
    account = ProviderAccountFactory()
    transaction = new_transaction(account, now=timezone.now()).transaction

    response = by_fpx(fpx_ac(account, sale_of(transaction)))

    assert response.status_code == 303
    assert "Paid" in Client().get(response["Location"]).content.decode()


def test_callback_and_return_of_one_result_are_one_event():
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    fields = fpx_ac(account, operation)

    call_back(fields)
    by_fpx(fields)

    assert ProviderEvent.objects.get().arrivals == 2
    assert Transaction.objects.get().version == 2


@pytest.mark.parametrize(
    "altered",
    [
        {"fpx_debitAuthCode": "00"},
        {"fpx_txnAmount": "1.00"},
        {"fpx_checkSum": ""},
        {"fpx_checkSum": "é"},
        {"fpx_sellerId": "SE9"},
    ],
)
def test_forged_return_changes_nothing(altered):
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)

    response = by_fpx(fpx_ac(account, operation, fpx_debitAuthCode="51") | altered)

    assert response.status_code == 401
    assert response["Content-Type"].startswith("text/html")
    assert Transaction.objects.get().status == "PENDING"


@pytest.mark.parametrize(
    "query", ["", "STATUS=SUCCESS", "vpc_MerchTxnRef=1&vpc_MerchTxnRef=2", "vpc_Message=%ff", "%00"]
)
def test_return_that_cannot_be_read_is_refused_politely(query):
    response = Client().get(f"/pay/return/migs?{query}")
    assert response.status_code in (400, 401)
    assert b"go back to the merchant" in response.content


def test_another_merchants_account_is_not_sent_on_to_ours():
    """Genuinely signed, but by somebody who has no part in the payment: no signed state, no address is given away."""
    _, operation = of_eps(merchant_with())
    stranger = ProviderAccountFactory(provider="migs")

    response = by_migs(migs_result(stranger, operation))

    assert response.status_code == 200
    assert b"kedai.example" not in response.content
    assert Transaction.objects.get().status == "PENDING"


@pytest.mark.parametrize("provider", ["vnpay", "x", "FPX"])
def test_unknown_provider_is_not_found(provider):
    assert Client().get(f"/pay/return/{provider}").status_code == 404
