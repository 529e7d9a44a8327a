"""Whatever is sent to /eps, the answer is a refusal in its own dialect and nothing is written."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import OperationalError, connection
from django.test import Client

from common.models import AuditRecord, Fact
from payments.models import Operation, Payment, Transaction
from tests.factories import MerchantFactory
from tests.payments.eps.given import (
    FORM,
    ask,
    checksum_of,
    epic_v1,
    merchant_with,
    post,
    request_fields,
    signed,
)

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


def nothing_was_written() -> bool:
    return not any(model.objects.exists() for model in (Transaction, Payment, Operation, Fact, AuditRecord))


def raw(body: bytes, **headers: Any) -> Any:
    content_type = headers.pop("content_type", FORM)
    return Client().generic("POST", "/eps/request", body, CONTENT_TYPE=content_type, **headers)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("AMOUNT", text) for text in ("100.5", "100", "100.500", "0100.50", "00.50", ".50", "100.", "1e2", "1E+15")],
        *[
            ("AMOUNT", text)
            for text in ("0.00", "-1.00", "+1.00", " 100.50", "100.50 ", "100,50", "1_000.00", "1,000.00")
        ],
        *[
            ("AMOUNT", text)
            for text in ("١٢٣.٠٠", "１００.００", "NaN", "Infinity", "1234567890123456.00", "0x10.00", "")
        ],
        *[
            ("TRANS_ID", text)
            for text in ("", "A" * 51, "a b", "a.b", "a/b", "é", "a\u202eb", "x'; DROP TABLE payment--", "ＴＸＮ")
        ],
        *[("PAYMENT_MODE", text) for text in ("", "FPX", "fpx2", "card", "fpx ", "vnpay")],
        *[
            ("RESPONSE_URL", text)
            for text in ("javascript:alert(1)", "//kedai.example", "kedai.example", "ftp://kedai.example/")
        ],
        *[
            ("RESPONSE_URL", text)
            for text in ("https://a@kedai.example/", "https://", "https://kedai.example/a b", "https://[x/")
        ],
        *[("RESPONSE_URL", text) for text in ("https://kedai.example:99999/", "https://kedai.example/" + "a" * 2000)],
        *[("BANK_CODE", text) for text in ("mb2u", "A" * 21, "MB2U-0227")],
        *[("EMAIL", text) for text in ("siti", "siti@", "a" * 250 + "@example.com")],
        *[("CUST_PHONE", text) for text in ("0" * 31, "call me")],
        ("CUST_NAME", "a" * 101),
        ("KOD_HASIL", ""),
        ("KOD_HASIL", "\u200b"),
        ("KOD_HASIL", "a" * 101),
    ],
)
def test_bad_value_is_named(field, value):
    merchant = merchant_with(extra_fields=["KOD_HASIL"])

    response = ask(merchant, **{"KOD_HASIL": "1", field: value})

    answer = response.json()
    assert response.status_code == 400
    assert (answer["STATUS"], answer["STATUS_CODE"]) == ("FORMAT_ERROR", "30")
    assert answer["STATUS_MESSAGE"].startswith(f"{field}: ")
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)
    assert nothing_was_written()


@pytest.mark.parametrize("field", ["TRANS_ID", "AMOUNT", "PAYMENT_MODE", "KOD_HASIL", "PROCESS_CODE"])
def test_missing_field_is_named(field):
    merchant = merchant_with(extra_fields=["KOD_HASIL", "PROCESS_CODE"])

    response = ask(merchant, **{"KOD_HASIL": "1", "PROCESS_CODE": "2", field: None})

    assert response.status_code == 400
    assert f"{field}: This field is required." in response.json()["STATUS_MESSAGE"]
    assert nothing_was_written()


@pytest.mark.parametrize("field", ["STATUS", "merchant_id", "FEE", "is_test", "CURRENCY", "MODULE_ID", "amount"])
def test_unknown_field_is_named(field):
    response = ask(merchant_with(extra_fields=["KOD_HASIL"]), KOD_HASIL="1", **{field: "1"})

    assert response.status_code == 400
    assert response.json()["STATUS_MESSAGE"] == f"{field}: There is no such field."
    assert nothing_was_written()


@pytest.mark.parametrize("field", ["TRANS_ID", "CUST_NAME", "KOD_HASIL", "RESPONSE_URL", "CUST_PHONE", "NOTE"])
def test_card_number_is_refused_and_not_sent_back(field):
    response = ask(merchant_with(extra_fields=["KOD_HASIL"]), **{"KOD_HASIL": "1", field: "4111111111111111"})

    assert response.status_code == 400
    assert b"card number" in response.content
    assert b"4111" not in response.content
    assert nothing_was_written()


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


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"AMOUNT=100.50&AMOUNT=1.00", 400),
        (b"CUST_NAME=%ff%fe", 400),
        (b"CUST_NAME=%zz", 400),
        (b"CUST_NAME=\xff", 400),
        (b"CUST_NAME=a%00b", 400),
        (b"CUST_NAME=a%0d%0ab", 400),
        (b"\xef\xbb\xbfAMOUNT=1.00", 400),
        ("AMOUNT=1.00".encode("utf-16"), 400),
        (b"AMOUNT", 400),
        (b"&&&", 400),
        (b"&".join(b"F%d=1" % n for n in range(200)), 400),
        (b'{"AMOUNT": "1.00"}', 400),
        (b"A=" + b"a" * 65_535, 413),
        (b"A=" + b"a" * 3_000_000, 413),
    ],
)
def test_unreadable_body_is_refused(body, status):
    response = raw(body)

    assert (response.status_code, response.json()["STATUS_CODE"]) == (status, "30")
    assert nothing_was_written()


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "text/plain", "multipart/form-data; boundary=x", f"{FORM}; charset=iso-8859-1", "x" * 300],
)
def test_other_content_types_are_refused(content_type):
    body = urlencode(request_fields(merchant_with())).encode()

    response = raw(body, content_type=content_type)

    assert (response.status_code, response.json()["STATUS_CODE"]) == (415, "30")
    assert nothing_was_written()


def test_compressed_body_is_refused():
    assert raw(b"A=1", headers={"Content-Encoding": "gzip"}).status_code == 415


def test_fields_in_the_address_of_a_post_are_refused():
    body = urlencode(request_fields(merchant_with()))
    response = Client().post("/eps/request?AMOUNT=1.00", body, content_type=FORM)

    assert response.status_code == 400
    assert nothing_was_written()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["request", "update", "reconcile"])
def test_other_methods_are_refused(path, method):
    if (path, method) == ("reconcile", "GET"):
        method = "POST"
    response = Client().generic(method, f"/eps/{path}", b"A=1", content_type=FORM)

    assert response.status_code == 405
    assert response["Allow"] == ("GET" if path == "reconcile" else "POST")


def test_invisible_characters_are_taken_out_of_text():
    response = ask(
        merchant_with(extra_fields=["KOD_HASIL"]), KOD_HASIL="\u202eKH\u200b1", CUST_NAME="Zoe\u0308 \U0001f600"
    )

    transaction = Transaction.objects.get()
    assert response.status_code == 200
    assert transaction.extra_fields == {"KOD_HASIL": "KH1"}
    assert transaction.payer_name == "Zo\u00eb \U0001f600"


@pytest.mark.parametrize("accept", ["", "*/*;q=abc", ",,,", "text/xml", "é", "application/*"])
def test_odd_accept_header_gets_json(accept):
    response = post("request", request_fields(merchant_with()), accept=accept)
    assert response.json()["STATUS_CODE"] == "68"


def test_unknown_method_of_payment_is_refused():
    response = ask(merchant_with("epic-v2", "fpx"), PAYMENT_MODE="migs")

    assert (response.status_code, response.json()["STATUS_CODE"]) == (400, "30")
    assert nothing_was_written()


def test_database_that_takes_no_writes_is_answered_503():
    merchant = merchant_with()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")

    response = ask(merchant)

    answer = response.json()
    assert response.status_code == 503
    assert (answer["STATUS"], answer["STATUS_CODE"]) == ("SYSTEM_ERROR", "96")


def test_connection_lost_is_answered_503():
    merchant = merchant_with()

    def lost(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(lost):
        response = ask(merchant)

    assert (response.status_code, response.json()["STATUS_CODE"]) == (503, "96")
