"""The bodies as the OpenAPI document shows them. Writing is done by outputs.py; a test compares the names."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field
from rest_framework import serializers

from merchants.api.schema import query_text
from reconciliation.models import PayoutState, SettlementState
from reconciliation.selectors import NOT_SHOWN
from reconciliation.whereabouts import Step


@extend_schema_field({"type": "number", "description": "Exact, with all digits of the currency.", "example": 100.5})
class AmountOut(serializers.Field[Any, Any, Any, Any]):
    """An exact number."""


class FeeParts(serializers.Serializer[Any]):
    percentage = AmountOut()
    fixed = AmountOut()
    limits = AmountOut(help_text="What a minimum added, or (below zero) a maximum took away.")
    other = AmountOut()


class PayoutOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField([choice for choice in PayoutState.choices if choice[0] not in NOT_SHOWN])
    paidAt = serializers.DateTimeField(allow_null=True)
    reference = serializers.CharField(help_text="The end-to-end id that your bank's statement shows.")


class MoneyStep(serializers.Serializer[Any]):
    step = serializers.ChoiceField([step.value for step in Step])
    doneOn = serializers.DateField(allow_null=True, help_text="When it was proven; null while it is not.")
    expectedBy = serializers.DateField(allow_null=True, help_text="When it should be; null once it is proven.")
    daysLate = serializers.IntegerField()
    id = serializers.CharField(allow_null=True, help_text="Of the settlement or the payout.")
    reference = serializers.CharField(allow_null=True, help_text="Of the payout, as your bank shows it.")


class MoneyOut(serializers.Serializer[Any]):
    transactionId = serializers.CharField()
    stage = serializers.ChoiceField(
        [step.value for step in Step], allow_null=True, help_text="The first step that is missing; null when none is."
    )
    daysLate = serializers.IntegerField()
    steps = MoneyStep(many=True)


class SettlementOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField(SettlementState.choices)
    currencyCode = serializers.CharField()
    date = serializers.DateField(help_text="The closing day, in your time zone.")
    periodFrom = serializers.DateTimeField()
    periodTo = serializers.DateTimeField(help_text="The first moment of the next period.")
    payOn = serializers.DateField()
    lineCount = serializers.IntegerField()
    gross = AmountOut(help_text="What was captured.")
    refunds = AmountOut()
    disputes = AmountOut(help_text="Charged back, less what was won.")
    fees = AmountOut()
    feeParts = FeeParts()
    reserveHeld = AmountOut()
    reserveReleased = AmountOut()
    reserveReleaseOn = serializers.DateField(allow_null=True, help_text="When what is held back here is released.")
    adjustments = AmountOut()
    carriedOver = AmountOut(help_text="The net of the settlement before, if that was not paid out.")
    amount = AmountOut(
        help_text="gross - refunds - disputes - fees - reserveHeld + reserveReleased + adjustments + carriedOver"
    )
    payout = PayoutOut(allow_null=True, help_text="How it is paid, once that is decided.")
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class SettlementLineOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.ChoiceField(("PAYMENT", "REFUND", "DISPUTE", "ADJUSTMENT"))
    transactionId = serializers.CharField(allow_null=True)
    externalReference = serializers.CharField(allow_null=True)
    paymentTypeId = serializers.CharField(allow_null=True)
    gross = AmountOut()
    refunds = AmountOut()
    disputes = AmountOut()
    fees = AmountOut()
    adjustments = AmountOut()
    amount = AmountOut(help_text="gross - refunds - disputes - fees + adjustments; their sum is the settlement's.")
    currencyCode = serializers.CharField()
    bookedAt = serializers.DateTimeField()


FILTERS = [
    OpenApiParameter(
        "status",
        {"type": "array", "items": {"type": "string", "enum": list(SettlementState.values)}, "minItems": 1},
        style="form",
        explode=False,
        description="One status, or several separated by commas.",
    ),
    query_text("currencyCode", maxLength=3),
    OpenApiParameter("dateFrom", OpenApiTypes.DATE, description="Closing day from this day on."),
    OpenApiParameter("dateTo", OpenApiTypes.DATE, description="Closing day up to this day."),
]
_AMOUNTS = {"gross": 1250.00, "refunds": 100.50, "disputes": 0.00, "fees": 21.25}
SETTLEMENT = {
    "id": "stl_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "status": "CREATED",
    "currencyCode": "MYR",
    "date": "2026-03-02",
    "periodFrom": "2026-03-01T16:00:00.000Z",
    "periodTo": "2026-03-02T16:00:00.000Z",
    "payOn": "2026-03-03",
    "lineCount": 14,
    **_AMOUNTS,
    "feeParts": {"percentage": 18.75, "fixed": 2.50, "limits": 0.00, "other": 0.00},
    "reserveHeld": 57.48,
    "reserveReleased": 40.00,
    "reserveReleaseOn": "2026-06-01",
    "adjustments": 0.00,
    "carriedOver": -10.00,
    "amount": 1100.77,
    "payout": {
        "id": "pyt_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "status": "PAID",
        "paidAt": "2026-03-03T03:10:00.000Z",
        "reference": "PYT202603032M4Q6S8V0X2Z",
    },
    "createdAt": "2026-03-02T16:40:00.000Z",
    "updatedAt": "2026-03-02T16:40:00.000Z",
}
LINE = {
    "id": "jrn_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "type": "PAYMENT",
    "transactionId": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
    "externalReference": "INV-1001",
    "paymentTypeId": "fpx",
    "gross": 100.50,
    "refunds": 0.00,
    "disputes": 0.00,
    "fees": 1.70,
    "adjustments": 0.00,
    "amount": 98.80,
    "currencyCode": "MYR",
    "bookedAt": "2026-03-02T04:00:00.000Z",
}
ONE = OpenApiExample("A settlement", value=SETTLEMENT, response_only=True, status_codes=["200"])
PAGE = OpenApiExample(
    "A page", value={"data": [SETTLEMENT], "nextCursor": None}, response_only=True, status_codes=["200"]
)
LINES = OpenApiExample(
    "A page",
    value={"data": [LINE], "nextCursor": "MTc3MjQyNDAwMDAwMDAwMC5qcm5fMDFrMHk4YzJtNHE2czh2MHgyejRiNmQ4ZjA"},
    response_only=True,
    status_codes=["200"],
    media_type="application/json",
)
MONEY = OpenApiExample(
    "Waiting for the payout",
    value={
        "transactionId": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "stage": "PAID_OUT",
        "daysLate": 0,
        "steps": [
            {"step": step, "doneOn": day, "expectedBy": None, "daysLate": 0, "id": id_, "reference": None}
            for step, day, id_ in (
                ("CAPTURED", "2026-03-02", None),
                ("ON_STATEMENT", "2026-03-02", None),
                ("AT_BANK", "2026-03-03", None),
                ("SETTLED", "2026-03-02", "stl_01k0y8c2m4q6s8v0x2z4b6d8f0"),
            )
        ]
        + [
            {
                "step": "PAID_OUT",
                "doneOn": None,
                "expectedBy": "2026-03-03",
                "daysLate": 0,
                "id": "pyt_01k0y8c2m4q6s8v0x2z4b6d8f0",
                "reference": "PYT202603032M4Q6S8V0X2Z",
            }
        ],
    },
    response_only=True,
    status_codes=["200"],
)
