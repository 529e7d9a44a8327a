"""The Python SDK against a running Counterfoil and the provider sandbox."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from payment_engine import (
    AuthenticationError,
    ConflictError,
    CreateTransactionRequest,
    Customer,
    InvalidRequestError,
    NotFoundError,
    PaymentEngineClient,
)

from payments.models import Transaction
from tests.sdk.given import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(shop: Shop) -> PaymentEngineClient:
    return PaymentEngineClient(api_key=shop.api_key, base_url=f"{shop.base_url}/", timeout=30)


def request(**changes):
    return CreateTransactionRequest(**{"payment_type_id": "fpx", "amount": "100.50", "currency_code": "MYR"} | changes)


def test_a_payment_from_the_first_call_to_the_refund(shop, client):
    created = client.transactions.create(
        request(
            external_reference="INV-1",
            description="Invoice payment",
            bank_code="TEST0001",
            return_url=f"{shop.base_url}/",
            customer=Customer(name="Siti", email="siti@example.com"),
            metadata={"invoice_id": "INV-001", "lines": [1, {"rate": 0.5}]},
        )
    )
    shop.send_payer(asdict(created.next_action))
    status = client.transactions.get_status(created.id)
    refund = client.transactions.refund(created.id, amount=Decimal("40.25"), reason="returned")
    shop.let_worker_run()
    paid = client.transactions.get(created.id)

    assert (created.status, created.amount, created.external_reference) == ("PENDING", Decimal("100.50"), "INV-1")
    assert created.metadata == {"invoice_id": "INV-001", "lines": [1, {"rate": Decimal("0.5")}]}
    assert created.expires_at - created.created_at == timedelta(minutes=30)
    assert (status.id, status.status) == (created.id, "COMPLETED")
    assert (refund.status, refund.amount, refund.currency_code) == ("PENDING", Decimal("40.25"), "MYR")
    assert client.refunds.get(refund.id).status == "SUCCEEDED"
    assert [found.id for found in client.transactions.refunds(created.id)] == [refund.id]
    assert (paid.status, paid.amount_captured, paid.amount_refunded) == (
        "PARTIALLY_REFUNDED",
        Decimal("100.50"),
        Decimal("40.25"),
    )
    assert [event.sequence for event in client.transactions.events(created.id)] == [1, 2, 3, 4]
    with pytest.raises(FrozenInstanceError):
        paid.status = "COMPLETED"


def test_list_walks_over_all_pages(client):
    made = [client.transactions.create(request(external_reference=f"INV-{n}")).id for n in range(5)]
    client.transactions.create(request(payment_type_id="migs"))

    found = client.transactions.list(
        payment_type_id="fpx",
        status=["PENDING", "COMPLETED"],
        amount_min="100.50",
        currency_code="MYR",
        created_from=datetime.now(UTC) - timedelta(hours=1),
        limit=2,
    )

    assert [transaction.id for transaction in found] == made[::-1]


def test_a_key_pays_once(client):
    first = client.transactions.create(request(), idempotency_key="order-1")
    again = client.transactions.create(request(), idempotency_key="order-1")
    other = client.transactions.create(request())

    assert again == first
    assert other.id != first.id
    assert Transaction.objects.count() == 2


def test_errors_say_what_the_server_said(shop, client):
    client.transactions.create(request(external_reference="INV-1"))
    stranger = PaymentEngineClient(api_key="cfk_test_nobody", base_url=shop.base_url)

    with pytest.raises(NotFoundError) as missing:
        client.transactions.get("txn/../..?x=1")
    with pytest.raises(InvalidRequestError) as wrong:
        client.transactions.create(request(payment_type_id="barter"))
    with pytest.raises(ConflictError) as duplicate:
        client.transactions.create(request(external_reference="INV-1", amount="1.00"))
    with pytest.raises(AuthenticationError) as unknown:
        stranger.transactions.get_status("txn_1")

    assert (missing.value.code, missing.value.status) == ("NOT_FOUND", 404)
    assert (wrong.value.code, wrong.value.status) == ("INVALID_REQUEST", 400)
    assert list(wrong.value.details["fields"]) == ["paymentTypeId"]
    assert (duplicate.value.code, duplicate.value.status) == ("DUPLICATE_PAYMENT", 409)
    assert (unknown.value.code, unknown.value.status) == ("UNAUTHORIZED", 401)
    assert wrong.value.request_id
    assert str(duplicate.value) == f"{duplicate.value.message} [DUPLICATE_PAYMENT]"


def test_cancelling_what_nobody_has_paid(client):
    created = client.transactions.create(request())

    assert client.transactions.cancel(created.id).status == "CANCELLED"


def test_webhook_endpoints(client):
    endpoint = client.webhook_endpoints.create("http://127.0.0.1:8299/hooks", event_types=["transaction.completed"])
    renewed = client.webhook_endpoints.rotate_secret(endpoint.id)
    changed = client.webhook_endpoints.update(endpoint.id, event_types=[], description="all")
    delivery = client.webhook_endpoints.test(endpoint.id)

    assert endpoint.event_types == ("transaction.completed",)
    assert endpoint.secret.startswith("whsec_")
    assert renewed.secret not in (None, endpoint.secret)
    assert (changed.event_types, changed.description, changed.secret) == ((), "all", None)
    assert [found.id for found in client.webhook_endpoints.list()] == [endpoint.id]
    assert client.webhook_deliveries.get(delivery.id).event_type == "webhook.test"
    client.webhook_endpoints.delete(endpoint.id)
    assert client.webhook_endpoints.get(endpoint.id).active is False


def test_what_can_be_used(client):
    assert {kind.id: kind.currencies for kind in client.payment_types.list()}["fpx"] == ("MYR",)
    assert list(client.banks.list("fpx")) == []  # the bank list comes with the schedule
