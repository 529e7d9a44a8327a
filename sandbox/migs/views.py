"""MIGS's pages: vpcpay and the card page for the payer, vpcdps for the merchant's server."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from common.money import Money, UnknownCurrency, exponent
from sandbox.accounts import account_details
from sandbox.books import ReferenceTaken, entry_find, operate, root_of, totals, turned_away
from sandbox.faults import faulty
from sandbox.forms import BadForm, fields_of, nvp
from sandbox.migs import messages
from sandbox.migs.hashing import genuine, signed
from sandbox.migs.peer import PEER, opening_kind
from sandbox.orders import order_by_token, order_decide, order_find, order_place, outcome
from sandbox.records import Kind, Order, Verdict
from sandbox.triggers import Trigger, trigger_of

_COMMANDS = {"capture": Kind.CAPTURE, "refund": Kind.REFUND, "voidAuthorisation": Kind.VOID}


class Refused(Exception):
    """The message is not a genuine one of a merchant we know."""


def _account(fields: Mapping[str, str]) -> dict[str, str]:
    """The account of a genuine message. Raises Refused."""
    try:
        account = account_details(provider="migs", account_id=fields.get("vpc_Merchant", ""))
    except LookupError as exc:
        raise Refused("E5008: Merchant is unknown") from exc
    if not genuine(fields, account["secureSecret"]):
        raise Refused("E5009: Secure hash is wrong")
    if not _same(fields.get("vpc_AccessCode", ""), account["accessCode"]):
        raise Refused("E5010: Access code is wrong")
    return account


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _amount(fields: Mapping[str, str]) -> Money:
    text, currency = fields.get("vpc_Amount", ""), fields.get("vpc_Currency", "")
    try:
        exponent(currency)
    except UnknownCurrency as exc:
        raise Refused("E5011: Currency is unknown") from exc
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) > 0):
        raise Refused("E5012: Amount is invalid")
    return Money(int(text), currency)


@faulty("migs")
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest) -> HttpResponse:
    """The payer arrives."""
    try:
        fields = fields_of(request)
        account = _account(fields)
        amount = _amount(fields)
        reference = fields.get("vpc_MerchTxnRef", "")
        if fields.get("vpc_Command") != "pay" or not reference or not fields.get("vpc_ReturnURL"):
            raise Refused("E5000: Required fields are missing")
        if urlsplit(fields["vpc_ReturnURL"]).scheme not in ("http", "https"):
            raise Refused("E5013: Return address is invalid")
        if trigger_of(amount) is Trigger.ERROR_BEFORE:
            return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
        order = order_place(PEER, account=fields["vpc_Merchant"], reference=reference, amount=amount, request=fields)
    except (Refused, ReferenceTaken, BadForm) as exc:
        return render(
            request, "sandbox/error.html", {"title": "This order cannot be taken", "why": str(exc)}, status=400
        )
    if outcome(PEER, order, kind=opening_kind(account)) is not None:
        return _back(order)
    context = {
        "title": "Card payment",
        "payee": order.account,
        "what": order.request.get("vpc_OrderInfo", ""),
        "reference": order.reference,
        "amount": order.amount,
        "action": f"/migs/pay/{order.token}",
        "cards": [
            {"code": "VC", "name": "Test Visa ending 4242"},
            {"code": "MC", "name": "Test Mastercard ending 4444"},
        ],
    }
    return render(request, "sandbox/pay.html", context)


@faulty("migs")
@require_POST
def decide(request: HttpRequest, token: str) -> HttpResponse:
    """The payer's word on the card page."""
    order = order_by_token(PEER, token=token)
    if order is None:
        return render(request, "sandbox/error.html", {"title": "There is no such order", "why": ""}, status=404)
    decision = request.POST.get("decision", "")
    if decision not in ("approve", "decline"):
        return render(request, "sandbox/error.html", {"title": "Approve or decline?", "why": ""}, status=400)
    card = "MC" if request.POST.get("card") == "MC" else "VC"
    if order.state == "open":
        account = account_details(provider="migs", account_id=order.account)
        order_info = order.request.get("vpc_OrderInfo", "")
        kind = opening_kind(account)
        order_decide(PEER, order, _verdict(order, decision), kind=kind, instrument=card, order_info=order_info)
    if trigger_of(order.amount) is Trigger.SILENT:
        context = {"title": "The gateway is taking longer than usual", "why": "You may close this page."}
        return render(request, "sandbox/error.html", context, status=504)
    return _back(order)


