"""Settlements with both SDKs: exact amounts, pages walked, the same figures on either side."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from payment_engine import MoneyStep, PaymentEngineClient, SettlementPayout

from reconciliation.models import Payout
from tests.factories import NOW, captured_transaction
from tests.reconciliation.paying import banked, released
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
  const paid = await client.transactions.money(process.env.PAYMENT);
  console.log(JSON.stringify({ paid, listed, lines, same: (await client.settlements.get(listed[0].id)).amount }));
})();
"""


def trade(shop: Shop) -> str:
    """Two days of payments by card at 1.8 % + 0.30, settled, and the first day paid out. The id of its first payment."""
    account = shop.merchant.provider_accounts.get(provider="migs")
    banked(shop.merchant)
    payment, _ = (captured_transaction(account) for _ in range(2))
    [first] = settled(shop.merchant)
    captured_transaction(account, now=NOW + timedelta(days=1))
    settled(shop.merchant, DAY + timedelta(days=1), AFTER + timedelta(days=1))
    released(first)
    return payment.pk


@pytest.mark.django_db(transaction=True)
def test_settlements_in_python(shop: Shop) -> None:
    payment_id = trade(shop)
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
    payout = Payout.objects.get()
    assert first.payout == SettlementPayout(payout.pk, "APPROVED", None, payout.end_to_end_id)
    assert second.payout is None
    money = client.transactions.money(payment_id)
    assert (money.transaction_id, money.stage) == (payment_id, "ON_STATEMENT")
    assert [step.step for step in money.steps] == ["CAPTURED", "ON_STATEMENT", "AT_BANK", "SETTLED", "PAID_OUT"]
    captured, *_, booked, paid_out = money.steps
    assert captured == MoneyStep("CAPTURED", "2026-03-02", None, 0, None, None)
    assert (booked.done_on, booked.id) == ("2026-03-02", first.id)
    assert (paid_out.done_on, paid_out.id, paid_out.reference) == (None, payout.pk, payout.end_to_end_id)


@needs_node
@pytest.mark.django_db(transaction=True)
def test_settlements_in_javascript(shop: Shop, tmp_path) -> None:  # type: ignore[no-untyped-def]
    payment_id = trade(shop)

    done = json.loads(run_node(tmp_path, SCRIPT, KEY=shop.api_key, URL=shop.base_url, PAYMENT=payment_id))

    assert [each["date"] for each in done["listed"]] == ["2026-03-03", "2026-03-02"]
    first = done["listed"][1]
    assert (first["gross"], first["amount"], first["feeParts"]["fixed"]) == ("200.00", "195.80", "0.60")
    assert done["lines"] == ["97.90", "97.90"]
    assert done["same"] == "97.90"
    payout = Payout.objects.get()
    shown = {"id": payout.pk, "status": "APPROVED", "paidAt": None, "reference": payout.end_to_end_id}
    assert [each["payout"] for each in done["listed"]] == [None, shown]
    assert (done["paid"]["transactionId"], done["paid"]["stage"]) == (payment_id, "ON_STATEMENT")
    assert done["paid"]["steps"][-1]["reference"] == payout.end_to_end_id
