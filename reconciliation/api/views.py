"""The routes of settlements (contracts section 3): what a merchant is owed for a period, line by line, and as a document."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer

from common.errors import InvalidRequest, InvalidState
from merchants.api.base import MerchantRequest, MerchantView, answer
from merchants.api.pagination import read_page
from merchants.api.rendering import CSV, CsvRenderer, OrjsonRenderer
from merchants.api.schema import PAGING, page_of
from merchants.scopes import Scope
from payments.selectors import transaction_row
from reconciliation.api import schemas
from reconciliation.api.filters import filtered
from reconciliation.api.outputs import line_json, settlement_json, way_json
from reconciliation.documents.answers import FORMATS, PDF, XLSX, statement_answer
from reconciliation.selectors import settlement_lines, settlement_row, settlement_rows
from reconciliation.whereabouts import ways_of


class Settlements(MerchantView):
    required_scopes = {"GET": Scope.SETTLEMENT_READ}

    @extend_schema(
        operation_id="listSettlements",
        parameters=[*schemas.FILTERS, *PAGING],
        responses={200: page_of(schemas.SettlementOut)},
        examples=[schemas.PAGE],
    )
    def get(self, request: MerchantRequest) -> HttpResponse:
        """Settlements, newest first."""
        query = request._request.GET
        page = read_page(query)
        rows = page.of(filtered(settlement_rows(request.caller), query))
        return answer(page.answer(rows, [settlement_json(row) for row in rows[: page.limit]]))


class OneSettlement(MerchantView):
    required_scopes = {"GET": Scope.SETTLEMENT_READ}

    @extend_schema(operation_id="getSettlement", responses={200: schemas.SettlementOut}, examples=[schemas.ONE])
    def get(self, request: MerchantRequest, settlement_id: str) -> HttpResponse:
        """One settlement with everything its amount is made of."""
        return answer(settlement_json(settlement_row(request.caller, settlement_id)))


class SettlementLines(MerchantView):
    required_scopes = {"GET": Scope.SETTLEMENT_READ}
    renderer_classes = [OrjsonRenderer, CsvRenderer]

    @extend_schema(
        operation_id="listSettlementLines",
        parameters=PAGING,
        responses={
            (200, OrjsonRenderer.media_type): page_of(schemas.SettlementLineOut),
            (200, CSV): OpenApiTypes.STR,
        },
        examples=[schemas.LINES],
    )
    def get(self, request: MerchantRequest, settlement_id: str) -> HttpResponseBase:
        """What the settlement consists of, newest first; as CSV all of it in the order of booking, without pages."""
        query = request._request.GET
        settlement = settlement_row(request.caller, settlement_id)
        if request.accepted_media_type == CSV:
            if paging := {"limit", "cursor"} & query.keys():
                errors = {name: ["CSV has no pages."] for name in paging}
                raise InvalidRequest(f"Not right: {', '.join(sorted(paging))}.", fields=errors)
            return statement_answer(settlement, "csv")
        page = read_page(query)
        rows = page.of(settlement_lines(settlement.pk))
        return answer(page.answer(rows, [line_json(row, settlement.currency) for row in rows[: page.limit]]))


class _Pdf(BaseRenderer):
    media_type, format, charset = PDF, "pdf", None


class _Xlsx(BaseRenderer):
    media_type, format, charset = XLSX, "xlsx", None


class SettlementStatement(MerchantView):
    required_scopes = {"GET": Scope.SETTLEMENT_READ}
    renderer_classes = [_Pdf, _Xlsx, CsvRenderer]

    @extend_schema(
        operation_id="getSettlementStatement",
        parameters=[OpenApiParameter("format", enum=sorted(FORMATS), description="Or by Accept. Default: pdf.")],
        responses={(200, media_type): OpenApiTypes.BINARY for media_type in (PDF, XLSX, CSV)},
    )
    def get(self, request: MerchantRequest, settlement_id: str) -> FileResponse | StreamingHttpResponse | HttpResponse:
        """The settlement as a document: PDF, XLSX or CSV."""
        settlement = settlement_row(request.caller, settlement_id)
        return statement_answer(settlement, str(request.accepted_renderer.format))


class TransactionMoney(MerchantView):
    more_errors = {"GET": ("409",)}  # before it is captured, and for transfers
    required_scopes = {"GET": Scope.SETTLEMENT_READ}

    @extend_schema(operation_id="getTransactionMoney", responses={200: schemas.MoneyOut}, examples=[schemas.MONEY])
    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        """Where the money of a payment is: each step from the payer to you, proven or expected by a day. 409 before it is captured, and for transfers."""
        row = transaction_row(request.caller, transaction_id, "id", "status", "merchant__time_zone")
        today = timezone.localtime(timezone.now(), ZoneInfo(row.merchant__time_zone)).date()
        way = ways_of([row.id], today=today).get(row.id)
        if way is None:
            raise InvalidState("No provider has taken money for this transaction.", status=row.status)
        return answer(way_json(way))
