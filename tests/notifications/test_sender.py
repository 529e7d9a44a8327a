"""The sender: claims that survive a kill, endpoints that cannot harm one another, and switching off what is dead."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection

from common.models import AuditRecord, Fact
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services.claims import lease_end, only_sender
from notifications.services.deliver import deliver_due
from notifications.services.dispatch import relay_outbox
from notifications.services.endpoints import endpoint_disable, endpoint_update
from tests.factories import NOW
from tests.notifications.given import MERCHANT, Clock, delivery, endpoint, fact, send_all
from tests.notifications.receiver import receiver, reply
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)

SENDER = "import django; django.setup(); from notifications.tasks import deliver_due; deliver_due()"


def test_everything_due_arrives_once_and_is_recorded() -> None:
    with receiver() as shop:
        to, _ = endpoint(shop.url)
        ids = {fact(to.merchant_id) for _ in range(250)}
        relay_outbox(now=NOW)

        assert send_all() == 250

    assert len(shop.requests) == 250
    assert {request.headers["webhook-id"] for request in shop.requests} == ids
    assert set(WebhookDelivery.objects.values_list("state", "attempts", "claim")) == {("DELIVERED", 1, "")}
    assert WebhookAttempt.objects.filter(status=200, error="").count() == 250
    assert send_all() == 0


def test_the_request_on_the_wire() -> None:
    with receiver() as shop:
        sent = delivery(endpoint(shop.url)[0])
        send_all()

    request = shop.requests[0]
    assert (request.path, request.body) == ("/hooks?shop=1", bytes(sent.body))
    assert request.headers["host"] == f"127.0.0.1:{shop.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"] == "Counterfoil-Webhooks/1"


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as shop, receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        delivery(endpoint(shop.url)[0])
        send_all()

    assert (len(shop.requests), proxy.connections) == (1, 0)


def test_an_endpoint_that_hangs_delays_nobody() -> None:
    with receiver() as slow, receiver() as quick:
        slow.answer = lambda exchange: exchange.hang()
        slow_to, _ = endpoint(slow.url)
        quick_to, _ = endpoint(quick.url)
        for _ in range(40):
            fact(slow_to.merchant_id)
        for _ in range(40):
            fact(quick_to.merchant_id)
        relay_outbox(now=NOW)

        quick_done = threading.Event()
        quick.answer = lambda exchange: (len(quick.requests) == 40 and quick_done.set()) or reply()
        sender = threading.Thread(target=lambda: (send_all(attempt_seconds=15), connection.close()))
        sender.start()

        assert quick_done.wait(12), "the quick endpoint waited for the slow one"
        assert len(slow.requests) == slow.connections == 1  # one at a time while it has not proved itself
        slow.stop.set()  # it hangs up from now on
        sender.join(60)

    assert quick_to.deliveries.filter(state="DELIVERED").count() == 40
    tries = WebhookAttempt.objects.filter(delivery__endpoint=slow_to)
    assert set(tries.values_list("delivery__state", flat=True)) == {"PENDING"}
    assert tries.count() == 40  # each delivery was attempted once: giving back costs no attempt


def test_after_silence_the_rest_goes_back_and_one_probes() -> None:
    claimed: list[int] = []
    with receiver() as shop:

        def answer(_exchange: object) -> bytes:
            claimed.append(WebhookDelivery.objects.exclude(claim="").count())
            connection.close()
            return b"" if len(claimed) == 1 else reply()

        shop.answer = answer
        to, _ = endpoint(shop.url)
        for _ in range(10):
            fact(to.merchant_id)
        relay_outbox(now=NOW)

        assert send_all() == 10

    assert claimed[:2] == [10, 1]
    assert to.deliveries.filter(state="DELIVERED").count() == 9
    assert to.deliveries.get(state="PENDING").attempts == 1


def test_at_most_four_at_once_at_one_endpoint() -> None:
    at_once, most, lock = [0], [0], threading.Lock()
    busy = threading.Event()

    def answer(_exchange: object) -> bytes:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        busy.wait(0.005)
        with lock:
            at_once[0] -= 1
        return reply()

    with receiver() as shop:
        shop.answer = answer
        to, _ = endpoint(shop.url)
        for _ in range(200):
            fact(to.merchant_id)
        relay_outbox(now=NOW)

        sent = race(3, lambda _: send_all())

    assert most[0] == 4
    assert (sum(sent), len(shop.requests)) == (200, 200)


def test_killed_after_the_reply_it_is_sent_again_with_the_same_id(
    process_environment: dict[str, str], app_role_url: str
) -> None:
    with receiver() as shop:
        sent = delivery(endpoint(shop.url)[0])
        killed = subprocess.run(
            [sys.executable, "-c", SENDER],
            env=process_environment | {"DATABASE_URL": app_role_url, "COUNTERFOIL_CRASHPOINT": "delivery.sent"},
            timeout=60,
        )
        assert killed.returncode == 137
        assert (len(shop.requests), WebhookAttempt.objects.count()) == (1, 0)
        sent.refresh_from_db()
        clock = Clock(sent.due_at - timedelta(milliseconds=1))
        assert send_all(clock) == 0  # the dead sender's claim still holds

        clock.forward(milliseconds=1)
        assert send_all(clock) == 1

    first, second = shop.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == sent.event_id
    assert first.body == second.body
    sent.refresh_from_db()
    assert (sent.state, sent.attempts) == ("DELIVERED", 1)


def test_a_sender_whose_claim_lapsed_does_not_overwrite_its_successor() -> None:
    with receiver() as shop:
        sent = delivery(endpoint(shop.url)[0])

        def late(_exchange: object) -> bytes:
            """While the first sender waits for the reply, its claim lapses and a second one delivers."""
            shop.answer = lambda exchange: reply(200)
            WebhookDelivery.objects.filter(pk=sent.pk).update(claim="snd_successor")
            connection.close()
            return reply(500)

        shop.answer = late
        send_all()

        sent.refresh_from_db()
        assert (sent.state, sent.attempts, sent.claim) == ("PENDING", 0, "snd_successor")
        assert sent.due_at == lease_end(NOW)
        assert sent.tries.get().status == 500  # what happened is on record all the same


def test_a_second_sender_leaves_it_to_the_first() -> None:
    with receiver() as shop:
        delivery(endpoint(shop.url)[0])
        with only_sender() as mine:
            assert mine
            assert race(1, lambda _: deliver_due()) == [0]
        assert shop.connections == 0
        assert send_all() == 1


def test_410_disables_the_endpoint_with_fact_and_audit() -> None:
    with receiver() as shop:
        shop.answer = lambda exchange: reply(410)
        to, _ = endpoint(shop.url)
        delivery(to)
        send_all()

    to.refresh_from_db()
    assert (to.is_active, to.disabled_at, to.disabled_reason, to.version) == (False, NOW, "gone", 2)
    assert Fact.objects.get(subject_id=to.pk, sequence=2).name == "webhook_endpoint.disabled"
    record = AuditRecord.objects.get(subject_id=to.pk, version=2)
    assert (record.actor, record.changes["disabled_reason"]) == ("system:webhooks", ["", "gone"])


def test_120_hours_of_failures_disable_the_endpoint_and_one_success_starts_anew() -> None:
    clock = Clock()
    with receiver() as shop:
        to, _ = endpoint(shop.url)

        def attempt(status: int) -> WebhookEndpoint:
            shop.answer = lambda exchange: reply(status)
            WebhookDelivery.objects.filter(state="PENDING").update(due_at=clock.now + timedelta(days=90))
            delivery(to)
            assert send_all(clock) == 1
            to.refresh_from_db()
            return to

        assert attempt(500).failing_since == NOW
        clock.forward(hours=100)
        assert attempt(200).failing_since is None
        clock.forward(hours=1)
        began = clock.now
        assert attempt(503).failing_since == began
        clock.forward(hours=119, minutes=59)
        assert attempt(500).is_active
        clock.forward(minutes=1)
        assert not attempt(500).is_active

    assert (to.disabled_reason, to.disabled_at, to.failing_since) == ("failing", clock.now, began)


def test_the_other_endpoints_are_told_that_one_was_disabled() -> None:
    with receiver() as dead, receiver() as other:
        dead.answer = lambda exchange: reply(410)
        off, _ = endpoint(dead.url)
        endpoint(other.url, merchant_id=off.merchant_id, event_types=["webhook_endpoint.disabled"])
        endpoint(other.url)  # another merchant's
        delivery(off)
        send_all()
        relay_outbox(now=NOW)
        send_all()

    event = json.loads(other.requests[-1].body)
    assert [json.loads(request.body)["eventType"] for request in other.requests] == ["webhook_endpoint.disabled"]
    assert event["data"] == {
        "endpointId": off.pk,
        "url": off.url,
        "active": False,
        "disabledReason": "gone",
        "failingSince": "2026-03-02T04:00:00.000Z",
    }
    assert not WebhookDelivery.objects.filter(endpoint=off, event_type="webhook_endpoint.disabled").exists()


def test_what_is_due_at_a_deactivated_endpoint_is_dead_and_before_that_it_may_come_back() -> None:
    clock = Clock()
    with receiver() as shop:
        shop.answer = lambda exchange: reply(500)
        to, _ = endpoint(shop.url)
        sent = delivery(to)
        send_all(clock)
        endpoint_disable(endpoint_id=to.pk, reason="merchant", actor=MERCHANT, now=NOW)
        assert send_all(clock) == 0
        endpoint_update(endpoint_id=to.pk, is_active=True, actor=MERCHANT, now=NOW)
        clock.forward(seconds=6)
        assert send_all(clock) == 1

        endpoint_disable(endpoint_id=to.pk, reason="merchant", actor=MERCHANT, now=NOW)
        clock.forward(hours=1)
        assert send_all(clock) == 0

    sent.refresh_from_db()
    assert (sent.state, sent.attempts, sent.due_at) == ("DEAD", 2, None)


def test_a_secret_that_does_not_open_fails_loudly_and_alone() -> None:
    with receiver() as shop:
        broken, _ = endpoint(shop.url)
        whole, _ = endpoint(shop.url)
        WebhookEndpoint.objects.filter(pk=broken.pk).update(secret_sealed=whole.secret_sealed)  # bound to another row
        unsigned, signed = delivery(broken), delivery(whole)
        send_all()

    assert (unsigned.tries.get().error, signed.tries.get().error) == ("no_secret", "")
    assert [request.headers["webhook-id"] for request in shop.requests] == [signed.event_id]