def _verdict(order: Order, decision: str) -> Verdict:
    match trigger_of(order.amount):
        case Trigger.DECLINED:
            return Verdict.DECLINED
        case Trigger.INSUFFICIENT_FUNDS:
            return Verdict.INSUFFICIENT_FUNDS
        case Trigger.NONE if decision == "decline":
            return Verdict.CANCELLED
    return Verdict.APPROVED


def _back(order: Order) -> HttpResponse:
    """The payer's browser goes back to the merchant with the signed result."""
    account = account_details(provider="migs", account_id=order.account)
    entry = outcome(PEER, order, kind=opening_kind(account))
    if entry is None:  # only called once the order has ended
        raise LookupError(order.reference)
    fields = signed(messages.result(order.account, entry), account["secureSecret"])
    url = order.request["vpc_ReturnURL"]
    return HttpResponseRedirect(f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}")


@faulty("migs")
@require_POST
def operate_command(request: HttpRequest) -> HttpResponse:
    """vpcdps: queryDR, capture, refund, voidAuthorisation."""
    fields: dict[str, str] = {}
    try:
        fields = fields_of(request)
        account = _account(fields)
    except (Refused, BadForm) as exc:
        return nvp(messages.refused(fields, str(exc)))  # unsigned: there is no secret to sign with
    try:
        known = _same(fields.get("vpc_User", ""), account["amaUser"])
        if not (known and _same(fields.get("vpc_Password", ""), account["amaPassword"])):
            raise Refused("E5014: User or password is wrong")
        if fields.get("vpc_Command") == "queryDR":
            answer = _query(fields, account)
        elif fields.get("vpc_Command") in _COMMANDS:
            amount = _amount(fields)
            trigger = trigger_of(amount)
            if trigger is Trigger.ERROR_BEFORE and turned_away(
                provider="migs", account=fields["vpc_Merchant"], reference=fields.get("vpc_MerchTxnRef", "")
            ):
                return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
            answer = _act(fields, amount)
            if trigger is Trigger.SILENT:
                time.sleep(settings.SILENCE_SECONDS)
                return HttpResponse(status=504)
        else:
            raise Refused("E5015: Command is unknown")
    except (Refused, ReferenceTaken) as exc:
        answer = messages.refused(fields, str(exc))
    return nvp(signed(answer, account["secureSecret"]))


def _query(fields: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    merchant, reference = fields["vpc_Merchant"], fields.get("vpc_MerchTxnRef", "")
    order = order_find(PEER, account=merchant, reference=reference)
    if order is not None:
        entry = outcome(PEER, order, kind=opening_kind(account))
    else:
        entry = entry_find(provider="migs", account=merchant, reference=reference)
    if entry is None:
        none = messages.refused(fields, "No such transaction, or not finished")
        return {**none, "vpc_DRExists": "N", "vpc_FoundMultipleDRs": "N"}
    return {
        **messages.with_totals(messages.result(merchant, entry), totals(root_of(entry))),
        "vpc_DRExists": "Y",
        "vpc_FoundMultipleDRs": "N",
    }


def _act(fields: Mapping[str, str], amount: Money) -> dict[str, str]:
    if not fields.get("vpc_MerchTxnRef") or not fields.get("vpc_TransNo"):
        raise Refused("E5000: Required fields are missing")
    entry = operate(
        PEER,
        account=fields["vpc_Merchant"],
        reference=fields["vpc_MerchTxnRef"],
        kind=_COMMANDS[fields["vpc_Command"]],
        amount=amount,
        original_number=fields["vpc_TransNo"],
    )
    return messages.with_totals(messages.result(fields["vpc_Merchant"], entry), totals(root_of(entry)))
