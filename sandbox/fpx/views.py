"""FPX's pages: AR and the bank page for the payer, AE, BE, RF and RE for the seller's server."""

from __future__ import annotations

import time
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from common.money import InvalidAmount, Money, UnknownCurrency
from sandbox.accounts import account_details
from sandbox.books import ReferenceTaken, entry_find, operate, turned_away
from sandbox.faults import faulty
from sandbox.forms import BadForm, fields_of, nvp
from sandbox.fpx import keys, messages
from sandbox.fpx.banks import banks_of
from sandbox.fpx.peer import PEER
from sandbox.orders import order_by_token, order_decide, order_find, order_place, order_suspend, outcome
from sandbox.records import Kind, Order, Verdict
from sandbox.triggers import Trigger, trigger_of

_AR = [
    "fpx_msgType",
    "fpx_msgToken",
    "fpx_sellerExId",
    "fpx_sellerExOrderNo",
    "fpx_sellerTxnTime",
    "fpx_sellerOrderNo",
    "fpx_sellerId",
    "fpx_sellerBankCode",
    "fpx_txnCurrency",
    "fpx_txnAmount",
    "fpx_buyerEmail",
    "fpx_buyerName",
    "fpx_buyerBankId",
    "fpx_buyerBankBranch",
    "fpx_buyerAccNo",
    "fpx_buyerId",
    "fpx_makerName",
    "fpx_buyerIban",
    "fpx_productDesc",
    "fpx_version",
]
_RF = [
    "fpx_msgType",
    "fpx_msgToken",
    "fpx_sellerExId",
    "fpx_sellerExOrderNo",
    "fpx_sellerTxnTime",
    "fpx_sellerId",
    "fpx_orgSellerExOrderNo",
    "fpx_orgFpxTxnId",
    "fpx_txnAmount",
    "fpx_txnCurrency",
    "fpx_version",
]
_BE = ["fpx_msgToken", "fpx_msgType", "fpx_sellerExId", "fpx_version"]


class Refused(Exception):
    """The message is not a genuine, complete FPX message of a seller we know."""


