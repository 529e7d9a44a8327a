"""The event of a settlement, as the OpenAPI document describes it; services/payloads.py writes it."""

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

SETTLEMENT_EVENTS = [
    webhook("settlement.created", SettlementEventData, _SETTLEMENT, "What you are owed for a period is known."),
]
