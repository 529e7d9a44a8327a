"""The webhook replay action."""

from __future__ import annotations

from django.contrib.messages import get_messages

from common.models import AuditRecord
from notifications.models import WebhookDelivery
from tests.console.conftest import SignIn
from tests.console.world import World

FORM = {"reason": "Their server was down", "_form_submitted": "True"}


def _url(delivery: WebhookDelivery) -> str:
    return f"/admin/notifications/webhookdelivery/{delivery.pk}/replay/"


def test_a_dead_delivery_is_sent_again_once(world: World, sign_in: SignIn) -> None:
    client = sign_in("operations")

    answers = [client.post(_url(world.delivery), FORM) for _ in range(2)]

    world.delivery.refresh_from_db()
    assert (world.delivery.state, world.delivery.attempts) == ("PENDING", 0)
    assert [str(message) for message in get_messages(answers[1].wsgi_request)] == [
        "The webhook is sent again now.",
        "Not sent: This delivery has not ended yet; it is sent by itself.",
    ]
    record = AuditRecord.objects.get(action="webhook_delivery.replayed")
    assert (record.actor, record.reason) == ("operator:demo_operations", "Their server was down")


def test_get_changes_nothing(world: World, sign_in: SignIn) -> None:
    assert sign_in("operations").get(_url(world.delivery), FORM).status_code == 200

    world.delivery.refresh_from_db()
    assert world.delivery.state == "DEAD"


def test_without_the_permission_nothing_happens(world: World, sign_in: SignIn) -> None:
    for role in ("finance", "support", "auditor", "none"):
        assert sign_in(role).post(_url(world.delivery), FORM).status_code == 403

    world.delivery.refresh_from_db()
    assert world.delivery.state == "DEAD"
    assert not AuditRecord.objects.filter(action="webhook_delivery.replayed").exists()