def _message(request: HttpRequest, names: list[str], types: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """The fields of a genuine message and its seller's account. Raises Refused."""
    try:
        fields = fields_of(request)
    except BadForm as exc:
        raise Refused(f"The message cannot be read: {exc}.") from exc
    if set(fields) != {*names, "fpx_checkSum"} or fields["fpx_msgType"] not in types:
        raise Refused("Fields are missing, or there are some too many.")
    seller_id = fields.get("fpx_sellerId") or f"SE{fields['fpx_sellerExId'][2:]}"
    try:
        account = account_details(provider="fpx", account_id=seller_id)
    except LookupError as exc:
        raise Refused("The seller is unknown.") from exc
    if account.get("exchangeId") != fields["fpx_sellerExId"]:
        raise Refused("The seller does not belong to this exchange.")
    if not keys.genuine(fields, public_key=account["publicKey"], hash_name=account["signatureHash"]):
        raise Refused("The checksum is wrong.")
    return fields, account


def _amount(fields: Mapping[str, str]) -> Money:
    try:
        amount = Money.parse(fields["fpx_txnAmount"], fields["fpx_txnCurrency"])
    except (InvalidAmount, UnknownCurrency) as exc:
        raise Refused("The amount cannot be read.") from exc
    if amount.currency != "MYR" or amount.minor <= 0:
        raise Refused("FPX moves positive amounts in MYR.")
    return amount


@faulty("fpx")
@require_POST
def receive_order(request: HttpRequest) -> HttpResponse:
    """AR: the payer arrives."""
    try:
        fields, _ = _message(request, _AR, ("AR",))
        amount = _amount(fields)
        if trigger_of(amount) is Trigger.ERROR_BEFORE:
            return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
        order = order_place(
            PEER, account=fields["fpx_sellerId"], reference=fields["fpx_sellerExOrderNo"], amount=amount, request=fields
        )
    except (Refused, ReferenceTaken) as exc:
        return render(
            request, "sandbox/error.html", {"title": "FPX cannot take this order", "why": str(exc)}, status=400
        )
    return _page(request, order)


def _page(request: HttpRequest, order: Order) -> HttpResponse:
    if outcome(PEER, order, kind=Kind.CHARGE) is not None or order.state == "pending":
        return _back(request, order)
    banks = [
        {"code": code, "name": name, "online": online}
        for code, (name, online) in banks_of(order.request["fpx_msgToken"]).items()
    ]
    chosen = order.request["fpx_buyerBankId"]
    context = {
        "title": "FPX",
        "payee": order.request["fpx_sellerId"],
        "what": order.request["fpx_productDesc"],
        "reference": order.request["fpx_sellerOrderNo"],
        "amount": order.amount,
        "action": f"/fpx/pay/{order.token}",
        "banks": [] if chosen else banks,
        "bank": next((bank["name"] for bank in banks if bank["code"] == chosen), chosen),
    }
    return render(request, "sandbox/pay.html", context)


@faulty("fpx")
@require_POST
def decide(request: HttpRequest, token: str) -> HttpResponse:
    """The payer's word on the bank's page."""
    order = order_by_token(PEER, token=token)
    if order is None:
        return render(request, "sandbox/error.html", {"title": "There is no such order", "why": ""}, status=404)
    decision = request.POST.get("decision", "")
    if decision not in ("approve", "decline"):
        return render(request, "sandbox/error.html", {"title": "Approve or decline?", "why": ""}, status=400)
    bank = order.request["fpx_buyerBankId"] or request.POST.get("bank", "")
    if bank == "TEST0003":
        order_suspend(order)
    elif order.state == "open":
        order_decide(PEER, order, _verdict(order, bank, decision), kind=Kind.CHARGE, instrument=bank)
    if trigger_of(order.amount) is Trigger.SILENT or bank == "TEST0003":
        context = {"title": "The bank is taking longer than usual", "why": "You may close this page."}
        return render(request, "sandbox/error.html", context, status=504)
    return _back(request, order)


def _verdict(order: Order, bank: str, decision: str) -> Verdict:
    banks = banks_of(order.request["fpx_msgToken"])
    if bank not in banks:
        return Verdict.BANK_UNKNOWN
    if not banks[bank][1]:
        return Verdict.BANK_OFFLINE
    if bank == "TEST0002":
        return Verdict.DECLINED
    match trigger_of(order.amount):
        case Trigger.DECLINED:
            return Verdict.DECLINED
        case Trigger.INSUFFICIENT_FUNDS:
            return Verdict.INSUFFICIENT_FUNDS
        case Trigger.NONE if decision == "decline" and bank != "TEST0001":
            return Verdict.CANCELLED
    return Verdict.APPROVED


def _back(request: HttpRequest, order: Order) -> HttpResponse:
    """AC indirect: a form that the payer's browser posts to the seller."""
    account = account_details(provider="fpx", account_id=order.account)
    fields = keys.signed(messages.ac(order.request, outcome(PEER, order, kind=Kind.CHARGE)), account["signatureHash"])
    context = {"title": "Back to the shop", "action": account["indirectUrl"], "fields": fields.items()}
    return render(request, "sandbox/back.html", context)


@faulty("fpx")
@require_POST
def enquire(request: HttpRequest) -> HttpResponse:
    """AE: what became of an order."""
    try:
        fields, account = _message(request, _AR, ("AE",))
    except Refused:
        return HttpResponse("ERROR", content_type="text/plain")
    order = order_find(PEER, account=fields["fpx_sellerId"], reference=fields["fpx_sellerExOrderNo"])
    if order is None:
        return nvp(keys.signed(messages.ac(fields, None, undecided=messages.NOT_FOUND), account["signatureHash"]))
    return nvp(
        keys.signed(messages.ac(order.request, outcome(PEER, order, kind=Kind.CHARGE)), account["signatureHash"])
    )


@faulty("fpx")
@require_POST
def bank_list(request: HttpRequest) -> HttpResponse:
    """BE."""
    try:
        fields, account = _message(request, _BE, ("BE",))
    except Refused:
        return HttpResponse("ERROR", content_type="text/plain")
    return nvp(keys.signed(messages.bc(fields), account["signatureHash"]))


@faulty("fpx")
@require_POST
def refund(request: HttpRequest) -> HttpResponse:
    """RF: pay money back; RE: what became of it."""
    try:
        fields, account = _message(request, _RF, ("RF", "RE"))
        amount = _amount(fields)
    except Refused:
        return HttpResponse("ERROR", content_type="text/plain")
    seller, reference = fields["fpx_sellerId"], fields["fpx_sellerExOrderNo"]
    if fields["fpx_msgType"] == "RE":
        entry = entry_find(provider="fpx", account=seller, reference=reference)
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
        return HttpResponse("ERROR", content_type="text/plain")
    if trigger is Trigger.SILENT:
        time.sleep(settings.SILENCE_SECONDS)
        return HttpResponse(status=504)
    return nvp(keys.signed(messages.rc(fields, entry), account["signatureHash"]))
