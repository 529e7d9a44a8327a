"""What is tried again, what never is, under which key, and after how long: both SDKs against a server that fails as told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import payment_engine.transport
import pytest
from payment_engine import (
    ConnectionFailedError,
    CreateTransactionRequest,
    PaymentEngineClient,
    PaymentEngineError,
    RateLimitError,
    ServerError,
)
from payment_engine.transport import retry_after

from tests.sdk.given import needs_node, run_node
from tests.sdk.scripted import ERROR, TRANSACTION, Answer, scripted

CREATED = Answer(201, TRANSACTION)
CUT = Answer(0)
REQUEST = CreateTransactionRequest(payment_type_id="fpx", amount=100.50, currency_code="MYR")


def refused(status: int, code: str = "SERVICE_UNAVAILABLE", **headers: str) -> Answer:
    return Answer(status, ERROR % code, headers)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the Python SDK has waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(payment_engine.transport.time, "sleep", waited.append)
    return waited


def create(url: str, **options: object) -> object:
    return PaymentEngineClient(api_key="k", base_url=url, timeout=5, **options).transactions.create(REQUEST)


def test_python_tries_four_times_under_one_key(waits):
    with scripted(CUT, refused(503), refused(500), CREATED) as server:
        transaction = create(server.url)

    keys = {asked.headers["idempotency-key"] for asked in server.asked}
    assert (transaction.id, transaction.amount) == ("txn_1", Decimal("100.50"))
    assert len(server.asked) == 4
    assert len(keys) == 1
    assert len(keys.pop()) == 36
    assert json.loads(server.asked[3].body) == {"paymentTypeId": "fpx", "amount": "100.50", "currencyCode": "MYR"}
    assert server.asked[0].headers["x-api-key"] == "k"
    assert waits == [1.0, 2.0, 4.0]


def test_python_waits_as_long_as_it_is_told(waits):
    with scripted(refused(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "7"}), refused(502), CREATED) as server:
        create(server.url)
    assert waits == [7.0, 2.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_python_does_not_repeat_what_will_not_change(waits, status):
    with scripted(refused(status, "SOME_CODE")) as server, pytest.raises(PaymentEngineError) as error:
        create(server.url)
    assert (error.value.status, error.value.code, waits) == (status, "SOME_CODE", [])


def test_python_gives_up_with_the_key_to_ask_with(waits):
    with scripted(CUT, CUT) as server, pytest.raises(ConnectionFailedError) as lost:
        create(server.url, retries=1)
    with scripted(refused(503), refused(503)) as other, pytest.raises(ServerError) as away:
        create(other.url, retries=1)
    with (
        scripted(refused(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "61"})) as busy,
        pytest.raises(RateLimitError) as later,
    ):
        create(busy.url)

    assert (lost.value.code, lost.value.status) == ("CONNECTION_FAILED", None)
    assert lost.value.idempotency_key == server.asked[1].headers["idempotency-key"]
    assert (away.value.code, away.value.request_id) == ("SERVICE_UNAVAILABLE", "req_1")
    assert later.value.retry_after == 61.0
    assert waits == [1.0, 1.0]


def test_python_never_repeats_what_no_key_protects(waits):
    with scripted(CUT) as server, pytest.raises(ConnectionFailedError):
        PaymentEngineClient(api_key="k", base_url=server.url).webhook_endpoints.create("https://shop.example/hooks")
    assert len(server.asked) == 1
    assert "idempotency-key" not in server.asked[0].headers


@pytest.mark.parametrize(
    "answer", [Answer(200, "<html>"), Answer(200, "[]"), Answer(302, "", {"Location": "/"}), Answer(201, "{}")]
)
def test_python_says_so_when_it_cannot_read_the_answer(answer):
    with scripted(answer) as server, pytest.raises(PaymentEngineError) as error:
        create(server.url)
    assert error.value.code == "UNREADABLE_RESPONSE"
    assert len(server.asked) == 1


def test_retry_after_is_seconds_or_a_date():
    now = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    assert retry_after("120", now=now) == 120.0
    assert retry_after("Mon, 02 Mar 2026 04:00:30 GMT", now=now) == 30.0
    assert retry_after("Mon, 02 Mar 2026 03:00:00 GMT", now=now) == 0.0
    assert retry_after("soon", now=now) is None
    assert retry_after(None, now=now) is None


JAVASCRIPT = """
const PaymentEngine = require('@payment-engine/sdk');
const seen = [];
const client = new PaymentEngine({
  apiKey: 'k', baseUrl: process.env.URL, timeout: 5000, retryDelay: 10, ...JSON.parse(process.env.OPTIONS),
  onRequest: (config) => seen.push(`${config.method} ${config.headers['X-API-Key']}`),
  onResponse: (response) => { seen.push(response.status); throw new Error('a hook that fails'); },
  onError: (error) => seen.push(error.code),
});
const started = Date.now();
const call = process.env.CALL === 'endpoint'
  ? client.webhookEndpoints.create({ url: 'https://shop.example/hooks' })
  : client.transactions.create({ paymentTypeId: 'fpx', amount: 100.50, currencyCode: 'MYR' });
