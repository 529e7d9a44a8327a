"""Live streams: exactly the events of one transaction, in order, whatever restarts in between and whoever asks."""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.signing import TimestampSigner, b62_encode

from merchants.api.live import Tenant, ticket_for
from merchants.scopes import Scope
from notifications.live.nudges import CHANNEL
from notifications.models import WebhookDelivery
from notifications.services.dispatch import relay_outbox
from payments.models import Transaction
from tests.factories import NOW, captured_transaction, new_transaction, sale_of, settle
from tests.live.server import EventClient, LiveServer
from tests.notifications.given import endpoint, fact
from tests.platform.processes import eventually
from tests.support.api import Api, api_for, refusal

pytestmark = pytest.mark.django_db(transaction=True)

STREAM = {"Accept": "text/event-stream"}
CREATED, COMPLETED = "transaction.created", "transaction.completed"


def account_of(api: Api) -> Any:
    return api.merchant.provider_accounts.get(provider="migs")


def events_path(transaction_id: str) -> str:
    return f"/api/v1/transactions/{transaction_id}/events"


def watch(live: LiveServer, api: Api, transaction_id: str, **headers: str) -> EventClient:
    client = live.get(events_path(transaction_id), **STREAM, **api.headers, **headers)
    assert client.status == 200, client.json()
    return client


def seen(told: list[Any]) -> list[tuple[int, str]]:
    return [(event.id, event.event) for event in told]


def add(api: Api, transaction_id: str, sequence: int, name: str = "refund.created") -> None:
    fact(api.merchant.pk, name=name, transaction_id=transaction_id, sequence=sequence)


def test_history_then_what_happens_with_the_bytes_of_webhooks(live: LiveServer, api: Api) -> None:
    endpoint(merchant_id=api.merchant.pk)
    transaction = new_transaction(account_of(api)).transaction
    client = watch(live, api, transaction.pk)

    history = client.next()
    settle(sale_of(transaction), provider_reference="P1")
    relay_outbox(now=NOW)
    happened = client.next()

    assert seen(history + happened) == [(1, CREATED), (2, COMPLETED)]
    assert happened[0].data["data"]["status"] == "COMPLETED"
    bodies = WebhookDelivery.objects.order_by("sequence").values_list("body", flat=True)
    replayed = "\n".join(line for line, _ in zip(watch(live, api, transaction.pk).lines(), range(10), strict=False))
    assert replayed == "retry: 3000\n\n" + "\n".join(
        f"id: {number}\nevent: {name}\ndata: {bytes(body).decode()}\n"
        for number, name, body in zip((1, 2), (CREATED, COMPLETED), bodies, strict=True)
    )
    assert client.headers["Content-Type"] == "text/event-stream"
    assert client.headers["Cache-Control"] == "no-store"
    assert client.headers["X-Accel-Buffering"] == "no"
    assert client.headers["X-Request-Id"].startswith("req_")


def test_the_web_process_leads_to_the_stream(live: LiveServer, api: Api) -> None:
    transaction = captured_transaction(account_of(api))

    answer = api.get(f"/transactions/{transaction.pk}/events?lastEventId=1", **STREAM)
    client = EventClient(answer["Location"], STREAM)  # no credential: clients drop it on the way

    assert answer.status_code == 307
    assert answer["Location"].startswith(f"{live.url}{events_path(transaction.pk)}?ticket=")
    assert client.status == 200
    assert seen(client.next()) == [(2, COMPLETED)]


