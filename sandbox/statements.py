"""`GET /{provider}/statements/{day}`: the day's statement file, in each provider's own format.

Only money that moved is in it. The trailer's sums are plain sums of the columns above it, whatever their currencies.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from common.money import Money
from sandbox.books import entries, parse_day
from sandbox.clock import local
from sandbox.faults import faulty
from sandbox.fpx.messages import CODES
from sandbox.records import Entry, Kind

_FPX = "TXN_TYPE,SELLER_ID,FPX_TXN_ID,SELLER_EX_ORDER_NO,TXN_TIME,BUYER_BANK,CURRENCY,AMOUNT,FEE,NET,STATUS"
_MIGS = "TYPE,MERCHANT_ID,TRANSACTION_NO,MERCH_TXN_REF,ORDER_INFO,TIME,CARD_TYPE,CURRENCY,GROSS,MDR,NET,RESPONSE_CODE"
_FPX_TYPES = {Kind.CHARGE: "PAYMENT", Kind.REFUND: "REFUND"}
_MIGS_TYPES = {Kind.CHARGE: "PURCHASE", Kind.CAPTURE: "CAPTURE", Kind.REFUND: "REFUND"}
_MOVES_MONEY = frozenset(_MIGS_TYPES)


@faulty("fpx")
@require_GET
def fpx_statement(request: HttpRequest, day: str) -> HttpResponse:
    def line(entry: Entry, money: list[str]) -> list[str]:
        names = [_FPX_TYPES[entry.kind], entry.account, entry.number, entry.reference]
        return [*names, _time(entry), entry.instrument, *money, CODES[entry.verdict]]

    return _file("fpx", day, request.GET.get("seller", ""), _FPX, line)


@faulty("migs")
@require_GET
def migs_statement(request: HttpRequest, day: str) -> HttpResponse:
    def line(entry: Entry, money: list[str]) -> list[str]:
        names = [_MIGS_TYPES[entry.kind], entry.account, entry.number, entry.reference, entry.order_info]
        return [*names, _time(entry), entry.instrument, *money, "0"]

    return _file("migs", day, request.GET.get("merchant", ""), _MIGS, line)


def _file(
    provider: str, day: str, account: str, header: str, line: Callable[[Entry, list[str]], list[str]]
) -> HttpResponse:
    try:
        found = entries(provider=provider, day=parse_day(day), account=account)
    except ValueError:
        return JsonResponse({"error": "The day has to be YYYY-MM-DD."}, status=400)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["H", provider.upper(), account or "ALL", day])
    writer.writerow(header.split(","))
    count, sums = 0, [Decimal("0.00")] * 3
    for entry in found:
        if entry.approved and entry.kind in _MOVES_MONEY:
            money = _money(entry)
            writer.writerow(line(entry, [entry.amount.currency, *map(str, money)]))
            count, sums = count + 1, [total + part.decimal() for total, part in zip(sums, money, strict=True)]
    writer.writerow(["T", count, *sums])
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")


def _money(entry: Entry) -> tuple[Money, Money, Money]:
    """Amount, fee and net, as the merchant's account sees them: a refund is negative."""
    amount = -entry.amount if entry.kind is Kind.REFUND else entry.amount
    fee = Money(entry.fee_minor, entry.amount.currency)
    return amount, fee, amount - fee


def _time(entry: Entry) -> str:
    return local(entry.at).isoformat(timespec="seconds")
