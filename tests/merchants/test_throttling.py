from __future__ import annotations

import time
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from merchants import rates
from merchants.api import throttling
from merchants.api.throttling import Verdict, limit
from tests.factories import MerchantFactory
from tests.support.api import Api, api_for, refusal
from tests.support.race import race


def count(credential: str, *, scope: str = rates.API, plan: str = "default", address: str = "") -> Verdict:
    return limit(scope=scope, plan=plan, credential=credential, address=address or f"2001:db8::{credential}")


@pytest.fixture
def credential() -> str:
    return uuid4().hex


def test_the_figures_are_the_documents() -> None:
    assert rates.PER_MINUTE["default"] == {
        "api": 100,
        "eps.request": 100,
        "eps.update": 200,
        "eps.reconcile": 10,
        "sign_in.user": 30,
        "sign_in.address": 120,
        "address": 1000,
    }
    assert set(rates.PER_MINUTE["demo"].values()) == {100_000}
    assert rates.per_minute("a plan of a later release", rates.API) == 100


def test_of_200_at_once_exactly_100_pass(credential: str) -> None:
    verdicts = race(200, lambda _: count(credential))

    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(100))
    refused = [verdict for verdict in verdicts if not verdict.allowed]
    assert len(refused) == 100
    assert all((verdict.limit, verdict.remaining) == (100, 0) for verdict in refused)
    assert all(1 <= verdict.retry_after_seconds <= 10 for verdict in refused)


def test_scopes_and_credentials_do_not_share(credential: str) -> None:
    for _ in range(10):
        assert count(credential, scope=rates.EPS_RECONCILE).allowed

    assert not count(credential, scope=rates.EPS_RECONCILE).allowed
    assert count(credential, scope=rates.EPS_UPDATE).allowed
    assert count(credential + "2", scope=rates.EPS_RECONCILE).allowed


def test_an_address_has_1000_whatever_the_credentials(credential: str) -> None:
    results = [limit(scope=rates.API, plan="default", credential=None, address=credential) for _ in range(900)]
    assert all(result.allowed for result in results)

    results = [count(f"{credential}{number}", address=credential) for number in range(150)]

    assert [result.allowed for result in results] == [True] * 100 + [False] * 50
    assert (results[-1].limit, results[-1].remaining) == (1000, 0)
    assert count(credential, plan="demo", address=credential).allowed  # another plan's merchants are not held up


def test_what_is_refused_uses_nothing_up(credential: str) -> None:
    address = f"2001:db8::{credential}"
    for _ in range(150):
        count(credential, address=address)

    assert limit(scope=rates.API, plan="default", credential=None, address=address).remaining == 899


def test_half_a_minute_sees_at_most_150_percent_and_the_long_run_the_figure() -> None:
    throttling._local.clear()
    allowed_at = [second for second in range(600) for _ in range(20) if throttling._take([("b", 100)], second).allowed]

    assert allowed_at.count(0) + sum(allowed_at.count(second) for second in range(1, 10)) == 100
    worst = max(sum(1 for at in allowed_at if start <= at < start + 30) for start in range(570))
    assert worst == 100 + 33  # the bucket and two ticks; 150 with a third
    assert len(allowed_at) == 100 + 59 * 100 // 6


def test_reset_and_retry_after_say_when() -> None:
    throttling._local.clear()
    first = throttling._take([("b", 6)], 1000)
    for _ in range(5):
        last = throttling._take([("b", 6)], 1003)
    refused = throttling._take([("b", 6)], 1003)

    assert first == Verdict(True, 6, 5, 1010, 0)
    assert last == Verdict(True, 6, 0, 1060, 0)
    assert refused == Verdict(False, 6, 0, 1060, 7)
    assert throttling._take([("b", 6)], 1010).allowed


def test_redis_and_the_process_count_alike(credential: str) -> None:
    throttling._local.clear()
    in_redis = [count(credential) for _ in range(101)]
    in_process = [throttling._take([("b", 100)], int(time.time())) for _ in range(101)]

    assert [(v.allowed, v.limit, v.remaining) for v in in_redis] == [
        (v.allowed, v.limit, v.remaining) for v in in_process
    ]


def test_without_redis_each_process_allows_half_and_nobody_waits(credential: str, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.perf_counter()

    verdicts = [count(credential) for _ in range(60)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 50 + [False] * 10
    assert verdicts[0].headers() == {
        "X-RateLimit-Limit": "50",
        "X-RateLimit-Remaining": "49",
        "X-RateLimit-Reset": str(verdicts[0].reset_at),
    }
    assert time.perf_counter() - started < 5


def test_redis_is_tried_again(credential: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert count(credential).limit == 50
    settings.REDIS_URL = django_settings.CELERY_BROKER_URL
    assert count(credential).limit == 50  # not yet

    later = time.monotonic() + throttling.REDIS_RETRY_SECONDS + 0.001
    monkeypatch.setattr(throttling.time, "monotonic", lambda: later)

    assert count(credential).limit == 100


@pytest.mark.django_db
def test_every_limited_answer_says_so() -> None:
    api = api_for(MerchantFactory(rate_plan="default"))

    answers = [api.get(path) for path in ["/payment-types", "/transactions/none", "/nonsense"][:2] * 50]
    last = api.get("/payment-types", **{"X-Forwarded-For": "203.0.113.77"})

    assert [answer["X-RateLimit-Remaining"] for answer in answers] == [str(left) for left in range(99, -1, -1)]
    assert {answer["X-RateLimit-Limit"] for answer in answers} == {"100"}
    assert "Retry-After" not in answers[-1]
    error = refusal(last, 429, "RATE_LIMIT_EXCEEDED")
    assert int(last["Retry-After"]) == error["details"]["retryAfterSeconds"]
    assert (last["X-RateLimit-Limit"], last["X-RateLimit-Remaining"]) == ("100", "0")


@pytest.mark.django_db
def test_what_fails_authentication_is_counted_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    api = api_for()
    api.headers = {"X-API-Key": "nonsense"}
    monkeypatch.setitem(rates.PER_MINUTE["default"], rates.ADDRESS, 2)  # type: ignore[arg-type]
    address = uuid4().hex
    monkeypatch.setattr("merchants.api.base.client_address", lambda _: address)

    answers = [api.get("/transactions") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


@pytest.mark.django_db
def test_a_payment_works_without_redis(api: Api, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = api.get("/payment-types")

    assert (response.status_code, response["X-RateLimit-Limit"]) == (200, "50000")
