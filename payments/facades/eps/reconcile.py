"""`GET /eps/reconcile`: the transactions that a merchant asked for on one of its days, in its own time zone, with totals.

JSON comes in pages of 500 lines in order of creation; the totals are always the whole day's. CSV has the whole day in one stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpResponse, StreamingHttpResponse

from common.money import Money
from common.spreadsheets import csv_lines, safe_cell
from merchants.api.rendering import instant
from merchants.selectors import EpsMerchant
from payments.facades.eps.checksum import CHECKSUM, RESPONSE, checksum
from payments.facades.eps.codes import SUCCESS, code_of
from payments.facades.eps.messages import secrets_of
from payments.models import Payment, Transaction
from payments.models.transaction import Channel
from payments.services.reconciled import reconciliation_states

PAGE_SIZE = 500
COLUMNS = (
    "TRANS_ID",
    "PAYMENT_TRANS_ID",
    "AMOUNT",
    "STATUS",
    "STATUS_CODE",
    "PAYMENT_MODE",
    "APPROVAL_CODE",
    "BANK_REFERENCE",
    "FEE",
    "REFUNDED",
    "CREATED_AT",
    "PAID_AT",
    "RECONCILIATION",
)
_NUMERIC = ("AMOUNT", "FEE", "REFUNDED")


def page_answer(merchant: EpsMerchant, day: date, page: int) -> HttpResponse:
    """One page as JSON. CHECKSUM covers the fields outside TRANSACTIONS; epic-v1: STATUS AMOUNT."""
    totals = _totals(merchant, day)
    first = (page - 1) * PAGE_SIZE
    lines = list(_lines(list(_payments(merchant, day)[first : first + PAGE_SIZE])))
    fields = {
        "STATUS": SUCCESS.status,
        "STATUS_CODE": SUCCESS.code,
        "STATUS_MESSAGE": "Reconciliation",
        "MERCHANT_CODE": merchant.code,
        "DATE": day.isoformat(),
        "PAGE": str(page),
        "PAGES": str(-(-int(totals["COUNT"]) // PAGE_SIZE) or 1),
        **totals,
    }
    fields[CHECKSUM] = checksum(fields, secrets_of(merchant), joined=RESPONSE)
    return HttpResponse(orjson.dumps(fields | {"TRANSACTIONS": lines}), content_type="application/json")


def csv_answer(merchant: EpsMerchant, day: date) -> StreamingHttpResponse:
    """The whole day as CSV (RFC 4180): header, lines, a line of totals that begins with TOTAL."""
    response = StreamingHttpResponse(csv_lines(_csv_rows(merchant, day)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{merchant.code}-{day.isoformat()}.csv"'
    return response


def _csv_rows(merchant: EpsMerchant, day: date) -> Iterator[Sequence[str]]:
    yield COLUMNS
    payments = _payments(merchant, day).iterator(chunk_size=PAGE_SIZE)
    while page := list(islice(payments, PAGE_SIZE)):
        for line in _lines(page):
            yield [_cell(name, text) for name, text in line.items()]
    totals = _totals(merchant, day)
    total = {"TRANS_ID": "TOTAL", "PAYMENT_TRANS_ID": totals["COUNT"], **{name: totals[name] for name in _NUMERIC}}
    yield [total.get(name, "") for name in COLUMNS]


def _cell(name: str, text: str) -> str:
    """A spreadsheet must not take text for a formula; columns of numbers stay numbers."""
    return text if name in _NUMERIC else safe_cell(text)


def _lines(payments: Sequence[Payment]) -> Iterator[dict[str, str]]:
    """One for each payment; how they stand with the provider's statements is asked once for all."""
    states = reconciliation_states([payment.pk for payment in payments])
    for payment in payments:
        yield _line(payment) | {"RECONCILIATION": states[payment.pk]}


def _line(payment: Payment) -> dict[str, str]:
    transaction = payment.transaction
    code = code_of(transaction)
    return {
        "TRANS_ID": transaction.external_reference or "",
        "PAYMENT_TRANS_ID": payment.payment_trans_id,
        "AMOUNT": str(transaction.amount),
        "STATUS": code.status,
        "STATUS_CODE": code.code,
        "PAYMENT_MODE": "fpx1" if payment.business_banking else transaction.method,
        "APPROVAL_CODE": payment.approval_code,
        "BANK_REFERENCE": payment.bank_reference,
        "FEE": str(Money(payment.fee_minor, payment.currency)),
        "REFUNDED": str(Money(transaction.amount_refunded_minor, transaction.currency)),
        "CREATED_AT": instant(transaction.created_at) or "",
        "PAID_AT": instant(payment.paid_at) or "",
    }


def _day(merchant: EpsMerchant, day: date) -> tuple[datetime, datetime]:
    """The first moment of the day and of the next one: 23 to 25 hours apart where clocks change."""
    zone = ZoneInfo(merchant.time_zone)
    return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)


def _transactions(merchant: EpsMerchant, day: date) -> QuerySet[Transaction]:
    since, until = _day(merchant, day)
    return Transaction.objects.filter(
        merchant_id=merchant.id,
        live=merchant.live,
        channel=Channel.EPS,
        currency=merchant.currency,
        created_at__gte=since,
        created_at__lt=until,
    )


def _payments(merchant: EpsMerchant, day: date) -> QuerySet[Payment]:
    """The last attempt of each transaction, in order of creation."""
    return (
        Payment.objects.filter(transaction__in=_transactions(merchant, day))
        .select_related("transaction")
        .order_by("transaction__created_at", "transaction_id", "-attempt")
        .distinct("transaction__created_at", "transaction_id")
    )


def _totals(merchant: EpsMerchant, day: date) -> dict[str, str]:
    found: dict[str, Any] = _transactions(merchant, day).aggregate(
        count=Count("pk"),
        amount=Sum("amount_minor"),
        paid_count=Count("pk", filter=Q(amount_captured_minor__gt=0)),
        paid=Sum("amount_captured_minor"),
        refunded=Sum("amount_refunded_minor"),
    )
    fee = Payment.objects.filter(transaction__in=_transactions(merchant, day)).aggregate(fee=Sum("fee_minor"))["fee"]

    def money(minor: int | None) -> str:
        return str(Money(int(minor or 0), merchant.currency))

    return {
        "COUNT": str(found["count"]),
        "AMOUNT": money(found["amount"]),
        "PAID_COUNT": str(found["paid_count"]),
        "PAID_AMOUNT": money(found["paid"]),
        "FEE": money(fee),
        "REFUNDED": money(found["refunded"]),
    }
