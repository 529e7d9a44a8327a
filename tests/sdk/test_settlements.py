"""Settlements with both SDKs: exact amounts, pages walked, the same figures on either side."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from payment_engine import PaymentEngineClient

from tests.factories import NOW, captured_transaction
from tests.reconciliation.test_settle import AFTER, DAY, settled
from tests.sdk.given import Shop, needs_node, run_node

SCRIPT = """
const PaymentEngine = require('@payment-engine/sdk');
const client = new PaymentEngine({ apiKey: process.env.KEY, baseUrl: process.env.URL, amounts: 'string' });
(async () => {
  const listed = [];
  for await (const one of client.settlements.list({ limit: 1, dateFrom: '2026-03-02' })) listed.push(one);
  const lines = [];
  for await (const line of client.settlements.lines(listed[1].id, { limit: 1 })) lines.push(line.amount);
  console.log(JSON.stringify({ listed, lines, same: (await client.settlements.get(listed[0].id)).amount }));
})();
"""


def trade(shop: Shop) -> None:
    """Two days of payments by card at 1.8 % + 0.30, settled."""
    account = shop.merchant.provider_accounts.get(provider="migs")
    for _ in range(2):
        captured_transaction(account)
    settled(shop.merchant)
    captured_transaction(account, now=NOW + timedelta(days=1))
    settled(shop.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_settlements_in_python(shop: Shop) -> None:
    trade(shop)
    client = PaymentEngineClient(api_key=shop.api_key, base_url=shop.base_url)

    second, first = client.settlements.list(limit=1)

    assert (first.date, first.gross, first.fees, first.amount) == (
        "2026-03-02",
        Decimal("200.00"),
        Decimal("4.20"),
        Decimal("195.80"),
    )
    assert (first.fee_parts.percentage, first.fee_parts.fixed) == (Decimal("3.60"), Decimal("0.60"))
    assert client.settlements.get(second.id) == second
    assert [line.amount for line in client.settlements.lines(first.id, limit=1)] == [Decimal("97.90")] * 2
    assert [each.id for each in client.settlements.list(date_to=date(2026, 3, 2))] == [first.id]
    assert list(client.settlements.list(status=["PAID", "RETURNED"])) == []


@needs_node
@pytest.mark.django_db(transaction=True)
def test_settlements_in_javascript(shop: Shop, tmp_path) -> None:  # type: ignore[no-untyped-def]
    trade(shop)

    done = json.loads(run_node(tmp_path, SCRIPT, KEY=shop.api_key, URL=shop.base_url))

    assert [each["date"] for each in done["listed"]] == ["2026-03-03", "2026-03-02"]
    first = done["listed"][1]
    assert (first["gross"], first["amount"], first["feeParts"]["fixed"]) == ("200.00", "195.80", "0.60")
    assert done["lines"] == ["97.90", "97.90"]
    assert done["same"] == "97.90"
