"""The bodies as the OpenAPI document shows them. Reading is done by inputs.py and writing by outputs.py; a test compares the names."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from merchants.api.schema import PAGING as PAGING
from merchants.api.schema import Shape, optional_text, text
from merchants.api.schema import page_of as page_of
from merchants.api.schema import query_text as query_text
from payments.api.v1.outputs import ENTRY_TYPES
from payments.models._choices import one_of
from payments.states import AccountStatus, PaymentState, RefundState, TransactionStatus

_AMOUNT = {
    "oneOf": [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000_000_000_000},
        {"type": "string", "pattern": r"^(?=.*[1-9])(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$"},
    ],
    "examples": [100.5],
}
_EMPTY_OR = "^$|"


class AmountIn(Shape):
    """A number or a string, with no more decimals than the currency has; an optional one may be null."""

    def __init__(self, *, required: bool = True, **options: Any) -> None:
        shape = _AMOUNT if required else _AMOUNT | {"oneOf": [*_AMOUNT["oneOf"], {"type": "null"}]}  # type: ignore[misc]
        super().__init__(shape, required=required, **options)


@extend_schema_field({"type": "number", "description": "Exact, with all digits of the currency.", "examples": [100.5]})
class AmountOut(serializers.Field[Any, Any, Any, Any]):
    """An exact number."""


class CustomerIn(serializers.Serializer[Any]):
    name = optional_text(120)
    email = optional_text(254, pattern=_EMPTY_OR + r"^[^@\s\u0000]+@[^@\s\u0000]+$")
    phone = optional_text(30, pattern=_EMPTY_OR + r"^\+?[0-9 ()-]{3,30}$")


class TransactionIn(serializers.Serializer[Any]):
    paymentTypeId = optional_text(
        30,
        help_text="Case-insensitive; see GET /payment-types. Left out, with a returnUrl: the payer chooses on our page.",
    )
    amount = AmountIn()
    currencyCode = optional_text(
        3, pattern="^([A-Z]{3})?$", help_text="Default: your currency, or the paying account's."
    )
    externalReference = optional_text(100, pattern=r"^[A-Za-z0-9._:/#-]{1,100}$", help_text="Yours; unique.")
    description = optional_text(255)
    metadata = Shape(
        {"type": ["object", "null"], "additionalProperties": {}},
        required=False,
        help_text="A JSON object of yours, up to 8 KiB.",
    )
    returnUrl = optional_text(
        2000, pattern=_EMPTY_OR + r"^https?://[!-~]+$", help_text="https; where the payer comes back to."
    )
    bankCode = optional_text(20, pattern="^[A-Za-z0-9_]{0,20}$", help_text="See GET /banks.")
    customer = CustomerIn(required=False, allow_null=True)
    capture = Shape({"type": ["string", "null"], "enum": ["automatic", "manual", None]}, required=False)
    fromAccountId = optional_text(40, help_text="Book transfers only: who pays.")
    toAccountId = optional_text(40, help_text="Book transfers only: who gets it.")

    example = {
        "paymentTypeId": "fpx",
        "amount": 100.50,
        "currencyCode": "MYR",
        "externalReference": "INV-1001",
        "description": "Licence renewal",
        "returnUrl": "https://shop.example/paid",
        "customer": {"name": "Siti", "email": "siti@example.com"},
    }


class NextAction(serializers.Serializer[Any]):
    type = serializers.ChoiceField(("redirect",))
    method = serializers.ChoiceField(("GET", "POST"))
    url = serializers.CharField()
    fields_ = serializers.DictField(child=serializers.CharField())

    def get_fields(self) -> dict[str, Any]:
        """`fields` is taken on a Serializer class, so it is declared under another name."""
        declared = super().get_fields()
        declared["fields"] = declared.pop("fields_")
        return declared


class PaymentOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    attempt = serializers.IntegerField()
    paymentTypeId = serializers.CharField()
    status = serializers.ChoiceField(one_of(PaymentState))
    paymentTransId = serializers.CharField()
    amount = AmountOut()
    bankCode = serializers.CharField(allow_null=True)
    approvalCode = serializers.CharField(allow_null=True)
    bankReference = serializers.CharField(allow_null=True)
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()
    paidAt = serializers.DateTimeField(allow_null=True)


class TransactionOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField(one_of(TransactionStatus))
    fromAccountId = serializers.CharField(allow_null=True)
    toAccountId = serializers.CharField(allow_null=True)
    paymentTypeId = serializers.CharField(allow_null=True, help_text="Null until a payer on our page has chosen.")
    amount = AmountOut()
    amountCaptured = AmountOut()
    amountRefunded = AmountOut()
    currencyCode = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    externalReference = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    nextAction = NextAction(allow_null=True)
    payments = PaymentOut(many=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True, help_text="Null for book transfers.")

    example = {
        "id": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "status": "PENDING",
        "fromAccountId": None,
        "toAccountId": None,
        "paymentTypeId": "fpx",
        "amount": 100.50,
        "amountCaptured": 0.00,
        "amountRefunded": 0.00,
        "currencyCode": "MYR",
        "description": "Licence renewal",
        "externalReference": "INV-1001",
        "metadata": {},
        "failureCode": None,
        "failureReason": None,
        "nextAction": {
            "type": "redirect",
            "method": "POST",
            "url": "https://bank.example/pay",
            "fields": {"reference": "EPG20260302K3J9Q2M4P6R8"},
        },
        "payments": [
            {
                "id": "pay_01k0y8c2m4q6s8v0x2z4b6d8f0",
                "attempt": 1,
                "paymentTypeId": "fpx",
                "status": "CREATED",
                "paymentTransId": "EPG20260302K3J9Q2M4P6R8",
                "amount": 100.50,
                "bankCode": None,
                "approvalCode": None,
                "bankReference": None,
                "failureCode": None,
                "failureReason": None,
                "createdAt": "2026-03-02T04:00:00.000Z",
                "paidAt": None,
            }
        ],
        "createdAt": "2026-03-02T04:00:00.000Z",
        "updatedAt": "2026-03-02T04:00:00.000Z",
        "expiresAt": "2026-03-02T04:30:00.000Z",
    }


class TransactionStatusOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField(one_of(TransactionStatus))
    externalReference = serializers.CharField(allow_null=True)
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    updatedAt = serializers.DateTimeField()

    example = {
        "id": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "status": "COMPLETED",
        "externalReference": "INV-1001",
        "failureCode": None,
        "failureReason": None,
        "updatedAt": "2026-03-02T04:03:10.000Z",
    }


class CaptureIn(serializers.Serializer[Any]):
    amount = AmountIn(required=False, help_text="Default: all that is left of what is authorised.")
    final = Shape(
        {"type": ["boolean", "null"], "default": True},
        required=False,
        help_text="`false` keeps the rest reserved, for more captures, where the provider allows it.",
    )

    example = {"amount": 40.00, "final": False}


class RefundIn(serializers.Serializer[Any]):
    amount = AmountIn(required=False, help_text="Default: all that is left.")
    reason = text(255)

    example = {"amount": 40.25, "reason": "returned"}


class RefundOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    transactionId = serializers.CharField()
    status = serializers.ChoiceField(one_of(RefundState))
    amount = AmountOut()
    currencyCode = serializers.CharField()
    reason = serializers.CharField()
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
    completedAt = serializers.DateTimeField(allow_null=True)

    example = {
        "id": "rfd_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "transactionId": "txn_01k0y8c2m4q6s8v0x2z4b6d8f0",
        "status": "PENDING",
        "amount": 40.25,
        "currencyCode": "MYR",
        "reason": "returned",
        "failureCode": None,
        "failureReason": None,
        "createdAt": "2026-03-03T04:00:00.000Z",
        "updatedAt": "2026-03-03T04:00:00.000Z",
        "completedAt": None,
    }


class EventOut(serializers.Serializer[Any]):
    eventId = serializers.CharField()
    eventType = serializers.CharField()
    createdAt = serializers.DateTimeField()
    sequence = serializers.IntegerField()
    data_ = serializers.DictField()

    def get_fields(self) -> dict[str, Any]:
        """`data` is taken on a Serializer class, so it is declared under another name."""
        declared = super().get_fields()
        declared["data"] = declared.pop("data_")
        return declared


class AccountOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(one_of(AccountStatus))
    currencyCode = serializers.CharField()
    availableBalance = AmountOut()
    pendingBalance = AmountOut()
    createdAt = serializers.DateTimeField()


class BalanceOut(serializers.Serializer[Any]):
    accountId = serializers.CharField()
    availableBalance = AmountOut(help_text="What can be spent.")
    pendingBalance = AmountOut(help_text="Held for transfers that wait for their batch; not in availableBalance.")
    currencyCode = serializers.CharField()
    asOf = serializers.DateTimeField()

    example = {
        "accountId": "acc_123",
        "availableBalance": 975.00,
        "pendingBalance": 25.00,
        "currencyCode": "USD",
        "asOf": "2026-03-02T04:00:00.000Z",
    }


class EntryOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.ChoiceField(sorted(ENTRY_TYPES.values()))
    amount = AmountOut(help_text="Money in is positive, money out negative.")
    currencyCode = serializers.CharField()
    transactionId = serializers.CharField(allow_null=True)
    externalReference = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()


class BankCounts(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    online = serializers.IntegerField()


class PaymentTypeOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    currencies = serializers.ListField(child=serializers.CharField())
    capture = serializers.ListField(child=serializers.ChoiceField(("automatic", "manual")))
    banks = BankCounts(allow_null=True)


class BankOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(("ONLINE", "OFFLINE"))
    businessBanking = serializers.BooleanField()
    refreshedAt = serializers.DateTimeField()


AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="A time in the past, with its offset. Default: now.")
PREFER = OpenApiParameter(
    "Prefer",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`wait=N`, N up to 25: hold the answer until the outcome is known or N seconds passed. The answer says "
    "`Preference-Applied` if it was held; a busy server answers at once.",
)
_AMOUNT_TEXT = {"pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$"}
_CURRENCY = "In currencyCode, else in your own currency."
FILTERS = [
    OpenApiParameter(
        "status",
        {"type": "array", "items": {"type": "string", "enum": one_of(TransactionStatus)}, "minItems": 1},
        style="form",
        explode=False,
        description="One status, or several separated by commas.",
    ),
    query_text("paymentTypeId", maxLength=30),
    query_text("externalReference", maxLength=100),
    query_text("currencyCode", maxLength=3),
    query_text("amountMin", _CURRENCY, **_AMOUNT_TEXT),
    query_text("amountMax", _CURRENCY, **_AMOUNT_TEXT),
    OpenApiParameter("createdFrom", OpenApiTypes.DATETIME, description="From this time on."),
    OpenApiParameter("createdTo", OpenApiTypes.DATETIME, description="Before this time."),
]
