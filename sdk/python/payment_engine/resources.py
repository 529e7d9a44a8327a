"""The routes of the API by resource. Every method raises PaymentEngineError; lists fetch their pages as they are walked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from typing import Any, TypeVar
from urllib.parse import quote

from payment_engine.amounts import Amount, amount_text
from payment_engine.models import (
    Account,
    Balance,
    Bank,
    Entry,
    Event,
    Model,
    Money,
    PaymentType,
    Refund,
    Settlement,
    SettlementLine,
    Transaction,
    TransactionStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from payment_engine.payloads import CreateTransactionRequest, camel, to_json
from payment_engine.transport import Transport

M = TypeVar("M", bound=Model)


class Resource:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _pages(self, model: type[M], path: str, **query: Any) -> Iterator[M]:
        sent = {camel(name): _text(value) for name, value in query.items()}
        while True:
            page = self._transport.get(path, sent)
            yield from map(model.of, page["data"])
            if page["nextCursor"] is None:
                return
            sent["cursor"] = page["nextCursor"]


def _text(value: Any) -> Any:
    """A query value: times as RFC 3339 in UTC, several values separated by commas."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return ",".join(value) if isinstance(value, (list, tuple)) else value


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class Transactions(Resource):
    def create(self, request: CreateTransactionRequest, *, idempotency_key: str | None = None) -> Transaction:
        """Accept a payment. Where a payer has to act, `next_action` says how."""
        sent = self._transport.post("/transactions", request.to_json(), idempotency_key=idempotency_key)
        return Transaction.of(sent)

    def get(self, transaction_id: str) -> Transaction:
        return Transaction.of(self._transport.get(_path("transactions", transaction_id)))

    def get_status(self, transaction_id: str) -> TransactionStatus:
        return TransactionStatus.of(self._transport.get(_path("transactions", transaction_id, "status")))

    def list(
        self,
        *,
        status: Sequence[str] | None = None,
        payment_type_id: str | None = None,
        external_reference: str | None = None,
        currency_code: str | None = None,
        amount_min: Amount | None = None,
        amount_max: Amount | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        limit: int = 100,
    ) -> Iterator[Transaction]:
        """Newest first; `limit` is the size of a page, not of the list. `status` is one or several."""
        least, most = (
            None if amount is None else amount_text(amount, currency_code) for amount in (amount_min, amount_max)
        )
        return self._pages(
            Transaction,
            "/transactions",
            status=status,
            payment_type_id=payment_type_id,
            external_reference=external_reference,
            currency_code=currency_code,
            amount_min=least,
            amount_max=most,
            created_from=created_from,
            created_to=created_to,
            limit=limit,
        )

    def events(self, transaction_id: str) -> Iterator[Event]:
        """The history, first event first."""
        return self._pages(Event, _path("transactions", transaction_id, "events"))

    def money(self, transaction_id: str) -> Money:
        """Where its money is on the way to you, step by step."""
        return Money.of(self._transport.get(_path("transactions", transaction_id, "money")))

    def capture(
        self,
        transaction_id: str,
        *,
        amount: Amount | None = None,
        final: bool = True,
        idempotency_key: str | None = None,
    ) -> Transaction:
        """Take what was authorised, or part of it; `final=False` keeps the rest reserved for more captures."""
        body = to_json(
            {"amount": None if amount is None else amount_text(amount, None), "final": None if final else False}
        )
        path = _path("transactions", transaction_id, "capture")
        return Transaction.of(self._transport.post(path, body, idempotency_key=idempotency_key))

    def cancel(self, transaction_id: str, *, idempotency_key: str | None = None) -> Transaction:
        """Void an authorisation, or end what is not paid."""
        path = _path("transactions", transaction_id, "cancel")
        return Transaction.of(self._transport.post(path, {}, idempotency_key=idempotency_key))

    def refund(
        self,
        transaction_id: str,
        *,
        reason: str,
        amount: Amount | None = None,
        idempotency_key: str | None = None,
    ) -> Refund:
        """Give back all that is left, or `amount` of it."""
        body = to_json({"amount": None if amount is None else amount_text(amount, None), "reason": reason})
        path = _path("transactions", transaction_id, "refunds")
        return Refund.of(self._transport.post(path, body, idempotency_key=idempotency_key))

    def refunds(self, transaction_id: str) -> Iterator[Refund]:
        return self._pages(Refund, _path("transactions", transaction_id, "refunds"))


class Refunds(Resource):
    def get(self, refund_id: str) -> Refund:
        return Refund.of(self._transport.get(_path("refunds", refund_id)))


