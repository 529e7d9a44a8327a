"""The bodies as the OpenAPI document shows them. Reading is done by inputs.py and writing by outputs.py; a test compares the names."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from merchants.api.schema import PAGING as PAGING
from merchants.api.schema import page_of as page_of
from payments.api.v1.outputs import ENTRY_TYPES
from payments.models._choices import one_of
from payments.states import AccountStatus, PaymentState, RefundState, TransactionStatus


@extend_schema_field(
    {"oneOf": [{"type": "number"}, {"type": "string", "pattern": r"^(0|[1-9]\d{0,14})(\.\d{1,4})?$"}], "example": 100.5}
)
class AmountIn(serializers.Field[Any, Any, Any, Any]):
    """A number or a string, with no more digits than the currency has."""


@extend_schema_field({"type": "number", "description": "Exact, with all digits of the currency.", "example": 100.5})
class AmountOut(serializers.Field[Any, Any, Any, Any]):
    """An exact number."""


class CustomerIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    email = serializers.EmailField(max_length=254, required=False)
    phone = serializers.CharField(max_length=30, required=False)


class TransactionIn(serializers.Serializer[Any]):
    paymentTypeId = serializers.CharField(
        max_length=30,
        required=False,
        help_text="Case-insensitive; see GET /payment-types. Left out, with a returnUrl: the payer chooses on our page.",
    )
    amount = AmountIn()
    currencyCode = serializers.CharField(
        min_length=3, max_length=3, required=False, help_text="Default: your currency, or the paying account's."
    )
    externalReference = serializers.RegexField(r"^[A-Za-z0-9._:/#-]{1,100}$", required=False)
    description = serializers.CharField(max_length=255, required=False)
    metadata = serializers.DictField(required=False, help_text="At most 8 KiB.")
    returnUrl = serializers.URLField(max_length=2000, required=False, help_text="https; where the payer comes back to.")
    bankCode = serializers.CharField(max_length=20, required=False, help_text="See GET /banks.")
    customer = CustomerIn(required=False)
    capture = serializers.ChoiceField(("automatic", "manual"), required=False)
    fromAccountId = serializers.CharField(max_length=40, required=False, help_text="Book transfers only: who pays.")
    toAccountId = serializers.CharField(max_length=40, required=False, help_text="Book transfers only: who gets it.")


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


class TransactionStatusOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.ChoiceField(one_of(TransactionStatus))
    externalReference = serializers.CharField(allow_null=True)
    failureCode = serializers.CharField(allow_null=True)
    failureReason = serializers.CharField(allow_null=True)
    updatedAt = serializers.DateTimeField()


class CaptureIn(serializers.Serializer[Any]):
    amount = AmountIn(required=False, help_text="Default: all that is left of what is authorised.")
    final = serializers.BooleanField(
        default=True, help_text="`false` keeps the rest reserved, for more captures, where the provider allows it."
    )


class RefundIn(serializers.Serializer[Any]):
    amount = AmountIn(required=False, help_text="Default: all that is left.")
    reason = serializers.CharField(max_length=255)


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
FILTERS = [
    OpenApiParameter("status", OpenApiTypes.STR, description="One status, or several separated by commas."),
    OpenApiParameter("paymentTypeId", OpenApiTypes.STR),
    OpenApiParameter("externalReference", OpenApiTypes.STR),
    OpenApiParameter("currencyCode", OpenApiTypes.STR),
    OpenApiParameter("amountMin", OpenApiTypes.STR, description="In currencyCode, else in your own currency."),
    OpenApiParameter("amountMax", OpenApiTypes.STR, description="In currencyCode, else in your own currency."),
    OpenApiParameter("createdFrom", OpenApiTypes.DATETIME, description="From this time on."),
    OpenApiParameter("createdTo", OpenApiTypes.DATETIME, description="Before this time."),
]
