"""`GET /transactions` with `Accept: text/csv`: all that the filters let through, streamed, newest first.

The rows come from a cursor in the database, so a year of transactions needs no more memory than a page. Amounts are exact decimals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict, StreamingHttpResponse

from common.errors import InvalidRequest
from common.money import Money
from common.spreadsheets import csv_lines, safe_cell
from merchants.api.rendering import instant
from payments.api.v1.filters import PAGING
from payments.models import Transaction
from payments.selectors import transaction_rows

COLUMNS = (
    "id",
    "status",
    "paymentTypeId",
    "amount",
    "amountCaptured",
    "amountRefunded",
    "currencyCode",
    "description",
    "externalReference",
    "failureCode",
    "failureReason",
    "createdAt",
    "updatedAt",
    "expiresAt",
)
_CHUNK = 500


def csv_answer(transactions: QuerySet[Transaction], query: QueryDict) -> StreamingHttpResponse:
    """The filtered transactions as CSV. Raises InvalidRequest (limit and cursor are for pages)."""
    if paging := PAGING & query.keys():
        errors = {name: ["CSV has no pages; use filters."] for name in paging}
        raise InvalidRequest(f"Not right: {', '.join(sorted(paging))}.", fields=errors)
    response = StreamingHttpResponse(csv_lines(_rows(transactions)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="transactions.csv"'
    return response


def _rows(transactions: QuerySet[Transaction]) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for row in transaction_rows(transactions).order_by("-created_at", "-id").iterator(chunk_size=_CHUNK):
        yield _cells(row)


def _cells(row: Any) -> tuple[str, ...]:
    return (
        row.id,
        row.status,
        row.method,
        str(Money(row.amount_minor, row.currency)),
        str(Money(row.amount_captured_minor, row.currency)),
        str(Money(row.amount_refunded_minor, row.currency)),
        row.currency,
        safe_cell(row.description),
        safe_cell(row.external_reference or ""),
        row.failure_code,
        safe_cell(row.failure_reason),
        instant(row.created_at) or "",
        instant(row.updated_at) or "",
        instant(row.expires_at) or "",
    )
