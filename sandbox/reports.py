"""What the providers believe happened: the books as JSON, and the day's statement file in each provider's format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from common.money import Money
from sandbox.books import entries, parse_day
from sandbox.clock import local
from sandbox.faults import PROVIDERS, faulty
from sandbox.fpx.messages import CODES as FPX_CODES
from sandbox.records import Entry, Kind

_MOVES_MONEY = frozenset({Kind.CHARGE, Kind.CAPTURE, Kind.REFUND})
_BOOK_KINDS = {Kind.CAPTURE: "charge"}  # the contract's four kinds: a capture is a charge of what was held


@require_GET
def books(request: HttpRequest, provider: str) -> HttpResponse:
    """`{"entries": [...]}`, oldest first; `?date=` a provider's day, `?reference=` one reference."""
    if provider not in PROVIDERS:
        return JsonResponse({"error": f"There is no provider {provider}."}, status=404)
    day, reference = request.GET.get("date", ""), request.GET.get("reference", "")
    try:
        found = entries(provider=provider, day=parse_day(day) if day else "", reference=reference)
    except ValueError:
        return JsonResponse({"error": "date has to be YYYY-MM-DD."}, status=400)
    return JsonResponse({"entries": [_book_entry(entry) for entry in found]})


def _book_entry(entry: Entry) -> dict[str, str]:
    return {
        "reference": entry.reference,
        "providerReference": entry.number,
        "kind": _BOOK_KINDS.get(entry.kind, entry.kind.value),
        "amount": str(entry.amount),
        "currency": entry.amount.currency,
        "status": entry.status,
        "at": local(entry.at).isoformat(),
    }


@faulty("fpx")
@require_GET
def fpx_statement(request: HttpRequest, day: str) -> HttpResponse:
    header = [
        "TXN_TYPE",
        "SELLER_ID",
        "FPX_TXN_ID",
        "SELLER_EX_ORDER_NO",
        "TXN_TIME",
        "BUYER_BANK",
        "CURRENCY",
        "AMOUNT",
        "FEE",
        "NET",
        "STATUS",
    ]

    def line(entry: Entry, amount: Money, fee: Money) -> list[str]:
        kind = "REFUND" if entry.kind is Kind.REFUND else "PAYMENT"
        place = [entry.account, entry.number, entry.reference, local(entry.at).isoformat(timespec="seconds")]
        money = [entry.amount.currency, str(amount), str(fee), str(amount - fee)]
        return [kind, *place, entry.instrument, *money, FPX_CODES[entry.verdict]]

    return _statement("fpx", day, request.GET.get("seller", ""), header, line)


@faulty("migs")
@require_GET
def migs_statement(request: HttpRequest, day: str) -> HttpResponse:
    header = [
        "TYPE",
        "MERCHANT_ID",
        "TRANSACTION_NO",
        "MERCH_TXN_REF",
        "ORDER_INFO",
        "TIME",
        "CARD_TYPE",
        "CURRENCY",
        "GROSS",
        "MDR",
        "NET",
        "RESPONSE_CODE",
    ]
    types = {Kind.CHARGE: "PURCHASE", Kind.CAPTURE: "CAPTURE", Kind.REFUND: "REFUND"}

    def line(entry: Entry, amount: Money, fee: Money) -> list[str]:
        place = [
            entry.account,
            entry.number,
            entry.reference,
            entry.order_info,
            local(entry.at).isoformat(timespec="seconds"),
        ]
        money = [entry.amount.currency, str(amount), str(fee), str(amount - fee)]
        return [types[entry.kind], *place, entry.instrument, *money, "0"]

    return _statement("migs", day, request.GET.get("merchant", ""), header, line)


def _statement(
    provider: str, day: str, account: str, header: list[str], line: Callable[[Entry, Money, Money], list[str]]
) -> HttpResponse:
    try:
        found = entries(provider=provider, day=parse_day(day), account=account)
    except ValueError:
        return JsonResponse({"error": "The day has to be YYYY-MM-DD."}, status=400)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["H", provider.upper(), account or "ALL", day])
    writer.writerow(header)
    count = gross = fees = 0
    for entry in found:
        if not entry.approved or entry.kind not in _MOVES_MONEY:
            continue
        sign = -1 if entry.kind is Kind.REFUND else 1
        amount = Money(sign * entry.amount.minor, entry.amount.currency)
        writer.writerow(line(entry, amount, Money(entry.fee_minor, entry.amount.currency)))
        count, gross, fees = count + 1, gross + amount.minor, fees + entry.fee_minor
    writer.writerow(["T", count, *[str(Money(minor, "MYR")) for minor in (gross, fees, gross - fees)]])
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
