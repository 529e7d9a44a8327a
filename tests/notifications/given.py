"""Endpoints, facts and deliveries, made by the services that make them in production."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from common.changes import Actor, Subject, record_change
from common.ids import new_id
from common.rows import Rows
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.services.deliver import deliver_due
from notifications.services.dispatch import relay_outbox
from notifications.services.endpoints import endpoint_create
from tests.factories import NOW, MerchantFactory

MERCHANT = Actor("merchant:test")


def public_resolver(host: str, port: int) -> list[str]:
    return ["93.184.215.14"]


def endpoint(url: str = "https://shop.example/hooks", **changes: Any) -> tuple[WebhookEndpoint, str]:
    """An endpoint and its secret. Names resolve to a public address while it is registered."""
    values: dict[str, Any] = {
        "live": False,
        "actor": MERCHANT,
        "now": NOW,
        "resolve": (lambda host, port: [host]) if host_is_literal(url) else public_resolver,
    }
    if "merchant_id" not in changes:
        values["merchant_id"] = MerchantFactory().pk
    return endpoint_create(url=url, **values | changes)


def host_is_literal(url: str) -> bool:
    return url.startswith("http://127.")


def fact(
    merchant_id: str,
    *,
    name: str = "transaction.created",
    live: bool = False,
    sequence: int = 1,
    transaction_id: str = "",
    payload: Any = None,
    now: datetime = NOW,
) -> str:
    """A fact of a transaction as the spine writes it. Returns its id."""
    transaction_id = transaction_id or new_id("txn")
    rows = Rows()
    fact_id = record_change(
        rows,
        subject=Subject("transaction", transaction_id, sequence, merchant_id, live),
        fact=name,
        payload={"transactionId": transaction_id, "amount": "100.50"} if payload is None else payload,
        changes={},
        actor=Actor("provider:test"),
        now=now,
    )
    rows.write()
    return fact_id


def delivery(endpoint: WebhookEndpoint, **changes: Any) -> WebhookDelivery:
    """A delivery of a new fact for the endpoint, dispatched by the relay at NOW."""
    fact_id = fact(endpoint.merchant_id, live=endpoint.live, **changes)
    relay_outbox(now=NOW)
    return WebhookDelivery.objects.get(event_id=fact_id, endpoint=endpoint)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def send_all(clock: Clock | None = None, **changes: Any) -> int:
    """Run the sender at the clock's time (NOW unless given)."""
    return deliver_due(clock=clock or Clock(), **changes)
