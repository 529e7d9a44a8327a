"""The bank's two routes: `GET /bank/statements/{day}` and `POST /bank/payments`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from sandbox.bank.books import bank_day, pay_out
from sandbox.bank.camt import camt053
from sandbox.bank.mt940 import mt940
from sandbox.bank.pain import BadMessage, read
from sandbox.bank.records import ACCOUNTS
from sandbox.books import parse_day
from sandbox.clock import local, utc_now
from sandbox.faults import faulty


@faulty("bank")
@require_GET
def statement(request: HttpRequest, day: str) -> HttpResponse:
    """The statement of all accounts, or of `?account=`; camt.053, or `?format=mt940`."""
    account, format_ = request.GET.get("account", ""), request.GET.get("format", "camt053")
    try:
        parse_day(day)
    except ValueError:
        return JsonResponse({"error": "The day has to be YYYY-MM-DD."}, status=400)
    if account and account not in ACCOUNTS:
        return JsonResponse({"error": f"There is no account {account}."}, status=404)
    if format_ not in ("camt053", "mt940"):
        return JsonResponse({"error": "format is camt053 or mt940."}, status=400)
    days = [bank_day(account=each, day=day) for each in ([account] if account else ACCOUNTS)]
    if format_ == "mt940":
        return HttpResponse(mt940(days), content_type="text/plain; charset=utf-8")
    created_at = f"{day}T23:59:59+08:00"  # the same bytes for the same entries
    return HttpResponse(camt053(days, created_at=created_at), content_type="application/xml; charset=utf-8")


@faulty("bank")
@require_POST
def payments(request: HttpRequest) -> HttpResponse:
    """Take in a payment message (pain.001). The same message again books nothing a second time."""
    try:
        message = read(request.body)
    except BadMessage as exc:
        return JsonResponse({"status": "RJCT", "error": str(exc)}, status=400)
    booked = sum(
        pay_out(account=account, message_id=message.message_id, orders=orders)
        for account, orders in message.orders.items()
    )
    orders = sum(map(len, message.orders.values()))
    return JsonResponse(
        {
            "status": "ACCP",
            "messageId": message.message_id,
            "booked": booked,
            "repeated": orders - booked,
            "day": local(utc_now()).date().isoformat(),
        },
        status=202,
    )
