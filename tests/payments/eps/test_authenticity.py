"""Who is believed: the CHECKSUM fits, to the byte, to every field and to the moment; everybody else hears the same sentence."""

from __future__ import annotations

import time

import pytest

from tests.factories import MerchantFactory
from tests.payments.eps.given import ask, epic_v1, merchant_with, nothing_was_written, post, request_fields, signed

pytestmark = pytest.mark.django_db

NOBODY = {
    "STATUS": "FORMAT_ERROR",
    "STATUS_CODE": "30",
    "STATUS_MESSAGE": "MERCHANT_CODE or CHECKSUM is wrong.",
    "PAYMENT_TRANS_ID": "",
    "APPROVAL_CODE": "",
    "TRANS_ID": "",
    "AMOUNT": "",
    "CHECKSUM": "",
}


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
@pytest.mark.parametrize(
    "checksum",
    ["", "0", "x" * 64, "0" * 64, "é", "\u202e", "AA==", "not base64!", "a" * 5000, " ", "%00".replace("%", "&")],
)
def test_wrong_checksum_is_unauthorised(scheme, checksum):
    fields = request_fields(merchant_with(scheme)) | {"CHECKSUM": checksum}

    response = post("request", fields)

    assert (response.status_code, response.json()) == (401, NOBODY)
    assert nothing_was_written()


@pytest.mark.parametrize("path", ["request", "update"])
@pytest.mark.parametrize("code", ["TIADA1", "tiada", "", "9KEDAI", "KEDAI\u0130", "K" * 5000])
def test_unknown_merchant_and_wrong_checksum_are_answered_alike(path, code):
    merchant = merchant_with()
    fields = request_fields(merchant) if path == "request" else signed(merchant, "update", {"TRANS_ID": "T1"})

    unknown = post(path, fields | {"MERCHANT_CODE": code})
    forged = post(path, fields | {"CHECKSUM": "0" * 64})

    assert unknown.status_code == forged.status_code == 401
    assert unknown.content == forged.content
    assert dict(unknown.headers).keys() == dict(forged.headers).keys()


def test_merchant_that_is_not_active_is_unknown():
    assert ask(merchant_with(is_active=False)).json() == NOBODY


@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
def test_merchant_without_secrets_is_unknown(scheme):
    merchant = MerchantFactory(checksum_scheme=scheme, eps_api_key="", pass_phrase="")
    fields = request_fields(merchant)
    assert post("request", fields).json() == NOBODY


def test_every_signed_field_of_epic_v2_counts():
    fields = request_fields(merchant_with(), CUST_NAME="Siti", RESPONSE_URL="https://kedai.example/")
    for name in fields:
        altered = fields | {name: ("b" if name != "CHECKSUM" else "0" * 64)}
        assert post("request", altered).status_code == 401, name
        without = {key: value for key, value in fields.items() if key != name}
        assert post("request", without).status_code == 401, name
    assert post("request", fields | {"EMAIL": "siti@example.com"}).status_code == 401
    assert nothing_was_written()


@pytest.mark.parametrize(
    "timestamp", ["", "nan", "1e9", "-1", "1700000000.0", " 1700000000", "17000000000", "９" * 10, "0000000000"]
)
def test_timestamp_is_a_whole_number_of_seconds(timestamp):
    assert ask(merchant_with(), TIMESTAMP=timestamp).status_code == 401
    assert nothing_was_written()


@pytest.mark.parametrize(("seconds", "status"), [(-302, 401), (-298, 200), (0, 200), (298, 200), (302, 401)])
def test_timestamp_is_within_five_minutes_either_way(seconds, status):
    response = ask(merchant_with(), TIMESTAMP=str(int(time.time()) + seconds))

    assert response.status_code == status
    assert nothing_was_written() is (status == 401)


# Pairs of messages whose fields, joined with nothing between them, read the same: T1 of the requirement documents.
@pytest.mark.parametrize(
    "shifted",
    [
        {"PAYMENT_MODE": "fpx1", "AMOUNT": "100.50"},
        {"TRANS_ID": "TXN1f", "PAYMENT_MODE": "px", "AMOUNT": "1100.50"},
        {"TRANS_ID": "TXN", "PAYMENT_MODE": "1fpx", "AMOUNT": "1100.50"},
        {"TRANS_ID": "TXN1fpx", "PAYMENT_MODE": "", "AMOUNT": "1100.50"},
        {"TRANS_ID": "TXN1fpx1100.50", "PAYMENT_MODE": "", "AMOUNT": ""},
    ],
)
def test_epic_v1_fields_cannot_be_shifted(shifted):
    merchant = merchant_with("epic-v1")
    genuine = {"TRANS_ID": "TXN1", "PAYMENT_MODE": "fpx", "AMOUNT": "1100.50"}
    text = f"TXN1fpx1100.50{merchant.code}"
    assert (
        "".join(shifted[n] if n in shifted else genuine[n] for n in genuine) + merchant.code == text
    )  # the same signature

    response = ask(merchant, **(genuine | shifted), CHECKSUM=epic_v1(text))

    assert response.status_code == 400
    assert nothing_was_written()


def test_epic_v1_amount_and_merchant_code_cannot_be_shifted():
    """100.50 + DBKL1 and 100.5 + 0DBKL1: no merchant code begins with a digit."""
    merchant = merchant_with("epic-v1")
    fields = request_fields(merchant)

    response = post("request", fields | {"AMOUNT": "100.5", "MERCHANT_CODE": f"0{merchant.code}"})

    assert (response.status_code, response.json()) == (401, NOBODY)
    assert nothing_was_written()


def test_epic_v2_lines_cannot_be_shifted():
    """A value that contains what looks like the next line is percent-encoded before it is signed."""
    merchant = merchant_with()
    fields = request_fields(merchant, CUST_NAME="A", EMAIL="a@example.com")
    text = "A%0AEMAIL=a@example.com"

    response = post("request", {n: v for n, v in fields.items() if n != "EMAIL"} | {"CUST_NAME": text})

    assert response.status_code == 401