call.then(
  (answer) => ({ answer }),
  (error) => ({ code: error.code, status: error.status, key: error.idempotencyKey, retryAfter: error.retryAfter }),
).then((outcome) => console.log(JSON.stringify({ ...outcome, seen, took: Date.now() - started })));
"""


def javascript(folder, *answers, call="create", **options):
    with scripted(*answers) as server:
        printed = run_node(folder, JAVASCRIPT, URL=server.url, CALL=call, OPTIONS=json.dumps(options))
    return json.loads(printed), server.asked


@needs_node
def test_javascript_tries_four_times_under_one_key(tmp_path):
    outcome, asked = javascript(tmp_path, CUT, refused(503), refused(500), CREATED)

    assert (outcome["answer"]["id"], outcome["answer"]["amount"]) == ("txn_1", 100.50)
    assert outcome["seen"] == ["POST undefined", "POST undefined", 503, "POST undefined", 500, "POST undefined", 201]
    assert len({one.headers["idempotency-key"] for one in asked}) == 1
    assert {one.headers["x-api-key"] for one in asked} == {"k"}
    assert json.loads(asked[3].body) == {"paymentTypeId": "fpx", "amount": 100.5, "currencyCode": "MYR"}
    assert outcome["took"] >= 70  # 10, 20 and 40 ms


@needs_node
def test_javascript_waits_as_long_as_it_is_told(tmp_path):
    outcome, asked = javascript(tmp_path, refused(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "1"}), CREATED)
    assert len(asked) == 2
    assert outcome["took"] >= 1000


@needs_node
@pytest.mark.parametrize("status", [400, 409, 422, 501])
def test_javascript_does_not_repeat_what_will_not_change(tmp_path, status):
    outcome, asked = javascript(tmp_path, refused(status, "SOME_CODE"))
    assert (outcome["status"], outcome["code"], len(asked)) == (status, "SOME_CODE", 1)
    assert outcome["seen"] == ["POST undefined", status, "SOME_CODE"]


@needs_node
def test_javascript_gives_up_with_the_key_to_ask_with(tmp_path):
    lost, asked = javascript(tmp_path, CUT, CUT, retries=1)
    later, _ = javascript(tmp_path, refused(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "61"}))

    assert (lost["code"], lost["key"]) == ("CONNECTION_FAILED", asked[1].headers["idempotency-key"])
    assert (later["code"], later["retryAfter"]) == ("RATE_LIMIT_EXCEEDED", 61)


@needs_node
def test_javascript_never_repeats_what_no_key_protects(tmp_path):
    outcome, asked = javascript(tmp_path, refused(503), call="endpoint")
    assert (outcome["status"], len(asked)) == (503, 1)
    assert "idempotency-key" not in asked[0].headers


@needs_node
def test_javascript_says_so_when_it_cannot_read_the_answer(tmp_path):
    for answer in (Answer(200, "<html>"), Answer(302, "", {"Location": "/"})):
        outcome, asked = javascript(tmp_path, answer)
        assert (outcome["code"], len(asked)) == ("UNREADABLE_RESPONSE", 1)
