"""The relay: every fact once for each endpoint that wants it, whoever relays and in whatever order facts commit."""

from __future__ import annotations

import subprocess
import sys
import threading

import orjson
import pytest
from django.db import connection, transaction

from common.models import AuditRecord, Fact
from notifications.models import WebhookDelivery
from notifications.services.dispatch import relay_outbox
from notifications.services.endpoints import endpoint_disable
from tests.factories import NOW, MerchantFactory, ProviderAccountFactory, captured_transaction
from tests.notifications.given import MERCHANT, endpoint, fact
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


def unpublished() -> int:
    return Fact.objects.filter(published_at=None).count()


def test_a_captured_transaction_is_told_as_the_contract_says() -> None:
    account = ProviderAccountFactory()
    to, _ = endpoint(merchant_id=account.merchant_id)
    paid = captured_transaction(account, external_reference="INV-1")

    assert relay_outbox(now=NOW) == 3  # the endpoint itself is a fact that nobody hears of

    created, completed = WebhookDelivery.objects.order_by("sequence")
    assert [created.event_type, completed.event_type] == ["transaction.created", "transaction.completed"]
    reference = paid.payments.get().payment_trans_id
    event = Fact.objects.get(name="payment.captured")
    assert bytes(completed.body) == (
        b'{"eventId":"%s","eventType":"transaction.completed","createdAt":"2026-03-02T04:00:00.000Z","sequence":2,"data":'
        b'{"amount":100.00,"status":"COMPLETED","failureCode":null,"approvalCode":null,"currencyCode":"MYR",'
        b'"failureReason":null,"paymentTypeId":"fpx","transactionId":"%s","amountCaptured":100.00,'
        b'"amountRefunded":0.00,"externalReference":"INV-1","transactionReference":"%s"}}'
        % (event.pk.encode(), paid.pk.encode(), reference.encode())
    )
    assert (completed.event_id, completed.transaction_id, completed.sequence) == (event.pk, paid.pk, 2)
    assert (completed.endpoint_id, completed.state, completed.due_at) == (to.pk, "PENDING", NOW)
    assert unpublished() == 0


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("transaction.created", "transaction.created"),
        ("payment.captured", "transaction.completed"),
        ("payment.declined", "transaction.failed"),
        ("payment.authorized", "transaction.authorized"),
        ("payment.voided", "transaction.cancelled"),
        ("payment.expired", "transaction.expired"),
        ("refund.created", "refund.created"),
        ("refund.completed", "refund.completed"),
        ("refund.failed", "refund.failed"),
        ("payment.capture_declined", None),
        ("payment.conflicted", None),
    ],
)
def test_facts_and_their_events(name: str, event_type: str | None) -> None:
    to, _ = endpoint()
    fact(to.merchant_id, name=name)

    relay_outbox(now=NOW)

    assert list(WebhookDelivery.objects.values_list("event_type", flat=True)) == [event_type] * bool(event_type)
    assert unpublished() == 0


def test_a_refund_shows_its_amount_to_the_digit() -> None:
    to, _ = endpoint()
    amounts = {"amount": "99999999999999.99", "amountCaptured": "0.10", "refund": {"id": "ref_1", "amount": "100.10"}}
    fact(to.merchant_id, name="refund.completed", payload=amounts)

    relay_outbox(now=NOW)

    body = bytes(WebhookDelivery.objects.get().body)
    assert b'"amount":99999999999999.99,' in body
    assert b'"amountCaptured":0.10}' in body
    assert b'"refund":{"id":"ref_1","amount":100.10}' in body


def test_only_active_endpoints_of_the_merchant_and_mode_that_want_it() -> None:
    all_events, _ = endpoint()
    merchant_id = all_events.merchant_id
    wanting, _ = endpoint(merchant_id=merchant_id, event_types=["refund.created", "transaction.completed"])
    endpoint(merchant_id=merchant_id, event_types=["refund.created"])
    endpoint(merchant_id=merchant_id, live=True)
    endpoint()
    off, _ = endpoint(merchant_id=merchant_id)
    endpoint_disable(endpoint_id=off.pk, reason="merchant", actor=MERCHANT, now=NOW)
    fact(merchant_id, name="payment.captured")

    relay_outbox(now=NOW)

    assert set(WebhookDelivery.objects.values_list("endpoint_id", flat=True)) == {all_events.pk, wanting.pk}


def test_four_relays_at_once_dispatch_every_fact_once() -> None:
    merchants = [MerchantFactory().pk for _ in range(3)]
    for merchant_id in merchants:
        endpoint(merchant_id=merchant_id)
        endpoint(merchant_id=merchant_id)
    relay_outbox(now=NOW)
    for number in range(300):
        fact(merchants[number % 3])

    taken = race(4, lambda _: relay_outbox(now=NOW, limit=20))

    assert sum(taken) == 300
    assert unpublished() == 0
    pairs = list(WebhookDelivery.objects.values_list("event_id", "endpoint_id"))
    assert len(pairs) == len(set(pairs)) == 600
    assert len({event for event, _ in pairs}) == 300


def test_a_lower_id_that_commits_later_is_not_lost() -> None:
    to, _ = endpoint()
    early_written, may_commit = threading.Event(), threading.Event()

    def slow_writer() -> str:
        try:
            with transaction.atomic():
                early = fact(to.merchant_id)
                early_written.set()
                assert may_commit.wait(10)
            return early
        finally:
            connection.close()

    ids: list[str] = []
    writer = threading.Thread(target=lambda: ids.append(slow_writer()))
    writer.start()
    assert early_written.wait(10)
    late = fact(to.merchant_id)
    relay_outbox(now=NOW)
    assert [d.event_id for d in WebhookDelivery.objects.all()] == [late]
    may_commit.set()
    writer.join(10)

    assert relay_outbox(now=NOW) == 1

    assert ids[0] < late
    assert {d.event_id for d in WebhookDelivery.objects.all()} == {ids[0], late}


def test_a_fact_that_cannot_be_rendered_blocks_nobody_and_is_noticed() -> None:
    to, _ = endpoint()
    poison = fact(to.merchant_id, payload={"amount": 2**70})
    good = fact(to.merchant_id)

    relay_outbox(now=NOW, limit=1)

    assert [d.event_id for d in WebhookDelivery.objects.all()] == [good]
    assert unpublished() == 0
    assert AuditRecord.objects.get(action="webhook.unrenderable").subject_id == poison


@pytest.mark.parametrize(("point", "left"), [("relay.dispatched", 1), ("relay.committed", 0)])
def test_a_relay_that_is_killed_leaves_both_or_neither(
    point: str, left: int, process_environment: dict[str, str], app_role_url: str
) -> None:
    to, _ = endpoint()
    relay_outbox(now=NOW)
    event_id = fact(to.merchant_id)
    code = "import django; django.setup(); from notifications.tasks import relay_outbox; relay_outbox()"

    killed = subprocess.run(
        [sys.executable, "-c", code],
        env=process_environment | {"DATABASE_URL": app_role_url, "COUNTERFOIL_CRASHPOINT": point},
        timeout=60,
    )

    assert killed.returncode == 137
    assert (unpublished(), WebhookDelivery.objects.count()) == (left, 1 - left)
    assert relay_outbox(now=NOW) == left
    assert orjson.loads(bytes(WebhookDelivery.objects.get().body))["eventId"] == event_id
