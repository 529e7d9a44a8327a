"""POST /eps/callback: what is not signed by the provider, or has not exactly one reading, changes nothing and is never a 500."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.test import Client

from payments.models import ProviderEvent
from tests.factories import ProviderAccountFactory
from tests.payments.callbacks.messages import call_back, fpx_ac, migs_result, unpaid, untouched

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "checksum",
    [
        "",
        "00",
        "0",
        "é",
        "\u202e",
        "xyz",
        "0x00",
        "A" * 511,
        "A" * 512,
        "a" * 513,
        "a" * 10_000,
        "AA AA",
        "AAAA=",
        None,
    ],
)
def test_malformed_fpx_signature_is_unauthorised(checksum):
    account, operation = unpaid()
    fields = fpx_ac(account, operation)
    fields = {n: v for n, v in fields.items() if n != "fpx_checkSum"} | (
        {} if checksum is None else {"fpx_checkSum": checksum}
    )

    assert call_back(fields).status_code == 401
    assert untouched()


@pytest.mark.parametrize("digest", ["", "00", "é", "g" * 64, "0" * 63, "0" * 64, "0" * 65, " " * 64, "v1,AAAA", None])
def test_malformed_migs_signature_is_unauthorised(digest):
    account, operation = unpaid("migs")
    fields = migs_result(account, operation)
    fields = {n: v for n, v in fields.items() if n != "vpc_SecureHash"} | (
        {} if digest is None else {"vpc_SecureHash": digest}
    )

    assert call_back(fields).status_code == 401
    assert untouched()


def test_every_altered_field_is_unauthorised():
    account, operation = unpaid()
    fields = fpx_ac(account, operation)
    for name in fields:
        assert call_back(fields | {name: fields[name] + "1"}).status_code == 401, name
        assert call_back({key: value for key, value in fields.items() if key != name}).status_code == 401, name
    assert call_back(fields | {"fpx_more": "1"}).status_code == 401
    assert untouched()


def test_hexadecimal_case_does_not_matter():
    account, operation = unpaid()
    fields = fpx_ac(account, operation)
    assert call_back(fields | {"fpx_checkSum": fields["fpx_checkSum"].lower()}).status_code == 200


def test_another_key_or_secret_is_unauthorised():
    account, operation = unpaid()
    assert call_back(fpx_ac(account, operation, sign_with="ours")).status_code == 401
    assert untouched()


def test_another_merchants_secret_is_unauthorised():
    account, operation = unpaid("migs")
    stranger = ProviderAccountFactory(provider="migs").open_credentials()["secure_secret"]
    assert call_back(migs_result(account, operation, secret=stranger)).status_code == 401
    assert untouched()


def test_fields_cannot_be_shifted_under_one_signature():
    """The values joined by `|` read the same when one contains the delimiter."""
    account, operation = unpaid()
    fields = fpx_ac(account, operation, fpx_buyerBankBranch="A", fpx_buyerBankId="B")
    assert call_back(fields | {"fpx_buyerBankBranch": "A|B", "fpx_buyerBankId": ""}).status_code == 401
    assert untouched()


@pytest.mark.parametrize(
    "fields",
    [
        {"fpx_msgType": "AC"},
        {"fpx_msgType": "AC", "fpx_sellerId": "SE99999999"},
        {"vpc_MerchTxnRef": "x", "vpc_Merchant": "x" * 5000},
        {"fpx_msgType": "AC", "vpc_MerchTxnRef": "x"},
        {"TRANS_ID": "T1", "STATUS": "SUCCESS", "AMOUNT": "100.50"},
    ],
)
def test_nobody_we_know_is_unauthorised_and_not_kept(fields):
    assert call_back(fields).status_code == 401
    assert not ProviderEvent.objects.exists()


def test_forgery_is_kept_for_the_operator_once():
    account, operation = unpaid()
    forged = fpx_ac(account, operation) | {"fpx_checkSum": "00"}

    assert [call_back(forged).status_code for _ in range(3)] == [401] * 3

    events = ProviderEvent.objects.all()  # two if the hour has passed meanwhile
    assert {(event.state, event.due_at) for event in events} == {("REJECTED", None)}
    assert (sum(event.arrivals for event in events), len(events) <= 2) == (3, True)


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 400),
        (b"fpx_msgType", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded", 400),
        (b"fpx_msgType=%ff", "application/x-www-form-urlencoded", 400),
        (b"fpx_msgType=AC&fpx_msgType=AC", "application/x-www-form-urlencoded", 400),
        (b"fpx_msgType=A%00C", "application/x-www-form-urlencoded", 400),
        (b'{"fpx_msgType": "AC"}', "application/json", 415),
        (b"fpx_msgType=AC", "", 415),
        (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"a" * 10_000_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_unreadable_message_is_refused(body, content_type, status):
    assert call_back(body, content_type=content_type).status_code == status
    assert not ProviderEvent.objects.exists()


def test_duplicate_field_in_a_signed_message_is_refused():
    account, operation = unpaid()
    body = urlencode(fpx_ac(account, operation)) + "&fpx_txnAmount=1.00"

    assert call_back(body.encode()).status_code == 400
    assert untouched()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(method):
    response = Client().generic(method, "/eps/callback")
    assert (response.status_code, response["Allow"]) == (405, "POST")
