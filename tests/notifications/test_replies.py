"""Every kind of reply and of silence, from a real server: what is recorded, and when the delivery is tried again."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest

from notifications.models import WebhookAttempt
from notifications.services.schedule import next_attempt
from tests.factories import NOW
from tests.notifications.given import Clock, delivery, endpoint, send_all
from tests.notifications.receiver import receiver, reply

pytestmark = pytest.mark.django_db(transaction=True)

S5 = timedelta(seconds=5)
DAY = timedelta(hours=24)

CASES = {
    "200": (lambda x: reply(200), "DELIVERED", 200, "", None),
    "201 without a body": (lambda x: reply(201, b""), "DELIVERED", 201, "", None),
    "204": (lambda x: b"HTTP/1.1 204 No Content\r\n\r\n", "DELIVERED", 204, "", None),
    "200 chunked": (
        lambda x: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
        "DELIVERED",
        200,
        "",
        None,
    ),
    "100 before the 200": (lambda x: b"HTTP/1.1 100 Continue\r\n\r\n" + reply(), "DELIVERED", 200, "", None),
    "200 of a megabyte": (lambda x: reply(200, b"x" * 1_000_000), "DELIVERED", 200, "", None),
    "301": (lambda x: reply(301, b"", "Location: http://127.0.0.1:8299/"), "PENDING", 301, "http_301", S5),
    "304": (lambda x: b"HTTP/1.1 304 Not Modified\r\n\r\n", "PENDING", 304, "http_304", S5),
    "400": (lambda x: reply(400), "PENDING", 400, "http_400", S5),
    "410": (lambda x: reply(410), "PENDING", 410, "http_410", S5),
    "500": (lambda x: reply(500), "PENDING", 500, "http_500", S5),
    "500 with Retry-After": (lambda x: reply(500, b"", "Retry-After: 900"), "PENDING", 500, "http_500", S5),
    "429 in seconds": (
        lambda x: reply(429, b"", "Retry-After: 900"),
        "PENDING",
        429,
        "http_429",
        timedelta(minutes=15),
    ),
    "429 in less than the step": (lambda x: reply(429, b"", "Retry-After: 1"), "PENDING", 429, "http_429", S5),
    "429 in a week": (lambda x: reply(429, b"", "Retry-After: 604800"), "PENDING", 429, "http_429", DAY),
    "429 in words": (lambda x: reply(429, b"", "Retry-After: later"), "PENDING", 429, "http_429", S5),
    "502": (lambda x: reply(502, b"", "Retry-After: 60"), "PENDING", 502, "http_502", timedelta(minutes=1)),
    "503 at a time": (
        lambda x: reply(503, b"", "Retry-After: Mon, 02 Mar 2026 05:00:00 GMT"),
        "PENDING",
        503,
        "http_503",
        timedelta(hours=1),
    ),
    "504 at a time gone by": (
        lambda x: reply(504, b"", "Retry-After: Mon, 02 Mar 2020 05:00:00 GMT"),
        "PENDING",
        504,
        "http_504",
        S5,
    ),
    **{
        f"503 at a time that is none: {text}": (
            lambda x, text=text: reply(503, b"", f"Retry-After: {text}"),
            "PENDING",
            503,
            "http_503",
            due,
        )
        for text, due in {
            "Mon, 02 Mar 2026 05:00:00 +99999999999999": S5,
            "Fri, 31 Dec 9999 23:59:59 -2359": DAY,
            "Sat, 01 Jan 0001 00:00:00 +2359": S5,
            "Mon, 02 Mar 99999999999999999999 05:00:00 GMT": S5,
            "99999999999999999999999999": DAY,
        }.items()
    },
    **{
        f"chunk of {size}": (
            lambda x, size=size: (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nOK\r\n0\r\n\r\n"
            ),
            "PENDING",
            200,
            error,
            S5,
        )
        for size, error in {b"-5": "bad_reply", b"zz": "no_reply"}.items()
    },
    "hung up": (lambda x: b"", "PENDING", None, "no_reply", S5),
    "reset": (lambda x: x.reset(), "PENDING", None, "no_reply", S5),
    "silence": (lambda x: x.hang(), "PENDING", None, "timeout", S5),
    "dripping headers": (lambda x: x.drip(b"HTTP/1.1 200 OK\r\nX: "), "PENDING", None, "timeout", S5),
    "dripping body": (lambda x: x.drip(b"HTTP/1.1 200 OK\r\n\r\n"), "PENDING", 200, "timeout", S5),
    "cut off": (
        lambda x: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nOK",
        "PENDING",
        200,
        "no_reply",
        S5,
    ),
    "not HTTP": (lambda x: b"SSH-2.0-OpenSSH\r\n\r\n", "PENDING", None, "bad_reply", S5),
    "endless headers": (
        lambda x: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
        "PENDING",
        None,
        "bad_reply",
        S5,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_a_delivery(case: str) -> None:
    answer, state, status, error, due_in = CASES[case]
    with receiver() as shop:
        shop.answer = answer
        sent = delivery(endpoint(shop.url)[0])

        assert send_all(attempt_seconds=1 if error == "timeout" else 15) == 1

    sent.refresh_from_db()
    attempt = sent.tries.get()
    assert (sent.state, sent.attempts, attempt.status, attempt.error) == (state, 1, status, error)
    assert (attempt.at, attempt.blocked) == (NOW, False)
    assert error != "timeout" or attempt.duration_ms < 10_000
    if due_in is None:
        assert (sent.due_at, sent.delivered_at) == (None, NOW)
    else:
        assert due_in <= sent.due_at - NOW <= max(due_in, S5 * 1.1)
        assert sent.delivered_at is None
    assert len(shop.requests) == 1  # no redirect was followed, nothing was sent twice


def test_nothing_listens_there() -> None:
    with receiver() as shop:
        url = shop.url
    sent = delivery(endpoint(url)[0])

    send_all()

    sent.refresh_from_db()
    assert (sent.state, sent.tries.get().error, sent.tries.get().status) == ("PENDING", "unreachable", None)


def test_a_gzip_bomb_stays_packed_and_one_kib_is_kept() -> None:
    bomb = gzip.compress(b"0" * 40_000_000)
    with receiver() as shop:
        shop.answer = lambda x: reply(200, bomb, "Content-Encoding: gzip")
        sent = delivery(endpoint(shop.url)[0])
        send_all()

    assert bytes(sent.tries.get().response) == bomb[:1024]


def test_an_idle_connection_that_was_closed_costs_no_attempt() -> None:
    """A server may close a kept connection at any time; the request that meets that is sent again over a new one."""
    with receiver() as shop:
        shop.answer = lambda x: reply() if len(shop.requests) % 2 else b""
        to = endpoint(shop.url)[0]
        for _ in range(2):
            delivery(to)
        send_all()

        assert [a.error for a in WebhookAttempt.objects.all()] == ["", ""]
        assert shop.connections == 2
        assert [len(shop.requests), len({r.headers["webhook-id"] for r in shop.requests})] == [3, 2]


def test_the_schedule_of_ten_attempts_with_jitter() -> None:
    def steps(chance: float) -> list[float]:
        due = [next_attempt(attempts=n, now=NOW, wait=timedelta(0), chance=chance) for n in range(10)]
        return [(at - NOW).total_seconds() for at in due if at is not None]

    exact = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert steps(0) == exact
    assert sum(exact) == 75 * 3600 + 35 * 60 + 5
    assert steps(0.5) == [pytest.approx(step * 1.05) for step in exact]
    assert next_attempt(attempts=10, now=NOW, wait=timedelta(0), chance=0) is None


def test_ten_failures_and_it_is_dead() -> None:
    clock = Clock()
    with receiver() as shop:
        shop.answer = lambda x: reply(500, b"try later")
        sent = delivery(endpoint(shop.url)[0])
        made = 0
        while sent.state == "PENDING":
            clock.now = sent.due_at
            made += send_all(clock)
            assert send_all(clock) == 0  # not before it is due again
            sent.refresh_from_db()

    assert (sent.state, sent.due_at, sent.attempts, made) == ("DEAD", None, 10, 10)
    assert sent.tries.count() == len(shop.requests) == 10
    assert {request.headers["webhook-id"] for request in shop.requests} == {sent.event_id}
    assert {request.body for request in shop.requests} == {bytes(sent.body)}
    assert [int(r.headers["webhook-timestamp"]) for r in shop.requests] == [
        int(a.at.timestamp()) for a in sent.tries.all()
    ]
