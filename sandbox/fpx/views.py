"""FPX's pages: AR and the bank page for the payer, AE, BE, RF and RE for the seller's server."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from sandbox.accounts import account_details
from sandbox.books import ReferenceTaken, entry_find, operate, turned_away
from sandbox.faults import faulty
from sandbox.forms import nvp
from sandbox.fpx import keys, messages
from sandbox.fpx.banks import banks_of
from sandbox.fpx.peer import PEER
from sandbox.fpx.reading import Refused, amount_of, message_of
from sandbox.orders import (
    DECISIONS,
    order_by_token,
    order_decide,
    order_find,
    order_place,
    order_suspend,
    outcome,
    verdict_of,
)
from sandbox.records import Kind, Order, Verdict
from sandbox.silence import silence
from sandbox.triggers import Trigger, trigger_of


@faulty("fpx")
@require_POST
def receive_order(request: HttpRequest) -> HttpResponse:
    """AR: the payer arrives. A known order is shown as it is, never opened again."""
    try:
        fields, _ = message_of(request, "AR")
        amount = amount_of(fields)
        if trigger_of(amount) is Trigger.ERROR_BEFORE:
            return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
        order = order_place(
            PEER, account=fields["fpx_sellerId"], reference=fields["fpx_sellerExOrderNo"], amount=amount, request=fields
        )
    except Refused as exc:
        return _problem(request, "FPX cannot take this order", str(exc), 400)
    except ReferenceTaken:
        return _problem(request, "FPX cannot take this order", "The order number is that of a refund.", 400)
    return _page(request, order)


@faulty("fpx")
@require_http_methods(["GET", "POST"])
def bank_page(request: HttpRequest, token: str) -> HttpResponse:
    """The page that the payer sees, and the payer's word on it."""
    order = order_by_token(PEER, token=token)
    if order is None:
        return _problem(request, "There is no such order", "The address is wrong or very old.", 404)
    if request.method == "POST" and outcome(PEER, order, kind=Kind.CHARGE) is None:
        decision = request.POST.get("decision", "")
        bank = order.request["fpx_buyerBankId"] or request.POST.get("bank", "")
        if decision not in DECISIONS or not bank:
            return _problem(request, "Choose a bank, then approve or decline", "Go back and choose again.", 400)
        if bank == "TEST0003":
            order_suspend(order)
        else:
            order_decide(PEER, order, _verdict(order, bank, decision), kind=Kind.CHARGE, instrument=bank)
        order = order_by_token(PEER, token=token) or order
    return _page(request, order)


def _verdict(order: Order, bank: str, decision: str) -> Verdict:
    banks = banks_of(order.request["fpx_msgToken"])
    if bank not in banks:
        return Verdict.BANK_UNKNOWN
    if not banks[bank].online:
        return Verdict.BANK_OFFLINE
    if decision != "cancel" and bank in ("TEST0001", "TEST0002"):
        return Verdict.APPROVED if bank == "TEST0001" else Verdict.DECLINED
    return verdict_of(order.amount, decision)


def _page(request: HttpRequest, order: Order) -> HttpResponse:
    """Where the order stands, for the payer: the bank's question, nothing to be seen, or the way back with the AC indirect."""
    entry = outcome(PEER, order, kind=Kind.CHARGE)
    if order.state == "pending" or (entry is not None and trigger_of(order.amount) is Trigger.SILENT):
        return _problem(request, "The bank is taking longer than usual", "You may close this page.", 504)
    if entry is not None:
        account = account_details(provider="fpx", account_id=order.account)
        fields = keys.signed(messages.ac(order.request, entry), account["signatureHash"])
        context = {"title": "Back to the shop", "action": account["indirectUrl"], "fields": fields.items()}
        return render(request, "sandbox/back.html", context)
    banks = banks_of(order.request["fpx_msgToken"])
    chosen = order.request["fpx_buyerBankId"]
    question = {
        "title": "FPX bank transfer",
        "payee": order.account,
        "what": order.request["fpx_productDesc"],
        "reference": order.request["fpx_sellerOrderNo"],
        "amount": order.amount,
        "action": f"/fpx/pay/{order.token}",
        "banks": {} if chosen else banks,
        "bank": banks[chosen].name if chosen in banks else chosen,
    }
    return render(request, "sandbox/pay.html", question)


def _problem(request: HttpRequest, title: str, why: str, status: int) -> HttpResponse:
    return render(request, "sandbox/error.html", {"title": title, "why": why}, status=status)


def _error() -> HttpResponse:
    """FPX's whole answer to a message that it cannot take."""
    return HttpResponse("ERROR", content_type="text/plain")


@faulty("fpx")
@require_POST
def enquire(request: HttpRequest) -> HttpResponse:
    """AE: what became of an order."""
    try:
        fields, account = message_of(request, "AE")
    except Refused:
        return _error()
    order = order_find(PEER, account=fields["fpx_sellerId"], reference=fields["fpx_sellerExOrderNo"])
    if order is None:
        told = messages.ac(fields, None, undecided=messages.NOT_FOUND)
    else:
        told = messages.ac(order.request, outcome(PEER, order, kind=Kind.CHARGE))
    return nvp(keys.signed(told, account["signatureHash"]))


@faulty("fpx")
@require_POST
def bank_list(request: HttpRequest) -> HttpResponse:
    """BE."""
    try:
        fields, account = message_of(request, "BE")
    except Refused:
        return _error()
    return nvp(keys.signed(messages.bc(fields), account["signatureHash"]))


@faulty("fpx")
@require_POST
def refund(request: HttpRequest) -> HttpResponseBase:
    """RF: pay money back; RE: what became of it."""
    try:
        fields, account = message_of(request, "RF", "RE")
        amount = amount_of(fields)
    except Refused:
        return _error()
    seller, reference = fields["fpx_sellerId"], fields["fpx_sellerExOrderNo"]
    if fields["fpx_msgType"] == "RE":
        entry = entry_find(provider="fpx", account=seller, reference=reference)
        if entry is not None and entry.kind is not Kind.REFUND:
            return _error()
        return nvp(keys.signed(messages.rc(fields, entry), account["signatureHash"]))
    trigger = trigger_of(amount)
    if trigger is Trigger.ERROR_BEFORE and turned_away(provider="fpx", account=seller, reference=reference):
        return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
    try:
        entry = operate(
            PEER,
            account=seller,
            reference=reference,
            kind=Kind.REFUND,
            amount=amount,
            original_number=fields["fpx_orgFpxTxnId"],
            original_reference=fields["fpx_orgSellerExOrderNo"],
        )
    except ReferenceTaken:
        return _error()
    if trigger is Trigger.SILENT:
        return silence()
    return nvp(keys.signed(messages.rc(fields, entry), account["signatureHash"]))
