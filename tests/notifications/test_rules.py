"""What the database itself refuses, and the command that replays a span of time."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from common.models import AuditRecord
from notifications.models import WebhookDelivery
from tests.factories import NOW
from tests.notifications.given import delivery, endpoint, fact, send_all

pytestmark = pytest.mark.django_db(transaction=True)

SECOND_DELIVERY = """
    INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, transaction_id, sequence, body, state, attempts,
                                  due_at, claim, created_at)
    SELECT 'whd_2', endpoint_id, event_id, event_type, transaction_id, sequence, body, state, attempts,
           due_at, claim, created_at FROM webhook_delivery
"""


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE webhook_attempt SET status = 200, error = ''", "webhook_attempt_append_only"),
        ("DELETE FROM webhook_attempt", "webhook_attempt_append_only"),
        ("DELETE FROM webhook_delivery", "webhook_delivery_no_delete"),
        ("DELETE FROM webhook_endpoint", "webhook_endpoint_no_delete"),
        ("UPDATE webhook_delivery SET due_at = NULL", "webhook_delivery_pending_is_due"),
        ("UPDATE webhook_delivery SET state = 'DELIVERED', due_at = NULL", "webhook_delivery_delivered_at_some_time"),
        ("UPDATE webhook_delivery SET state = 'LOST', due_at = NULL", "webhook_delivery_listed_moves"),
        ("UPDATE webhook_endpoint SET is_active = false", "webhook_endpoint_disabled_with_reason"),
        (
            SECOND_DELIVERY,
            "webhook_delivery_once_per_endpoint",
        ),
    ],
)
def test_the_database_refuses(statement: str, rule: str) -> None:
    sent = delivery(endpoint()[0])
    send_all(resolve=lambda host, port: [])

    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert refused.value.__cause__.diag.constraint_name == rule  # type: ignore[union-attr]
    assert (sent.tries.count(), WebhookDelivery.objects.count()) == (1, 1)


def test_a_dead_delivery_cannot_become_delivered_without_being_sent() -> None:
    delivery(endpoint()[0])
    WebhookDelivery.objects.update(state="DEAD", due_at=None)

    with pytest.raises(IntegrityError, match="cannot go from DEAD to DELIVERED"):
        WebhookDelivery.objects.update(state="DELIVERED", delivered_at=NOW)


def test_the_command_replays_the_dead_of_a_span() -> None:
    to, _ = endpoint()
    other, _ = endpoint(merchant_id=to.merchant_id)
    for _ in range(3):
        fact(to.merchant_id)
    pending = delivery(to)
    WebhookDelivery.objects.exclude(pk=pending.pk).update(state="DEAD", due_at=None, attempts=10)
    late = WebhookDelivery.objects.filter(endpoint=to, state="DEAD").latest("pk")
    WebhookDelivery.objects.filter(pk=late.pk).update(created_at=NOW + timedelta(hours=1))
    said = StringIO()

    call_command(
        "replay_webhooks",
        endpoint=to.pk,
        since="2026-03-02T04:00:00Z",
        until="2026-03-02T13:00:00+08:00",
        reason="their outage",
        stdout=said,
    )

    assert said.getvalue() == "2 deliveries are due again.\n"
    assert to.deliveries.filter(state="PENDING").count() == 3
    assert to.deliveries.get(state="DEAD") == late
    assert other.deliveries.filter(state="DEAD").count() == 4
    record = AuditRecord.objects.get(action="webhook_endpoint.replayed")
    assert (record.subject_id, record.reason, record.changes["deliveries"]) == (to.pk, "their outage", 2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"endpoint": "whe_none"}, "There is no endpoint whe_none."),
        ({"since": "yesterday"}, "yesterday is not a time such as 2026-03-02T04:00:00Z."),
        ({"until": "2026-03-02T04:00:00"}, "2026-03-02T04:00:00 is not a time such as 2026-03-02T04:00:00Z."),
    ],
)
def test_the_command_says_what_is_wrong(options: dict[str, str], sentence: str) -> None:
    given = {"endpoint": endpoint()[0].pk, "since": "2026-03-02T04:00:00Z", "until": "2026-03-02T05:00:00Z"}

    with pytest.raises(CommandError, match=sentence):
        call_command("replay_webhooks", **given | options)

    assert not AuditRecord.objects.filter(action="webhook_endpoint.replayed").exists()
