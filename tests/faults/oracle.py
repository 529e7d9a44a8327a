"""What has to hold when the faults are over, whatever they were.

The provider sandbox keeps its own durable books and knows nothing of ours. They are compared operation by operation; every event
has to be at the merchant's server, and every request repeated under its key has to get its first answer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import requests
from django.core.management import call_command
from standardwebhooks.webhooks import Webhook

from common.events import EVENT_OF_FACT
from common.models import AuditRecord, Fact
from notifications.models import WebhookDelivery
from payments.models import Operation, Payment, ReviewItem, Transaction
from payments.providers.base import Kind
from payments.states import TERMINAL_OPERATION, OperationState
from tests.faults.shop import Shop

_CHARGES = (Kind.SALE, Kind.CAPTURE)
_BOOKED_AS = {Kind.SALE: "charge", Kind.CAPTURE: "charge", Kind.AUTHORIZE: "authorisation", Kind.REFUND: "refund"}
_BOOKED = ("completed", "authorised", "voided")


def ended(shop: Shop) -> bool:
    """Whether nothing of the shop is on its way any more: no operation, no fact, no webhook."""
    operations = Operation.objects.filter(payment__transaction__merchant=shop.merchant)
    return not (
        operations.exclude(state__in=TERMINAL_OPERATION).exists()
        or Fact.objects.filter(merchant_id=shop.merchant.pk, published_at=None).exists()
        or WebhookDelivery.objects.filter(endpoint__merchant=shop.merchant, state="PENDING").exists()
    )


def assert_sound(shop: Shop) -> None:
    """Everything below. Nothing of the shop may be on its way any more."""
    assert_books_agree(shop)
    assert_history_is_gapless(shop)
    assert_told(shop)
    assert_repeats_are_answered_alike(shop)
    call_command("verify_books")


def provider_books(shop: Shop) -> dict[str, dict[str, Any]]:
    """What the sandbox believes to have booked, by our reference."""
    books: dict[str, dict[str, Any]] = {}
    for provider in ("fpx", "migs"):
        content = requests.get(f"{shop.sandbox_url}/_books/{provider}", timeout=30).json(parse_float=Decimal)
        for entry in content["entries"]:
            if entry["status"] in _BOOKED:
                assert entry["reference"] not in books, f"booked twice: {entry}"
                books[entry["reference"]] = entry
    return books


def assert_books_agree(shop: Shop) -> None:
    """Theirs and ours say the same of every operation, and no payment was charged twice."""
    theirs = provider_books(shop)
    known = set(Operation.objects.values_list("reference", flat=True))
    assert theirs.keys() <= known, "the provider booked something that we do not know of"
    operations = Operation.objects.filter(payment__transaction__merchant=shop.merchant).select_related("payment")
    moved: dict[tuple[str, bool], Decimal] = defaultdict(Decimal)
    charges: dict[str, int] = defaultdict(int)
    for operation in operations:
        entry = theirs.get(operation.reference)
        if entry is None:
            assert operation.state in (OperationState.DECLINED, OperationState.EXPIRED), operation.reference
            continue
        assert entry["kind"] == _BOOKED_AS[Kind(operation.kind)]
        asked = (str(operation.amount), operation.currency)
        booked = (entry["amount"], entry["currency"])
        ours = OperationState.SUCCEEDED if booked == asked else OperationState.CONFLICTED
        assert operation.state == ours, f"{operation.reference}: {operation.state}, the provider booked {booked}"
        charge = operation.kind in _CHARGES
        charges[operation.payment.transaction_id] += charge
        if ours is OperationState.SUCCEEDED:
            moved[operation.payment.transaction_id, charge] += Decimal(entry["amount"])
    assert set(charges.values()) <= {0, 1}
    for row in Transaction.objects.filter(merchant=shop.merchant, from_account=None):  # a book transfer has no provider
        assert row.hosted or Payment.objects.filter(transaction=row).count() == 1
        assert row.amount_captured_minor == 100 * moved[row.pk, True], row.pk
        assert row.amount_refunded_minor == 100 * moved[row.pk, False], row.pk
        assert row.amount_refund_pending_minor == 0 or ReviewItem.objects.filter(payment__transaction=row).exists()


def assert_history_is_gapless(shop: Shop) -> None:
    """Versions 1, 2, 3, ... of every transaction, each with one fact and one audit record of the same name."""
    for row in Transaction.objects.filter(merchant=shop.merchant):
        facts = list(Fact.objects.filter(subject_id=row.pk).order_by("sequence").values_list("sequence", "name"))
        audit = AuditRecord.objects.filter(subject_id=row.pk).order_by("version").values_list("version", "action")
        assert [sequence for sequence, _ in facts] == list(range(1, row.version + 1))
        assert list(audit) == facts


def assert_told(shop: Shop) -> None:
    """Every event reached the merchant's server: genuine, under the fact's id, with the same bytes on each try."""
    webhook = Webhook(shop.webhook_secret)
    arrived: dict[str, bytes] = {}
    for request in list(shop.sink.requests):
        if request.path != shop.sink_path:
            continue
        webhook.verify(request.body, request.headers)
        event_id = request.headers["webhook-id"]
        assert arrived.setdefault(event_id, request.body) == request.body
    events = {event_id: json.loads(body) for event_id, body in arrived.items()}
    told = {event_id: (event["eventType"], event["sequence"]) for event_id, event in events.items()}
    facts = Fact.objects.filter(merchant_id=shop.merchant.pk, name__in=EVENT_OF_FACT)
    assert told == {
        pk: (EVENT_OF_FACT[name], number) for pk, name, number in facts.values_list("id", "name", "sequence")
    }
    of_transactions = facts.filter(subject_type="transaction").values_list("id", "subject_id")
    assert all(events[pk]["data"]["transactionId"] == subject_id for pk, subject_id in of_transactions)


def assert_repeats_are_answered_alike(shop: Shop) -> None:
    """Each key with its request again: the first answer, byte for byte, marked as a replay."""
    for key, (path, body, first) in shop.answers.items():
        again = shop.ask(path, body, key=key)
        assert (again.status, again.body, again.replayed) == (201, first.body, True), key
