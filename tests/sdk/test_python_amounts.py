"""What an amount becomes on the wire; what would change is refused before anything is sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from payment_engine import CreateTransactionRequest, Customer
from payment_engine.amounts import amount_text


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [
        (1000.00, "USD", "1000.00"),
        (0.1, "USD", "0.10"),
        ("100.5", "MYR", "100.50"),
        (Decimal("99999999999999.99"), "MYR", "99999999999999.99"),
        (Decimal("1E+3"), "MYR", "1000.00"),
        (1000000000000000 - 1, "VND", "999999999999999"),
        (250000.0, "VND", "250000"),
        (1.234, "BHD", "1.234"),
        ("100.50", None, "100.5"),
        (7, None, "7"),
    ],
)
def test_exact(amount, currency, sent):
    assert amount_text(amount, currency) == sent


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (0.1 + 0.2, "USD"),
        (10.005, "MYR"),
        (0.5, "VND"),
        (Decimal("1.00000000000000000000000000000000001"), "MYR"),
        (0.1 + 0.2, None),
        (99999999999999.99, "MYR"),  # as a float it is 99999999999999.98
        (0, "MYR"),
        (-1, "MYR"),
        (10**15, "VND"),
        (Decimal("1E+999999"), "VND"),
        (float("nan"), "MYR"),
        (float("inf"), "MYR"),
        (Decimal("sNaN"), "MYR"),
        (True, "MYR"),
        ("1e2", "MYR"),
        (" 1", "MYR"),
        ("1_0", "MYR"),
        ("", "MYR"),
    ],
)
def test_what_is_not_exact_is_refused_when_the_request_is_made(amount, currency):
    with pytest.raises(ValueError):
        CreateTransactionRequest(payment_type_id="fpx", amount=amount, currency_code=currency)


def test_request_leaves_out_what_is_not_given():
    request = CreateTransactionRequest(
        payment_type_id="fpx",
        amount=1000.00,
        currency_code="MYR",
        customer=Customer(email="siti@example.com"),
        metadata={"invoice_id": "INV-1"},
    )

    assert request.to_json() == {
        "paymentTypeId": "fpx",
        "amount": "1000.00",
        "currencyCode": "MYR",
        "customer": {"email": "siti@example.com"},
        "metadata": {"invoice_id": "INV-1"},
    }
