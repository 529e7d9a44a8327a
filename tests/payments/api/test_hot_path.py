"""POST /transactions costs one round trip to the database and one to Redis once its caches are warm, and the same for a list's two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connection

from common import queue
from tests.support.api import Api, new_body

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """What is sent to the database, over Redis by us, and to the broker."""
    sent: dict[str, list[str]] = {"database": [], "redis": [], "broker": []}

    def database(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        sent["database"].append(sql)
        return execute(sql, params, many, context)

    real = redis.connection.AbstractConnection.send_packed_command

    def over_redis(self: Any, command: Any, **options: Any) -> Any:
        sent["redis"].append(repr(command)[:60])
        return real(self, command, **options)

    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", over_redis)
    monkeypatch.setattr(queue, "_publish", lambda task, ids: sent["broker"].append(task))
    with connection.execute_wrapper(database):
        yield sent


@pytest.mark.parametrize("method", ["fpx", "migs"])
def test_a_create_is_one_statement_and_one_redis_call(
    api: Api, trips: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    body = new_body(paymentTypeId=method, bankCode="TEST0001" if method == "fpx" else None)
    api.post("/transactions", body, key="warm")
    queue._last_sent.clear()
    for sent in trips.values():
        sent.clear()

    answers = [api.post("/transactions", body | {"externalReference": f"o{n}"}, key=f"k{n}") for n in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len(trips["database"]) == 3
    assert all(sql.startswith("WITH ") for sql in trips["database"])
    assert len(trips["redis"]) == 3
    assert all("EVALSHA" in command for command in trips["redis"])
    assert trips["broker"] == ["notifications.relay_outbox"]  # one nudge for all three


def test_a_list_is_two_queries_whatever_its_length(api: Api, trips: dict[str, list[str]]) -> None:
    for number in range(5):
        api.post("/transactions", new_body(), key=f"k{number}")
    trips["database"].clear()

    for limit in (1, 5):
        assert api.get(f"/transactions?limit={limit}").status_code == 200

    assert len(trips["database"]) == 4
