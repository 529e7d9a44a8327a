"""The application in this process: how long a stream lives, and how many there may be."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone

from common.changes import Actor
from merchants.models import ApiKey, MerchantSession
from merchants.services.users import merchant_user_create
from notifications.live import hub, views
from notifications.live.app import LiveApplication
from tests.factories import captured_transaction
from tests.support.api import Api, api_for, content

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The application takes note of the server's signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Asked:
    """One request, whose client stays until `leave` is set. `sent` are the application's messages."""

    def __init__(self, transaction_id: str, headers: Mapping[str, str], query: str = "") -> None:
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": f"/api/v1/transactions/{transaction_id}/events",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
        }
        self.sent: list[dict[str, Any]] = []
        self.opened, self.leave = asyncio.Event(), asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.opened.set()

    async def run(self, application: LiveApplication) -> None:
        await application(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


def a_transaction(api: Api) -> str:
    return captured_transaction(api.merchant.provider_accounts.get(provider="migs")).pk


def test_a_stream_ends_after_its_lifetime(settings: LazySettings, api: Api) -> None:
    settings.LIVE_LIFETIME_SECONDS = (1.0, 1.0)
    asked = Asked(a_transaction(api), api.headers)

    asyncio.run(asyncio.wait_for(asked.run(LiveApplication()), timeout=10))

    assert asked.status == 200
    assert asked.body.count(b"\nevent: ") == 2
    assert asked.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize(
    ("cap", "code", "statuses"),
    [
        ("MAX_STREAMS_OF_A_MERCHANT", "RATE_LIMIT_EXCEEDED", [200, 429, 200, 200]),
        ("MAX_STREAMS", "SERVICE_UNAVAILABLE", [200, 503, 503, 200]),
    ],
)
def test_one_stream_too_many(
    monkeypatch: pytest.MonkeyPatch, api: Api, cap: str, code: str, statuses: list[int]
) -> None:
    monkeypatch.setattr(views, cap, 1)
    pk, other = a_transaction(api), api_for()
    elsewhere = a_transaction(other)

    async def ask() -> list[Asked]:
        application = LiveApplication()
        first, second, later = (Asked(pk, api.headers) for _ in range(3))
        stranger = Asked(elsewhere, other.headers)
        watching = asyncio.create_task(first.run(application))
        await first.opened.wait()
        for asked in (second, stranger):
            asked.leave.set()
            await asked.run(application)
        for asked in (first, later):
            asked.leave.set()
        await watching
        await later.run(application)
        return [first, second, stranger, later]

    asked = asyncio.run(asyncio.wait_for(ask(), timeout=20))

    assert [one.status for one in asked] == statuses
    assert json.loads(asked[1].body)["error"]["code"] == code


def test_what_ends_a_key_or_a_session_ends_its_open_streams_and_no_other(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, api: Api
) -> None:
    """Nothing is told to the live process: the rows change as another process changes them."""
    monkeypatch.setattr(hub, "CALLER_SECONDS", 0.1)
    settings.LIVE_URL = "http://live.test"
    pk, second, mei = a_transaction(api), api_for(api.merchant), signed_in(api)
    location = api.get(f"/transactions/{pk}/events", Accept="text/event-stream")["Location"]
    by_key, by_ticket = Asked(pk, api.headers), Asked(pk, {}, urlsplit(location).query)
    by_session, by_other_key = Asked(pk, mei.headers), Asked(pk, second.headers)

    def revoke() -> None:
        ApiKey.objects.filter(pk=api.key.pk).update(revoked_at=timezone.now())
        MerchantSession.objects.update(revoked_at=timezone.now())
        connection.close()

    async def ask() -> None:
        application = LiveApplication()
        watching = [
            asyncio.create_task(asked.run(application)) for asked in (by_key, by_ticket, by_session, by_other_key)
        ]
        for asked in (by_key, by_ticket, by_session, by_other_key):
            await asked.opened.wait()
        await asyncio.sleep(0.5)  # several looks, while all of them may
        assert not any(task.done() for task in watching)
        await asyncio.to_thread(revoke)
        await asyncio.gather(*watching[:3])
        await asyncio.sleep(0.5)  # several looks more
        assert not watching[3].done()
        by_other_key.leave.set()
        await watching[3]

    asyncio.run(asyncio.wait_for(ask(), timeout=20))

    assert [asked.status for asked in (by_key, by_ticket, by_session, by_other_key)] == [200] * 4


def signed_in(api: Api) -> Api:
    """Somebody of the same merchant, by access token."""
    merchant_user_create(
        merchant_id=api.merchant.pk,
        username="mei",
        password="a-long-enough-password",
        live=False,
        scopes=["transaction:read"],
        actor=Actor("operator:aisha", "req_1"),
        now=timezone.now(),
    )
    tokens = content(api.post("/auth/login", {"username": "mei", "password": "a-long-enough-password"}))
    mei = Api(api.key)
    mei.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return mei
