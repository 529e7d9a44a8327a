"""The routes that change an accepted transaction: capture and cancel (contracts section 3).

202: the provider has been asked and the transaction stays AUTHORIZED until it said so; 200: it has happened.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema

from merchants.api.base import MerchantRequest, MerchantView, respond
from merchants.api.fields import Fields
from merchants.api.rendering import render
from merchants.scopes import Scope
from merchants.services.idempotency import Reply
from payments.api.v1 import schemas
from payments.api.v1.outputs import transaction_json
from payments.models import Transaction
from payments.selectors import transaction_row
from payments.services.cancellations import transaction_cancel
from payments.services.captures import capture_request
from payments.states import TransactionStatus


class TransactionCapture(MerchantView):
    required_scopes = {"POST": Scope.TRANSACTION_CREATE}
    idempotent = True
    body_optional = True

    @extend_schema(
        operation_id="captureTransaction",
        request=schemas.CaptureIn,
        responses={202: OpenApiResponse(schemas.TransactionOut, description="AUTHORIZED until the provider took it.")},
    )
    def post(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """Take what is authorised, or part of it. `final: false` keeps the rest reserved for more captures; else it is let go."""
        row = transaction_row(request.caller, transaction_id, "id", "currency")
        fields = Fields(request.json)
        amount = fields.amount("amount", row.currency)
        final = fields.flag("final") is not False
        fields.finish()
        transaction = capture_request(
            transaction_id=row.id,
            amount=amount,
            final=final,
            actor=request.actor,
            now=timezone.now(),
            merchant_id=request.caller.merchant_id,
            live=request.caller.live,
            idempotency=request.idempotency,
            reply=_reply,
        )
        return respond(_reply(transaction))


class TransactionCancel(MerchantView):
    required_scopes = {"POST": Scope.TRANSACTION_CREATE}
    idempotent = True
    body_optional = True

    @extend_schema(
        operation_id="cancelTransaction",
        request=None,
        responses={
            200: OpenApiResponse(schemas.TransactionOut, description="CANCELLED: nobody had paid."),
            202: OpenApiResponse(schemas.TransactionOut, description="AUTHORIZED until the provider released it."),
        },
    )
    def post(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """Release an authorisation, or cancel what nobody has paid. The provider is asked first whether somebody has."""
        Fields(request.json).finish()
        transaction = transaction_cancel(
            transaction_id=transaction_id,
            actor=request.actor,
            now=timezone.now(),
            merchant_id=request.caller.merchant_id,
            live=request.caller.live,
            idempotency=request.idempotency,
            reply=_reply,
        )
        return respond(_reply(transaction))


def _reply(transaction: Transaction) -> Reply:
    status = 200 if transaction.status == TransactionStatus.CANCELLED else 202
    return Reply(status, render(transaction_json(transaction, list(transaction.payments.order_by("attempt")))))
