"""The events of settlements and payouts, as the OpenAPI document describes them; services/payloads.py writes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from merchants.api.schema_events import webhook
from payments.api.v1.schemas import AmountOut
from reconciliation.models import SettlementState


class SettlementEventData(serializers.Serializer[Any]):
    settlementId = serializers.CharField()
    status = serializers.ChoiceField(SettlementState.values)
    currencyCode = serializers.CharField()
    date = serializers.DateField()
    periodFrom = serializers.DateTimeField()
    periodTo = serializers.DateTimeField()
    payOn = serializers.DateField()
    gross = AmountOut()
    refunds = AmountOut()
    disputes = AmountOut()
    fees = AmountOut()
    reserveHeld = AmountOut()
    reserveReleased = AmountOut()
    adjustments = AmountOut()
    carriedOver = AmountOut()
    amount = AmountOut(help_text="What is paid out.")


_SETTLEMENT: dict[str, Any] = {
    "settlementId": "set_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "status": "CREATED",
    "currencyCode": "MYR",
    "date": "2026-03-02",
    "periodFrom": "2026-03-01T16:00:00.000Z",
    "periodTo": "2026-03-02T16:00:00.000Z",
    "payOn": "2026-03-04",
    "gross": 1000.00,
    "refunds": 40.25,
    "disputes": 0.00,
    "fees": 15.00,
    "reserveHeld": 0.00,
    "reserveReleased": 0.00,
    "adjustments": 0.00,
    "carriedOver": 0.00,
    "amount": 944.75,
}


class PayoutEventData(serializers.Serializer[Any]):
    payoutId = serializers.CharField()
    settlementId = serializers.CharField()
    status = serializers.ChoiceField(("PAID", "RETURNED"))
    amount = AmountOut()
    currencyCode = serializers.CharField()
    destination = serializers.CharField(help_text="Where it was paid to, as far as it is shown.")
    reference = serializers.CharField(help_text="The end-to-end id that your bank's statement shows.")
    paidAt = serializers.DateTimeField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True, help_text="Why it came back.")


_PAID: dict[str, Any] = {
    "payoutId": "pyt_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "settlementId": "stl_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "status": "PAID",
    "amount": 944.75,
    "currencyCode": "MYR",
    "destination": "Kedai Sdn Bhd, Maybank …8901",
    "reference": "PYT202603032M4Q6S8V0X2Z",
    "paidAt": "2026-03-03T03:10:00.000Z",
    "failureReason": None,
}
_RETURNED = _PAID | {"status": "RETURNED", "failureReason": "RETURN AC04 CLOSED ACCOUNT"}

SETTLEMENT_EVENTS = [
    webhook("settlement.created", SettlementEventData, _SETTLEMENT, "What you are owed for a period is known."),
    webhook("payout.paid", PayoutEventData, _PAID, "A settlement was paid out."),
    webhook("payout.returned", PayoutEventData, _RETURNED, "A payout came back: it is in your next settlement."),
]
