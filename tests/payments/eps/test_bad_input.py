"""Whatever is sent to /eps, the answer is a refusal in its own dialect and nothing is written."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import OperationalError, connection
from django.test import Client

from payments.models import Transaction
from tests.payments.eps.given import FORM, ask, checksum_of, merchant_with, nothing_was_written, post, request_fields

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize("accept", ["", "*/*;q=abc", ",,,", "text/xml", "é", "application/*", "text/html;a*=b''c"])
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