class Accounts(Resource):
    def list(self) -> Iterator[Account]:
        return self._pages(Account, "/accounts")

    def get(self, account_id: str) -> Account:
        return Account.of(self._transport.get(_path("accounts", account_id)))

    def get_balance(self, account_id: str, *, at: datetime | None = None) -> Balance:
        """What can be spent and what is pending, now or at a past time."""
        return Balance.of(self._transport.get(_path("accounts", account_id, "balance"), {"at": _text(at)}))

    def entries(self, account_id: str) -> Iterator[Entry]:
        """Movements, newest first."""
        return self._pages(Entry, _path("accounts", account_id, "entries"))


class PaymentTypes(Resource):
    def list(self) -> Iterator[PaymentType]:
        return self._pages(PaymentType, "/payment-types")


class Banks(Resource):
    def list(self, payment_type_id: str) -> Iterator[Bank]:
        return self._pages(Bank, "/banks", payment_type_id=payment_type_id)


class Settlements(Resource):
    def list(
        self,
        *,
        status: Sequence[str] | None = None,
        currency_code: str | None = None,
        date_from: date | None = None,
        date_to: date | None = None,
        limit: int = 100,
    ) -> Iterator[Settlement]:
        """Newest first; `limit` is the size of a page. `date_from` and `date_to` are closing days, both included."""
        return self._pages(
            Settlement,
            "/settlements",
            status=status,
            currency_code=currency_code,
            date_from=date_from and date_from.isoformat(),
            date_to=date_to and date_to.isoformat(),
            limit=limit,
        )

    def get(self, settlement_id: str) -> Settlement:
        return Settlement.of(self._transport.get(_path("settlements", settlement_id)))

    def lines(self, settlement_id: str, *, limit: int = 100) -> Iterator[SettlementLine]:
        """What it consists of, newest first."""
        return self._pages(SettlementLine, _path("settlements", settlement_id, "lines"), limit=limit)


class WebhookEndpoints(Resource):
    """Creating an endpoint, a new secret and the test event are never repeated by themselves: no idempotency key protects them."""

    def create(
        self, url: str, *, description: str | None = None, event_types: Sequence[str] | None = None
    ) -> WebhookEndpoint:
        """The answer has the `secret`, this once."""
        body = to_json({"url": url, "description": description, "event_types": event_types and list(event_types)})
        return WebhookEndpoint.of(self._transport.post_once("/webhook-endpoints", body))

    def list(self) -> Iterator[WebhookEndpoint]:
        return self._pages(WebhookEndpoint, "/webhook-endpoints")

    def get(self, endpoint_id: str) -> WebhookEndpoint:
        return WebhookEndpoint.of(self._transport.get(_path("webhook-endpoints", endpoint_id)))

    def update(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        description: str | None = None,
        event_types: Sequence[str] | None = None,
        active: bool | None = None,
    ) -> WebhookEndpoint:
        """Change what is given; an empty `event_types` means all events."""
        chosen = None if event_types is None else list(event_types)
        body = to_json({"url": url, "description": description, "event_types": chosen, "active": active})
        return WebhookEndpoint.of(self._transport.patch(_path("webhook-endpoints", endpoint_id), body))

    def delete(self, endpoint_id: str) -> None:
        """Deactivate it; its history stays."""
        self._transport.delete(_path("webhook-endpoints", endpoint_id))

    def rotate_secret(self, endpoint_id: str) -> WebhookEndpoint:
        """A new secret; the old one signs too for a day."""
        return WebhookEndpoint.of(self._transport.post_once(_path("webhook-endpoints", endpoint_id, "rotate-secret")))

    def test(self, endpoint_id: str) -> WebhookDelivery:
        """Send a `webhook.test` event."""
        return WebhookDelivery.of(self._transport.post_once(_path("webhook-endpoints", endpoint_id, "test")))


class WebhookDeliveries(Resource):
    def list(
        self,
        *,
        endpoint: str | None = None,
        event_type: str | None = None,
        state: str | None = None,
        transaction_id: str | None = None,
    ) -> Iterator[WebhookDelivery]:
        query = {"endpoint": endpoint, "event_type": event_type, "state": state, "transaction_id": transaction_id}
        return self._pages(WebhookDelivery, "/webhook-deliveries", **query)

    def get(self, delivery_id: str) -> WebhookDelivery:
        return WebhookDelivery.of(self._transport.get(_path("webhook-deliveries", delivery_id)))

    def replay(self, delivery_id: str) -> WebhookDelivery:
        """Send it again, under the same event id."""
        return WebhookDelivery.of(self._transport.post_once(_path("webhook-deliveries", delivery_id, "replay")))
