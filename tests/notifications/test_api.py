"""The webhook routes: what a merchant sees and may change, and that nobody else's exists."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from common.models import AuditRecord
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.services import replay
from notifications.services.dispatch import relay_outbox
from tests.factories import NOW, ApiKeyFactory
from tests.notifications.given import Clock, delivery, endpoint, fact, send_all
from tests.notifications.receiver import receiver, reply
from tests.support.api import Api, refusal

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
URL = "http://127.0.0.1:8250/hooks"  # registering connects to nothing


def ok(response: Any, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.content
    content: dict[str, Any] = json.loads(response.content)
    return content


def made(api: Api, **fields: Any) -> dict[str, Any]:
    return ok(api.post("/webhook-endpoints", {"url": URL} | fields), 201)


def test_the_life_of_an_endpoint(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    created = made(api, description="orders", eventTypes=["transaction.completed", "refund.created"])

    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    path = f"/webhook-endpoints/{created['id']}"
    assert created == {
        "id": created["id"],
        "url": URL,
        "description": "orders",
        "eventTypes": ["refund.created", "transaction.completed"],
        "active": True,
        "disabledAt": None,
        "disabledReason": None,
        "failingSince": None,
        "previousSecretUntil": None,
        "createdAt": created["createdAt"],
        "updatedAt": created["createdAt"],
    }
    assert ok(api.get(path)) == created
    assert ok(api.get("/webhook-endpoints")) == {"data": [created], "nextCursor": None}

    changed = ok(api.call("PATCH", path, {"eventTypes": [], "description": ""}))
    assert (changed["eventTypes"], changed["description"], changed["url"]) == ([], "", URL)

    rotated = ok(api.post(f"{path}/rotate-secret", b""))
    newer = rotated.pop("secret")
    assert newer != secret
    assert rotated["previousSecretUntil"] is not None
    assert "secret" not in ok(api.get(path))

    gone = api.call("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    off = ok(api.get(path))
    assert (off["active"], off["disabledReason"]) == (False, "merchant")
    assert api.call("DELETE", path).status_code == 204
    assert ok(api.call("PATCH", path, {"active": True}))["disabledReason"] is None

    actions = list(
        AuditRecord.objects.filter(subject_id=created["id"]).order_by("version").values_list("action", flat=True)
    )
    assert actions == [
        f"webhook_endpoint.{what}" for what in ("created", "updated", "secret_rotated", "disabled", "updated")
    ]
    kept = WebhookEndpoint.objects.values_list().get()
    for text in (str(kept), caplog.text, str(list(AuditRecord.objects.values_list()))):
        assert not [part for part in (secret[6:], newer[6:]) if part in text]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "https://user@shop.example/"}, "url"),
        ({"url": "http://127.0.0.1:9200/"}, "url"),
        ({"url": URL, "eventTypes": ["transaction.exploded"]}, "eventTypes"),
        ({"url": URL, "eventTypes": "transaction.completed"}, "eventTypes"),
        ({"url": URL, "eventTypes": [1]}, "eventTypes"),
        ({"url": URL, "description": "x" * 256}, "description"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
        ({"url": URL, "merchantId": "mer_other"}, "merchantId"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    error = refusal(api.post("/webhook-endpoints", body), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == [field]
    assert not WebhookEndpoint.objects.exists()


def test_twenty_active_endpoints_are_enough(api: Api) -> None:
    for _ in range(20):
        made(api)

    refusal(api.post("/webhook-endpoints", {"url": URL}), 422, "LIMIT_EXCEEDED")

    assert WebhookEndpoint.objects.count() == 20


def test_a_test_event_goes_the_way_of_all_events_five_times_a_minute(api: Api) -> None:
    with receiver() as shop:
        created = made(api, url=shop.url)
        path = f"/webhook-endpoints/{created['id']}/test"
        queued = ok(api.post(path, b""), 202)
        assert (queued["eventType"], queued["state"], queued["attemptCount"]) == ("webhook.test", "PENDING", 0)
        for _ in range(4):
            ok(api.post(path, b""), 202)
        refusal(api.post(path, b""), 429, "RATE_LIMIT_EXCEEDED")
        send_all(Clock(WebhookDelivery.objects.latest("created_at").created_at))

    assert len(shop.requests) == 5
    assert json.loads(shop.requests[0].body)["data"] == {"message": "A test event. No money moved."}
    assert ok(api.get(f"/webhook-deliveries/{queued['id']}"))["state"] == "DELIVERED"


def test_a_delivery_with_its_attempts(api: Api) -> None:
    with receiver() as shop:
        shop.answer = lambda exchange: reply(503, b"busy \xff", "Retry-After: 60")
        to, _ = endpoint(shop.url, merchant_id=api.merchant.pk)
        sent = delivery(to)
        send_all()

    shown = ok(api.get(f"/webhook-deliveries/{sent.pk}"))

    duration = shown["attempts"][0].pop("durationMs")
    assert 0 <= duration < 5000
    assert shown == {
        "id": sent.pk,
        "endpointId": to.pk,
        "eventId": sent.event_id,
        "eventType": "transaction.created",
        "transactionId": sent.transaction_id,
        "sequence": 1,
        "state": "PENDING",
        "attemptCount": 1,
        "nextAttemptAt": "2026-03-02T04:01:00.000Z",
        "deliveredAt": None,
        "createdAt": "2026-03-02T04:00:00.000Z",
        "event": json.loads(bytes(sent.body)),
        "attempts": [{"at": "2026-03-02T04:00:00.000Z", "status": 503, "error": "http_503", "response": "busy \ufffd"}],
    }


def test_a_blocked_address_is_not_told_from_a_dead_one(api: Api) -> None:
    to, _ = endpoint("https://shop.example/", merchant_id=api.merchant.pk)
    sent = delivery(to)
    send_all(resolve=lambda host, port: ["10.0.0.5"])
    assert sent.tries.get().blocked

    attempt = ok(api.get(f"/webhook-deliveries/{sent.pk}"))["attempts"][0]

    attempt.pop("durationMs")
    assert attempt == {"at": "2026-03-02T04:00:00.000Z", "status": None, "error": "unreachable", "response": ""}


def test_deliveries_are_filtered_and_paged(api: Api) -> None:
    one, _ = endpoint(merchant_id=api.merchant.pk)
    other, _ = endpoint(merchant_id=api.merchant.pk, event_types=["transaction.completed"])
    first, second = delivery(one), delivery(one, name="payment.captured")
    third = WebhookDelivery.objects.get(endpoint=other)
    WebhookDelivery.objects.filter(pk=first.pk).update(state="DEAD", due_at=None)

    def found(query: str) -> set[str]:
        return {item["id"] for item in ok(api.get(f"/webhook-deliveries?{query}"))["data"]}

    assert found("") == {first.pk, second.pk, third.pk}
    assert found(f"endpoint={one.pk}") == {first.pk, second.pk}
    assert found("eventType=transaction.completed") == {second.pk, third.pk}
    assert found("state=DEAD") == {first.pk}
    assert found(f"transactionId={first.transaction_id}") == {first.pk}
    assert found("createdFrom=2026-03-02T04:00:00Z&createdTo=2026-03-02T04:00:01Z") == {first.pk, second.pk, third.pk}
    assert found("createdTo=2026-03-02T04:00:00Z") == found("createdFrom=2026-03-02T12:00:01%2B08:00") == set()
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(api.get(f"/webhook-deliveries?limit=2{cursor and '&cursor=' + cursor}"))
        seen += [item["id"] for item in page["data"]]
        cursor = page["nextCursor"]
    assert seen == sorted([first.pk, second.pk, third.pk], reverse=True)


@pytest.mark.parametrize(
    "query",
    ["state=LOST", "createdFrom=yesterday", "createdTo=2026-03-02T04:00:00", "colour=red", "limit=101", "cursor=x"],
)
def test_a_filter_that_is_not_understood_is_refused(api: Api, query: str) -> None:
    error = refusal(api.get(f"/webhook-deliveries?{query}"), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == [query.split("=")[0]]


def test_another_merchants_and_the_other_modes_do_not_exist(api: Api) -> None:
    live = Api(ApiKeyFactory(merchant=api.merchant, live=True))
    other = Api(ApiKeyFactory())
    to, _ = endpoint(merchant_id=api.merchant.pk)
    sent = delivery(to)
    WebhookDelivery.objects.update(state="DEAD", due_at=None)
    routes = [
        ("GET", f"/webhook-endpoints/{to.pk}", b""),
        ("PATCH", f"/webhook-endpoints/{to.pk}", {"active": False}),
        ("DELETE", f"/webhook-endpoints/{to.pk}", b""),
        ("POST", f"/webhook-endpoints/{to.pk}/rotate-secret", b""),
        ("POST", f"/webhook-endpoints/{to.pk}/test", b""),
        ("GET", f"/webhook-deliveries/{sent.pk}", b""),
        ("POST", f"/webhook-deliveries/{sent.pk}/replay", b""),
    ]
    before = list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values())

    for stranger in (other, live):
        for method, path, body in routes:
            theirs = refusal(stranger.call(method, path, body), 404, "NOT_FOUND")
            absent = path.replace(to.pk, "whe_0").replace(sent.pk, "whd_0")
            nobodys = refusal(stranger.call(method, absent, body), 404, "NOT_FOUND")
            assert (theirs["message"], theirs["details"]) == (nobodys["message"], nobodys["details"])
        assert ok(stranger.get("/webhook-endpoints"))["data"] == []
        assert ok(stranger.get(f"/webhook-deliveries?endpoint={to.pk}"))["data"] == []

    assert before == (list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values()))


def test_a_key_without_the_scope_is_refused(api: Api) -> None:
    reader = Api(ApiKeyFactory(merchant=api.merchant, scopes=["transaction:read"]))

    for method, path in (("GET", "/webhook-endpoints"), ("POST", "/webhook-endpoints"), ("GET", "/webhook-deliveries")):
        refusal(reader.call(method, path, {"url": URL}), 403, "FORBIDDEN")

    assert not WebhookEndpoint.objects.exists()


def test_a_dead_delivery_is_replayed_with_the_same_event_id(api: Api) -> None:
    clock = Clock()
    with receiver() as shop:
        shop.answer = lambda exchange: reply(500)
        sent = delivery(endpoint(shop.url, merchant_id=api.merchant.pk)[0])
        refusal(api.post(f"/webhook-deliveries/{sent.pk}/replay", b""), 409, "INVALID_STATE")
        while sent.state == "PENDING":
            clock.now = sent.due_at
            send_all(clock)
            sent.refresh_from_db()
        assert sent.state == "DEAD"

        shop.answer = lambda exchange: reply()
        again = ok(api.post(f"/webhook-deliveries/{sent.pk}/replay", b""), 202)
        assert (again["state"], again["attemptCount"], again["eventId"]) == ("PENDING", 0, sent.event_id)
        sent.refresh_from_db()
        clock.now = sent.due_at
        assert send_all(clock) == 1

    assert {request.headers["webhook-id"] for request in shop.requests} == {sent.event_id}
    assert {request.body for request in shop.requests} == {bytes(sent.body)}
    sent.refresh_from_db()
    assert (sent.state, sent.delivered_at, sent.tries.count()) == ("DELIVERED", clock.now, 11)
    record = AuditRecord.objects.get(action="webhook_delivery.replayed")
    assert (record.subject_id, record.actor[:9], record.changes) == (
        sent.pk,
        "merchant:",
        {"state": ["DEAD", "PENDING"]},
    )
    assert record.request_id != ""


def test_nothing_is_replayed_to_an_endpoint_that_is_off(api: Api) -> None:
    to, _ = endpoint(merchant_id=api.merchant.pk)
    sent = delivery(to)
    WebhookDelivery.objects.update(state="DEAD", due_at=None)
    api.call("DELETE", f"/webhook-endpoints/{to.pk}")

    refusal(api.post(f"/webhook-deliveries/{sent.pk}/replay", b""), 409, "INVALID_STATE")
    refusal(api.post(f"/webhook-endpoints/{to.pk}/test", b""), 409, "INVALID_STATE")

    sent.refresh_from_db()
    assert (sent.state, WebhookDelivery.objects.count()) == ("DEAD", 1)
    assert not AuditRecord.objects.filter(action="webhook_delivery.replayed").exists()
    assert sent.created_at == NOW


SPAN = {"from": "2026-03-02T04:00:00Z", "to": "2026-03-02T05:00:00Z"}


@pytest.fixture
def outage(api: Api) -> dict[str, list[str]]:
    """Two endpoints that missed three events each, one of which was delivered after all, and one event an hour later."""
    missed: dict[str, list[str]] = {}
    for _ in range(2):
        to, _ = endpoint(merchant_id=api.merchant.pk)
        missed[to.pk] = []
    for name, when in (("transaction.created", NOW), ("payment.captured", NOW), ("transaction.created", NOW + HOUR)):
        fact(api.merchant.pk, name=name, now=when)
        relay_outbox(now=when)
    for endpoint_id in missed:
        of_it = WebhookDelivery.objects.filter(endpoint_id=endpoint_id).order_by("created_at", "pk")
        missed[endpoint_id] = list(of_it.values_list("pk", flat=True))
        assert len(missed[endpoint_id]) == 3
    WebhookDelivery.objects.update(state="DEAD", due_at=None, attempts=10)
    return missed


def due() -> set[str]:
    return set(WebhookDelivery.objects.filter(state="PENDING", attempts=0).values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {(0, 0), (0, 1), (1, 0), (1, 1)}),
        ({"endpointId": 0}, {(0, 0), (0, 1)}),
        ({"eventTypes": ["transaction.completed"]}, {(0, 1), (1, 1)}),
        ({"endpointId": 1, "eventTypes": ["transaction.created", "refund.completed"]}, {(1, 0)}),
        ({"state": "DELIVERED"}, set()),
        ({"to": "2026-03-02T13:30:00+08:00"}, {(n, m) for n in range(2) for m in range(3)}),
        ({"state": None, "eventTypes": [], "endpointId": None}, {(0, 0), (0, 1), (1, 0), (1, 1)}),
    ],
)
def test_what_was_missed_in_a_span_is_sent_again(
    api: Api, outage: dict[str, list[str]], body: dict[str, Any], expected: set[tuple[int, int]]
) -> None:
    ids = list(outage)
    if isinstance(body.get("endpointId"), int):
        body = body | {"endpointId": ids[body["endpointId"]]}

    done = ok(api.post("/webhook-deliveries/replay", SPAN | body), 202)

    assert done == {"replayed": len(expected)}
    assert due() == {outage[ids[one]][event] for one, event in expected}
    record = AuditRecord.objects.get(action__in=["webhooks.replayed", "webhook_endpoint.replayed"])
    assert (record.changes["deliveries"], record.merchant_id) == (len(expected), api.merchant.pk)
    assert record.subject_id == (body.get("endpointId") or api.merchant.pk)


def test_a_bulk_replay_asked_twice_is_one(api: Api, outage: dict[str, list[str]]) -> None:
    first, again = (api.post("/webhook-deliveries/replay", SPAN, key="outage-1") for _ in range(2))

    assert (first.content, again.content, again["Idempotent-Replayed"]) == (b'{"replayed":4}', first.content, "true")
    assert AuditRecord.objects.filter(action="webhooks.replayed").count() == 1
    refusal(
        api.post("/webhook-deliveries/replay", SPAN | {"state": "DELIVERED"}, key="outage-1"),
        422,
        "IDEMPOTENCY_KEY_REUSED",
    )


def test_an_endpoint_that_is_off_is_left_out(api: Api, outage: dict[str, list[str]]) -> None:
    off, on = outage
    api.call("DELETE", f"/webhook-endpoints/{off}")

    refusal(api.post("/webhook-deliveries/replay", SPAN | {"endpointId": off}), 409, "INVALID_STATE")
    assert due() == set()
    assert ok(api.post("/webhook-deliveries/replay", SPAN), 202) == {"replayed": 2}
    assert due() == set(outage[on][:2])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": None}, "from"),
        ({"to": "2026-03-02T05:00:00"}, "to"),
        ({"to": 5}, "to"),
        ({"from": "2026-03-02T05:00:00Z"}, "from"),
        ({"state": "PENDING"}, "state"),
        ({"eventTypes": ["transaction.done"]}, "eventTypes"),
        ({"eventTypes": "all"}, "eventTypes"),
        ({"endpoint": "whe_1"}, "endpoint"),
    ],
)
def test_a_replay_that_is_not_understood_changes_nothing(
    api: Api, outage: dict[str, list[str]], body: dict[str, Any], field: str
) -> None:
    error = refusal(api.post("/webhook-deliveries/replay", SPAN | body), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == [field]
    assert due() == set()


def test_too_many_at_once_are_none(api: Api, outage: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_AT_ONCE", 3)

    error = refusal(api.post("/webhook-deliveries/replay", SPAN), 422, "LIMIT_EXCEEDED")

    assert (error["details"], due()) == ({"most": 3}, set())
    assert not AuditRecord.objects.filter(action="webhooks.replayed").exists()


def test_another_merchants_endpoint_and_deliveries_are_not_replayed(api: Api, outage: dict[str, list[str]]) -> None:
    for stranger in (Api(ApiKeyFactory()), Api(ApiKeyFactory(merchant=api.merchant, live=True))):
        assert ok(stranger.post("/webhook-deliveries/replay", SPAN), 202) == {"replayed": 0}
        refusal(
            stranger.post("/webhook-deliveries/replay", SPAN | {"endpointId": next(iter(outage))}), 404, "NOT_FOUND"
        )

    assert due() == set()


def test_an_endpoint_is_not_activated_beyond_the_limit(api: Api) -> None:
    first, _ = endpoint(merchant_id=api.merchant.pk)
    api.call("DELETE", f"/webhook-endpoints/{first.pk}")
    for _ in range(20):
        endpoint(merchant_id=api.merchant.pk)

    refusal(api.call("PATCH", f"/webhook-endpoints/{first.pk}", {"active": True}), 422, "LIMIT_EXCEEDED")

    assert not WebhookEndpoint.objects.get(pk=first.pk).is_active
