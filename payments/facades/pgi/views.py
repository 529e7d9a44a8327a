"""`/v1/payments` (S4; contracts section 6): the same callers, limits, idempotency and services as the native API, in the document's words."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from common.errors import CounterfoilError, NotFound
from merchants.api.base import MerchantRequest, MerchantView, answer, require_key, respond
from merchants.api.pagination import read_page
from merchants.scopes import Scope
from payments.facades.pgi.messages import (
    in_our_words,
    payment_json,
    payment_reply,
    read_payment,
    read_refund,
    refund_json,
    refund_reply,
    refusal_json,
)
from payments.selectors import refund_rows, transaction_row
from payments.services.refunds import refund_request
from payments.services.transfers import transfer_create, transfer_validate


def unknown_route(request: HttpRequest, **_path: str) -> HttpResponse:
    """The 404 of everything below /v1/ that is no route."""
    return HttpResponse(
        orjson.dumps({"error": {"code": NotFound.code, "message": "There is no such route."}}),
        status=NotFound.status,
        content_type="application/json",
    )


class PgiView(MerchantView):
    """Errors have a code and a message, no more. The OpenAPI document leaves these routes out: it describes the native API."""

    schema = None  # type: ignore[assignment]  # how Django REST framework is told so

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # as in MerchantView
        response = super().handle_exception(exc)
        content = orjson.loads(response.content)
        if "error" in content:  # else a repeat of what was answered well
            told = content["error"]
            response.content = orjson.dumps({"error": {"code": told["code"], "message": in_our_words(told["message"])}})
        return response

    def payment(self, request: MerchantRequest, payment_id: str) -> Any:
        """The row of a payment of this document. Raises NotFound."""
        row = transaction_row(request.caller, payment_id)
        if row.from_account_id is None:
            raise NotFound("There is no such payment.")
        return row


class Payments(PgiView):
    required_scopes = {"POST": Scope.TRANSACTION_CREATE}
    idempotent = True

    def post(self, request: MerchantRequest) -> HttpResponse:
        """Move money from an account to the merchant's."""
        require_key(request)
        made = transfer_create(
            new=read_payment(request.json, request.caller),
            actor=request.actor,
            now=timezone.now(),
            idempotency=request.idempotency,
            reply=payment_reply,
        )
        return respond(payment_reply(made))


class PaymentValidation(PgiView):
    required_scopes = {"POST": Scope.TRANSACTION_CREATE}

    def post(self, request: MerchantRequest) -> HttpResponse:
        """Whether a payment with these details would be accepted at this moment. Nothing moves, nothing is kept."""
        body = request.json
        try:
            transfer_validate(new=read_payment(body, request.caller))
        except CounterfoilError as exc:
            if exc.status not in (400, 404, 422):
                raise
            return answer(refusal_json(exc))
        return answer({"valid": True, "errors": []})


class OnePayment(PgiView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    def get(self, request: MerchantRequest, payment_id: str) -> HttpResponse:
        return answer(payment_json(self.payment(request, payment_id)))


class PaymentRefunds(PgiView):
    required_scopes = {"GET": Scope.TRANSACTION_READ, "POST": Scope.REFUND_CREATE}
    idempotent = True

    def post(self, request: MerchantRequest, payment_id: str) -> HttpResponse:
        """Give back all or part of a payment, at once."""
        require_key(request)
        row = self.payment(request, payment_id)
        new = read_refund(request.json, currency=row.currency)
        refund = refund_request(
            transaction_id=row.id,
            amount=new.amount,
            reason=new.reason,
            actor=request.actor,
            now=timezone.now(),
            merchant_id=request.caller.merchant_id,
            live=request.caller.live,
            idempotency=request.idempotency,
            reply=refund_reply,
        )
        return respond(refund_reply(refund))

    def get(self, request: MerchantRequest, payment_id: str) -> HttpResponse:
        """Refunds of a payment, newest first."""
        row = self.payment(request, payment_id)
        page = read_page(request._request.GET)
        rows = page.of(refund_rows(request.caller, transaction_id=row.id))
        return answer(page.answer(rows, [refund_json(refund) for refund in rows[: page.limit]]))