def test_resume_by_header_or_query(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    add(api, pk, 3, "payment.capture_declined")  # no merchant hears of it
    add(api, pk, 4)

    by_header = watch(live, api, pk, **{"Last-Event-ID": "1"})
    by_query = live.get(f"{events_path(pk)}?lastEventId=2", **api.headers)
    both = live.get(f"{events_path(pk)}?lastEventId=0", **api.headers, **{"Last-Event-ID": "2"})

    assert seen(by_header.next(2)) == [(2, COMPLETED), (4, "refund.created")]
    assert seen(by_query.next()) == [(4, "refund.created")]
    assert seen(both.next()) == [(4, "refund.created")]


def test_reconnecting_while_events_happen_skips_and_doubles_nothing(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    last = 302  # three pages

    def happen() -> None:
        from django.db import connection

        for sequence in range(3, last + 1):
            add(api, pk, sequence)
            if sequence % 3 == 0:
                relay_outbox(now=NOW)
        connection.close()

    writer = threading.Thread(target=happen)
    writer.start()
    told: list[int] = []
    reconnects = 0
    while not told or told[-1] < last:
        client = watch(live, api, pk, **{"Last-Event-ID": str(told[-1] if told else 0)})
        told += [event.id for event in client.next(min(7, last - len(told)))]
        client.close()
        reconnects += 1
    writer.join()

    assert told == list(range(1, last + 1))
    assert reconnects >= last // 7


def test_many_streams_at_different_places_of_one_transaction(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    for sequence in range(3, 12):
        add(api, pk, sequence)

    clients = [watch(live, api, pk, **{"Last-Event-ID": str(number)}) for number in range(12)]
    add(api, pk, 12)
    relay_outbox(now=NOW)

    for number, client in enumerate(clients):
        assert [event.id for event in client.next(12 - number)] == list(range(number + 1, 13))


def test_redis_restarted_in_between(live: LiveServer, api: Api) -> None:
    transaction = new_transaction(account_of(api)).transaction
    client = watch(live, api, transaction.pk)
    assert seen(client.next()) == [(1, CREATED)]

    live.restart_redis()
    settle(sale_of(transaction), provider_reference="P1")  # nothing nudges: the poll finds it
    unnudged = client.next()
    eventually(lambda: live.listeners(CHANNEL) == 1, what="a new subscription")
    add(api, transaction.pk, 3)
    relay_outbox(now=NOW)

    assert seen(unnudged + client.next()) == [(2, COMPLETED), (3, "refund.created")]


def test_the_relay_goes_on_while_redis_is_away(settings: Any, api: Api) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    captured_transaction(account_of(api))

    assert relay_outbox(now=NOW) == 2


def test_an_idle_stream_says_so(live: LiveServer, api: Api) -> None:
    client = watch(live, api, captured_transaction(account_of(api)).pk, **{"Last-Event-ID": "2"})

    assert [line for line, _ in zip(client.lines(), range(6), strict=False)] == [
        "retry: 3000",
        "",
        ": still here",
        "",
        ": still here",
        "",
    ]


def test_a_client_that_does_not_read_is_let_go_and_resumes(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    for sequence in range(3, 61):
        payload = {"transactionId": pk, "note": "x" * 200_000}  # together more than sockets and the server buffer
        fact(api.merchant.pk, name="refund.created", transaction_id=pk, sequence=sequence, payload=payload)

    slow = EventClient(live.url + events_path(pk), STREAM | api.headers, buffer=65536)
    eventually(lambda: "live.slow_client_let_go" in live.log(), seconds=60, what="the end")
    add(api, pk, 61)
    told = [event.id for event in slow.events()]  # what was on the way, then the end
    rest = watch(live, api, pk, **{"Last-Event-ID": str(told[-1])}).next(61 - len(told))

    assert told + [event.id for event in rest] == list(range(1, 62))


def test_a_stream_lets_the_server_stop_and_goes_on_with_its_successor(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    client = watch(live, api, pk)
    client.next(2)

    live.process.ask_to_stop()
    rest = list(client.lines())
    live.process.wait(15)
    live.start_process()
    add(api, pk, 3)

    assert set(rest) <= {"", ": still here"}
    assert "refused to gracefully stop" not in live.log()
    assert seen(watch(live, api, pk, **{"Last-Event-ID": "2"}).next()) == [(3, "refund.created")]


# -- who may ------------------------------------------------------------------------------------------------------------


def test_anothers_transaction_does_not_exist(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    strangers = [api_for(), api_for(api.merchant, live=True)]

    for stranger in strangers:
        web = stranger.get(f"/transactions/{pk}/events", **STREAM)
        assert refusal(web, 404, "NOT_FOUND")["message"] == "There is no such transaction."
        direct = live.get(events_path(pk), **STREAM, **stranger.headers)
        assert (direct.status, direct.headers["Content-Type"]) == (404, "application/json")
        assert direct.json()["error"]["code"] == "NOT_FOUND"


def test_a_key_without_the_scope_and_no_key(live: LiveServer, api: Api) -> None:
    pk = captured_transaction(account_of(api)).pk
    narrow = api_for(api.merchant, scopes=[Scope.ACCOUNT_READ])

    assert refusal(narrow.get(f"/transactions/{pk}/events", **STREAM), 403, "FORBIDDEN")
    assert live.get(events_path(pk), **STREAM, **narrow.headers).status == 403
    nobody = live.get(events_path(pk), **STREAM)
    assert (nobody.status, nobody.headers["WWW-Authenticate"]) == (401, 'Bearer realm="counterfoil"')
    bearer = {"Authorization": f"Bearer {api.headers['X-API-Key']}"}
    assert live.get(events_path(pk), **STREAM, **bearer).status == 200


def test_tickets_are_for_one_transaction_of_one_merchant_for_a_minute(
    live: LiveServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk, other = (captured_transaction(account_of(api)).pk for _ in range(2))
    location = api.get(f"/transactions/{pk}/events", **STREAM)["Location"]
    (ticket,) = parse_qs(urlsplit(location).query)["ticket"]
    stranger = ticket_for(Tenant(api_for().merchant.pk, False, api.key.pk), transaction_id=pk)
    live_mode = ticket_for(Tenant(api.merchant.pk, True, api.key.pk), transaction_id=pk)
    foreign_salt = TimestampSigner(salt="other").sign_object([pk, api.merchant.pk, False])
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "timestamp", lambda _: b62_encode(int(time.time()) - 61))
        expired = ticket_for(Tenant(api.merchant.pk, False, api.key.pk), transaction_id=pk)

    def status(transaction_id: str, ticket: str) -> int:
        return live.get(f"{events_path(transaction_id)}?ticket={ticket}", **STREAM).status

    assert status(pk, ticket) == 200
    assert [status(pk, bad) for bad in ("", "x", ticket[:-1], foreign_salt, expired)] == [401] * 5
    assert status(other, ticket) == 401
    assert [status(pk, stranger), status(pk, live_mode)] == [404, 404]
    refused = live.get(f"{events_path(pk)}?ticket=x", **STREAM, **{"X-Request-Id": "mine"})
    assert refused.json()["error"]["code"] == "UNAUTHORIZED"
    assert refused.headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize("given", ["-1", "1.5", "abc", "²", "99999999999"])
def test_a_last_event_id_that_was_never_sent_is_refused(live: LiveServer, api: Api, given: str) -> None:
    pk = captured_transaction(account_of(api)).pk

    answer = live.get(events_path(pk), **STREAM, **api.headers, **{"Last-Event-ID": given.encode().decode("latin-1")})

    assert answer.status == 400
    assert "lastEventId" in answer.json()["error"]["details"]["fields"]


def test_without_a_live_process_json_is_what_there_is(settings: Any, api: Api) -> None:
    settings.LIVE_URL = ""
    pk = captured_transaction(account_of(api)).pk

    refusal(api.get(f"/transactions/{pk}/events", **STREAM), 503, "SERVICE_UNAVAILABLE")
    assert api.get(f"/transactions/{pk}/events").status_code == 200
    assert Transaction.objects.get(pk=pk).status == "COMPLETED"


def test_the_live_process_serves_nothing_else(live: LiveServer, api: Api) -> None:
    assert live.get("/admin/").status == 404
    assert live.get("/api/v1/transactions", **api.headers).json()["error"]["code"] == "NOT_FOUND"
