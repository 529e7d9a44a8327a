"""Bad input is a 4xx in the envelope and leaves nothing behind (reliability 3.1). One row per kind of badness."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payments.models import Bank
from payments.selectors import forget_banks
from tests.factories import NOW, captured_transaction
from tests.support.api import Api, counts, new_body, refusal

BAD_AMOUNTS = [
    "1e2", '"1e2"', '"1E+15"', '"1_000.00"', '" 10.00 "', '"+10.00"', "-1", '"-1"', "-0", "0", '"0"', "0.00", '".5"',
    '"5."', '"١٢٣"', '"１００"', "10.005", '"10.000"', '"1,000"', '"100,50"', '""', "null", "true", "[]", "{}", '"NaN"',
    '"Infinity"', "12345678901234567890", '"1234567890123456.00"', '"0100.50"', "1.0e0", '"1 000"', '"10.50 MYR"', '"0x10"',
]  # fmt: skip

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"paymentTypeId": None}, "paymentTypeId"),
    ({"paymentTypeId": ""}, "paymentTypeId"),
    ({"paymentTypeId": 7}, "paymentTypeId"),
    ({"paymentTypeId": "bitcoin"}, "paymentTypeId"),
    ({"paymentTypeId": "RTP"}, "fromAccountId"),
    ({"paymentTypeId": "wire_domestic"}, "toAccountId"),
    ({"fromAccountId": "acc_123"}, "fromAccountId"),
    ({"currencyCode": 5}, "currencyCode"),
    ({"currencyCode": ["MYR"]}, "currencyCode"),
    ({"externalReference": ""}, "externalReference"),
    ({"externalReference": "x" * 101}, "externalReference"),
    ({"externalReference": "über"}, "externalReference"),
    ({"externalReference": "a b"}, "externalReference"),
    ({"externalReference": "a\r\nSet-Cookie: b"}, "externalReference"),
    ({"externalReference": "a' OR 1=1 --"}, "externalReference"),
    ({"externalReference": 12345}, "externalReference"),
    ({"description": "x" * 256}, "description"),
    ({"description": {"a": 1}}, "description"),
    ({"metadata": []}, "metadata"),
    ({"metadata": "text"}, "metadata"),
    ({"metadata": {f"k{n}": n for n in range(1000)}}, "metadata"),
    ({"metadata": {"a": "x" * 9000}}, "metadata"),
    ({"metadata": {"a": 12345678901234567890}}, "metadata"),
    ({"customer": "Aisha"}, "customer"),
    ({"customer": {"name": "x" * 121}}, "customer.name"),
    ({"customer": {"name": 7}}, "customer.name"),
    ({"customer": {"email": "not an address"}}, "customer.email"),
    ({"customer": {"email": "a@b.example\nBcc: c@d.example"}}, "customer.email"),
    ({"customer": {"phone": "call me"}}, "customer.phone"),
    ({"customer": {"age": 7}}, "customer.age"),
    ({"capture": "later"}, "capture"),
    ({"capture": True}, "capture"),
    ({"returnUrl": "javascript:alert(1)"}, "returnUrl"),
    ({"returnUrl": "http://shop.example/back"}, "returnUrl"),
    ({"returnUrl": "http://127.0.0.1.shop.example/back"}, "returnUrl"),
    ({"returnUrl": "//shop.example/back"}, "returnUrl"),
    ({"returnUrl": "shop.example"}, "returnUrl"),
    ({"returnUrl": "https://"}, "returnUrl"),
    ({"returnUrl": "https://user:pw@shop.example/"}, "returnUrl"),
    ({"returnUrl": "https://shop.example\\@evil.example/"}, "returnUrl"),
    ({"returnUrl": "https://shop.example/a b"}, "returnUrl"),
    ({"returnUrl": "https://shöp.example/"}, "returnUrl"),
    ({"returnUrl": "https://[::1/"}, "returnUrl"),
    ({"returnUrl": "https://shop.example:99999/"}, "returnUrl"),
    ({"returnUrl": "https://shop.example/" + "x" * 2000}, "returnUrl"),
    ({"returnUrl": "file:///etc/passwd"}, "returnUrl"),
    ({"bankCode": "x" * 21}, "bankCode"),
    ({"bankCode": "a b"}, "bankCode"),
    ({"status": "COMPLETED"}, "status"),
    ({"merchantId": "mer_1"}, "merchantId"),
    ({"merchant_id": "mer_1"}, "merchant_id"),
    ({"fee": 0}, "fee"),
    ({"is_test": False}, "is_test"),
    ({"live": True}, "live"),
    ({"id": "txn_1"}, "id"),
    ({"amountCaptured": 100}, "amountCaptured"),
]  # fmt: skip

BAD_REQUESTS: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"", {}, 400, "INVALID_REQUEST"),
    (b"{", {}, 400, "INVALID_REQUEST"),
    (b"[]", {}, 400, "INVALID_REQUEST"),
    (b"\xef\xbb\xbf{}", {}, 400, "INVALID_REQUEST"),
    (b"{}" * 40_000, {}, 413, "PAYLOAD_TOO_LARGE"),
    (b"[" * 60_000, {}, 400, "INVALID_REQUEST"),
    (b"a=1", {"content_type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"{}", {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"{}", {"content_type": ""}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"{}", {"content_type": "application/json; charset=utf-16"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"{}", {"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"{}", {"Content-Length": "-5"}, 413, "PAYLOAD_TOO_LARGE"),
    (b"{}", {"Content-Length": "99999999999"}, 413, "PAYLOAD_TOO_LARGE"),
    (b'{"description": "pay 4111 1111 1111 1111"}', {}, 400, "CARD_DATA_NOT_ALLOWED"),
    (b'{"metadata": {"card": 5555555555554444}}', {}, 400, "CARD_DATA_NOT_ALLOWED"),
    (b'{"externalReference": "4111-1111-1111-1111"}', {}, 400, "CARD_DATA_NOT_ALLOWED"),
    (b'{"returnUrl": "https://shop.example/?card=4111111111111111"}', {}, 400, "CARD_DATA_NOT_ALLOWED"),
]

BAD_KEYS = ["", "x" * 256, "ключ", "tab\there", "one, two", "nul\0", "4111111111111111"]


@pytest.fixture
def nothing_written(api: Api) -> Any:
    before = counts()
    yield
    assert counts() == before


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("literal", BAD_AMOUNTS)
def test_an_amount_that_is_none(api: Api, literal: str) -> None:
    body = f'{{"paymentTypeId": "migs", "amount": {literal}}}'

    error = refusal(api.post("/transactions", body), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == ["amount"]


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    "amount, currency", [("10.5", "JPY"), ("10.5", "VND"), ("1.2345", "KWD"), ("10.005", "USD"), ("10.505", "KHR")]
)
def test_more_digits_than_the_currency_has(api: Api, amount: str, currency: str) -> None:
    for given in (amount, float(amount)):
        error = refusal(
            api.post("/transactions", new_body(amount=given, currencyCode=currency)), 400, "INVALID_REQUEST"
        )
        assert list(error["details"]["fields"]) == ["amount"]


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("currency", ["usd", "XXX", "KHM", "XAU", "ZZZ", "US", "JPY", "KHR", "", " MYR", "MYR "])
def test_a_currency_that_nothing_takes(api: Api, currency: str) -> None:
    error = refusal(api.post("/transactions", new_body(amount=100, currencyCode=currency)), 422, "UNSUPPORTED_CURRENCY")

    assert error["details"]["currencyCode"] == currency


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("fields, name", BAD_FIELDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_field_that_is_wrong_is_named(api: Api, fields: dict[str, Any], name: str) -> None:
    error = refusal(api.post("/transactions", new_body(**fields)), 400, "INVALID_REQUEST")

    assert name in error["details"]["fields"]
    assert all(isinstance(text, str) for text in error["details"]["fields"][name])


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("body, headers, status, code", BAD_REQUESTS)
def test_a_body_that_cannot_be_read(
    api: Api, caplog: pytest.LogCaptureFixture, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = api.post("/transactions", body, key="k1", **headers)

    refusal(response, status, code)
    said = response.content.decode() + caplog.text
    assert all(digits not in said for digits in ("1111 1111", "1111-1111", "11111111", "55555555"))


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("key", BAD_KEYS)
def test_an_idempotency_key_that_is_none(api: Api, key: str) -> None:
    assert api.post("/transactions", new_body(), key=key).status_code == 400


def test_everything_wrong_is_named_at_once(api: Api) -> None:
    error = refusal(
        api.post("/transactions", {"amount": "x", "customer": {"email": "x", "y": 1}, "z": 1}), 400, "INVALID_REQUEST"
    )

    assert set(error["details"]["fields"]) == {"paymentTypeId", "amount", "customer.email", "customer.y", "z"}


def test_a_bank_has_to_be_listed_and_online(api: Api) -> None:
    for code, online in (("TEST0001", True), ("TEST0002", False)):
        Bank.objects.create(provider="fpx", business=False, code=code, name=code, online=online, refreshed_at=NOW)
    forget_banks()

    for code in ("TEST0002", "TEST0009"):
        body = new_body(paymentTypeId="fpx", bankCode=code)
        error = refusal(api.post("/transactions", body), 400, "INVALID_REQUEST")
        assert list(error["details"]["fields"]) == ["bankCode"]
    assert api.post("/transactions", new_body(paymentTypeId="fpx", bankCode="TEST0001")).status_code == 201


@pytest.mark.parametrize("capture, status", [("automatic", 201), ("manual", 400)])
def test_a_way_of_capture_the_account_has_not(api: Api, capture: str, status: int) -> None:
    assert api.post("/transactions", new_body(capture=capture)).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 256},
        {"reason": 7},
        {"reason": "x", "amount": 0},
        {"reason": "x", "amount": -5},
        {"reason": "x", "amount": "1e1"},
        {"reason": "x", "amount": 1.005},
        {"reason": "x", "currencyCode": "MYR"},
        {"reason": "x", "status": "SUCCEEDED"},
        {"reason": "to card 4111 1111 1111 1111"},
    ],
)
def test_a_refund_that_cannot_be_read(api: Api, body: dict[str, Any]) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    before = counts()

    response = api.post(f"/transactions/{transaction.pk}/refunds", body, key="k1")

    assert response.status_code == 400
    assert json.loads(response.content)["error"]["code"] in ("INVALID_REQUEST", "CARD_DATA_NOT_ALLOWED")
    assert counts() == before
    transaction.refresh_from_db()
    assert transaction.amount_refund_pending_minor == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=101", "limit=1000000000", "limit=x", "limit=", "limit=１", "cursor=x", "cursor=",
        "cursor=" + "A" * 5000, "cursor=%00", "cursor=é", "status=PAID", "status=COMPLETED,PAID", "amountMin=x",
        "amountMin=1e2", "amountMax=-1", "amountMin=1.005", "createdFrom=yesterday", "createdFrom=2026-03-02",
        "createdFrom=2026-03-02T04:00:00", "createdFrom=2026-02-30T04:00:00Z", "createdFrom=0001-01-01T00:00:00%2B08:00",
        "createdTo=9999-12-31T23:59:59-01:00", "createdFrom=2026-03-02T00:00:00Z&createdTo=2026-03-01T00:00:00Z",
        "createdFrom=10000-01-01T00:00:00Z", "order=amount", "externalReference=%00", "externalReference=" + "x" * 101,
        "currencyCode=MYRR", "merchant=mer_1", "status=COMPLETED&status=FAILED",
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_asked_for(api: Api, query: str) -> None:
    refusal(api.get(f"/transactions?{query}"), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "reference",
    ["txn_00000000000000000000000000", "1", "pay_1", "%27%20OR%201=1--", "%00", "x" * 3000, "тест", "%F0%9F%92%A9", "..", "%20"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/transactions/{}", "/transactions/{}/status", "/transactions/{}/events", "/refunds/{}"]
)
def test_an_id_that_is_none_is_not_found(api: Api, path: str, reference: str) -> None:
    refusal(api.get(path.format(reference)), 404, "NOT_FOUND")
