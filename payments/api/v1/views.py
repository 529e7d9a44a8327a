"""The routes of transactions, refunds and reference data (contracts section 3). Each translates, calls one service, translates back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from common.errors import InvalidRequest
from merchants.api.base import MerchantRequest, MerchantView, answer, require_key, respond
from merchants.api.live import EVENT_STREAM, LAST_EVENT_ID, EventStreamRenderer, to_live_stream
from merchants.api.pagination import read_page
from merchants.api.rendering import CSV, CsvRenderer, OrjsonRenderer, render
from merchants.scopes import Scope
from merchants.services.idempotency import Reply
from payments.api.v1 import schemas
from payments.api.v1.export import csv_answer
from payments.api.v1.filters import filtered
from payments.api.v1.inputs import asks_for_transfer, read_new_refund, read_new_transaction, read_new_transfer
from payments.api.v1.outputs import (
    bank_json,
    created_reply,
    event_json,
    payment_type_json,
    refund_json,
    refund_reply,
    status_json,
    transaction_json,
)
from payments.api.v1.waiting import APPLIED, wait_for_outcome, wished_seconds
from payments.selectors import (
    banks_of,
    facts_of,
    known_methods,
    payments_by_transaction,
    refund_row,
    refund_rows,
    transaction_row,
    transaction_rows,
    transactions_of,
    usable_methods,
)
from payments.services.pages import Hosted, page_create
from payments.services.refunds import refund_request
from payments.services.transactions import Created, transaction_create
from payments.services.transfers import Transferred, transfer_create
from payments.transfer_types import TRANSFER_TYPES

_TYPES = known_methods() | TRANSFER_TYPES.keys()


class Transactions(MerchantView):
    more_errors = {"POST": ("404",)}  # an account that is not the caller's
    required_scopes = {"GET": Scope.TRANSACTION_READ, "POST": Scope.TRANSACTION_CREATE}
    idempotent = True
    renderer_classes = [OrjsonRenderer, CsvRenderer]

    @extend_schema(
        operation_id="createTransaction",
        parameters=[schemas.PREFER],
        request=schemas.TransactionIn,
        responses={
            201: schemas.TransactionOut,
            200: OpenApiResponse(
                schemas.TransactionOut, description="The same externalReference and content as before."
            ),
        },
    )
    def post(self, request: MerchantRequest) -> HttpResponse:
        """Accept a payment, whose payer still has to follow `nextAction`; or move money between two accounts of yours."""
        now = timezone.now()
        if request.idempotency is not None and (seconds := wished_seconds(request._request)):
            request.idempotency = replace(request.idempotency, held_seconds=seconds)
        created = self._transfer(request, now) if asks_for_transfer(request.json) else self._payment(request, now)
        if not created.repeated:
            return self._when_known(request, created)
        reply = created_reply(created, status=200)
        if request.idempotency is not None:  # what this key was answered before, else this from now on
            reply = request.idempotency.store_refusal(reply, now=now)
        return respond(reply, replayed=True)

    @staticmethod
    def _when_known(request: MerchantRequest, created: Created | Hosted | Transferred) -> HttpResponse:
        """The answer to a new transaction, held back if the caller prefers. What is answered is what its key keeps."""
        seconds = wished_seconds(request._request)
        waited = wait_for_outcome(request.caller, created.transaction.pk, seconds=seconds)
        reply = created_reply(created)
        if waited:
            row = transaction_row(request.caller, created.transaction.pk)
            reply = Reply(201, render(transaction_json(row, payments_by_transaction([row.id])[row.id])))
        if seconds and request.idempotency is not None:
            reply = request.idempotency.let_go(reply)
        response = respond(reply)
        if waited:
            response[APPLIED] = f"wait={seconds}"
        return response

    @staticmethod
    def _payment(request: MerchantRequest, now: datetime) -> Created | Hosted:
        new = read_new_transaction(request.json, request.caller)
        require_key(request, natural_key=new.external_reference)
        create = transaction_create if new.method else page_create
        return create(new=new, actor=request.actor, now=now, idempotency=request.idempotency, reply=created_reply)

    @staticmethod
    def _transfer(request: MerchantRequest, now: datetime) -> Transferred:
        new = read_new_transfer(request.json, request.caller)
        require_key(request, natural_key=new.external_reference)
        return transfer_create(
            new=new, actor=request.actor, now=now, idempotency=request.idempotency, reply=created_reply
        )

    @extend_schema(
        operation_id="listTransactions",
        parameters=[*schemas.FILTERS, *schemas.PAGING],
        responses={
            (200, OrjsonRenderer.media_type): schemas.page_of(schemas.TransactionOut),
            (200, CSV): OpenApiTypes.STR,
        },
    )
    def get(self, request: MerchantRequest) -> HttpResponseBase:
        """Transactions, newest first; as CSV all that the filters let through, without pages."""
        query = request._request.GET
        if request.accepted_media_type == CSV:
            return csv_answer(filtered(transactions_of(request.caller), query, request), query)
        page = read_page(query)
        rows = page.of(transaction_rows(filtered(transactions_of(request.caller), query, request)))
        shown = rows[: page.limit]
        payments = payments_by_transaction([row.id for row in shown])
        return answer(page.answer(rows, [transaction_json(row, payments[row.id]) for row in shown]))


def _held(request: MerchantRequest, transaction_id: str) -> Callable[[HttpResponse], HttpResponse]:
    """Wait for the outcome as long as the caller prefers; then what marks the answer as held, if it was."""
    seconds = wished_seconds(request._request)
    waited = wait_for_outcome(request.caller, transaction_id, seconds=seconds)

    def marked(response: HttpResponse) -> HttpResponse:
        if waited:
            response[APPLIED] = f"wait={seconds}"
        return response

    return marked


class OneTransaction(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    @extend_schema(operation_id="getTransaction", parameters=[schemas.PREFER], responses={200: schemas.TransactionOut})
    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """One transaction with its payments."""
        held = _held(request, transaction_id)
        row = transaction_row(request.caller, transaction_id)
        return held(answer(transaction_json(row, payments_by_transaction([row.id])[row.id])))


class TransactionStatus(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    @extend_schema(
        operation_id="getTransactionStatus",
        parameters=[schemas.PREFER],
        responses={200: schemas.TransactionStatusOut},
    )
    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """The status alone, for polling; `Prefer: wait=N` saves most of the polling."""
        columns = ("id", "status", "external_reference", "failure_code", "failure_reason", "updated_at")
        held = _held(request, transaction_id)
        return held(answer(status_json(transaction_row(request.caller, transaction_id, *columns))))


class TransactionEvents(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}
    renderer_classes = [OrjsonRenderer, EventStreamRenderer]

    @extend_schema(
        operation_id="listTransactionEvents",
        parameters=[
            schemas.query_text(LAST_EVENT_ID, "Of a stream: begin after this event.", pattern="^[ -~]*$"),
        ],
        responses={
            (200, OrjsonRenderer.media_type): schemas.page_of(schemas.EventOut),
            307: OpenApiResponse(description=f"Asked for {EVENT_STREAM}: where the live stream is, for a minute."),
        },
    )
    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """The whole history, first event first; or the way to a live stream of it."""
        row = transaction_row(request.caller, transaction_id, "id")
        if request.accepted_media_type == EVENT_STREAM:
            return to_live_stream(request, transaction_id=row.id)
        return answer({"data": [event_json(fact) for fact in facts_of(row.id)], "nextCursor": None})


class TransactionRefunds(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ, "POST": Scope.REFUND_CREATE}
    idempotent = True

    @extend_schema(operation_id="createRefund", request=schemas.RefundIn, responses={201: schemas.RefundOut})
    def post(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """Give back all or part of what was captured. PENDING until the provider said so; a book transfer is given back at once."""
        require_key(request)
        row = transaction_row(request.caller, transaction_id, "id", "currency")
        new = read_new_refund(request.json, currency=row.currency)
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

    @extend_schema(
        operation_id="listRefunds", parameters=schemas.PAGING, responses={200: schemas.page_of(schemas.RefundOut)}
    )
    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """Refunds of a transaction, newest first."""
        row = transaction_row(request.caller, transaction_id, "id")
        page = read_page(request._request.GET)
        rows = page.of(refund_rows(request.caller, transaction_id=row.id))
        return answer(page.answer(rows, [refund_json(refund) for refund in rows[: page.limit]]))


class OneRefund(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    @extend_schema(operation_id="getRefund", responses={200: schemas.RefundOut})
    def get(self, request: MerchantRequest, refund_id: str) -> HttpResponse:
        """One refund."""
        return answer(refund_json(refund_row(request.caller, refund_id)))


class PaymentTypes(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    @extend_schema(operation_id="listPaymentTypes", responses={200: schemas.page_of(schemas.PaymentTypeOut)})
    def get(self, request: MerchantRequest) -> HttpResponse:
        """What you can use now, with currencies and how many banks are online."""
        types = [
            payment_type_json(usable, banks_of(usable.method) if usable.lists_banks else ())
            for usable in usable_methods(request.caller)
        ]
        return answer({"data": types, "nextCursor": None})


class Banks(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}

    @extend_schema(
        operation_id="listBanks",
        parameters=[OpenApiParameter("paymentTypeId", required=True, enum=sorted(_TYPES), description="e.g. fpx.")],
        responses={200: schemas.page_of(schemas.BankOut)},
    )
    def get(self, request: MerchantRequest) -> HttpResponse:
        """The banks a payer can choose; none where the payer has nothing to choose."""
        method = request._request.GET.get("paymentTypeId", "").lower()
        if method not in _TYPES:
            raise InvalidRequest(
                "Not right: paymentTypeId.", fields={"paymentTypeId": ["Send a payment type, e.g. fpx."]}
            )
        return answer({"data": [bank_json(bank) for bank in banks_of(method)], "nextCursor": None})
