"""MIGS's pages: vpcpay and the card page for the payer, vpcdps for the merchant's server."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from common.money import Money
from sandbox.accounts import account_details
from sandbox.books import ReferenceTaken, entry_find, operate, root_of, totals, turned_away
from sandbox.faults import faulty
from sandbox.forms import BadForm, fields_of, nvp
from sandbox.migs import messages
from sandbox.migs.hashing import signed
from sandbox.migs.peer import PEER, opening_kind
from sandbox.migs.reading import Refused, account_of, amount_of, return_url_check, user_check
from sandbox.orders import DECISIONS, order_by_token, order_decide, order_find, order_place, outcome, verdict_of
from sandbox.records import Kind, Order
from sandbox.silence import silence
from sandbox.triggers import Trigger, trigger_of

_COMMANDS = {"capture": Kind.CAPTURE, "refund": Kind.REFUND, "voidAuthorisation": Kind.VOID}
_CARDS = {
    "VC": "Visa test card ending 4242",
    "MC": "Mastercard test card ending 4444",
    "AE": "Amex test card ending 0005",
}


@faulty("migs")
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest) -> HttpResponse:
    """The payer arrives. A known order is shown as it is, never opened again."""
    try:
        fields = fields_of(request)
        account = account_of(fields)
        amount = amount_of(fields)
        return_url_check(fields)
        if fields.get("vpc_Command") != "pay":
            raise Refused("E5015: Command is unknown")
        if trigger_of(amount) is Trigger.ERROR_BEFORE:
            return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
        order = order_place(
            PEER, account=fields["vpc_Merchant"], reference=fields["vpc_MerchTxnRef"], amount=amount, request=fields
        )
    except (Refused, BadForm) as exc:
        return _problem(request, "This order cannot be taken", str(exc), 400)
    except ReferenceTaken:
        return _problem(request, "This order cannot be taken", "The reference is that of another command.", 400)
    return _page(request, order, account)


@faulty("migs")
@require_http_methods(["GET", "POST"])
def card_page(request: HttpRequest, token: str) -> HttpResponse:
    """The page that the payer sees, and the payer's word on it."""
    order = order_by_token(PEER, token=token)
    if order is None:
        return _problem(request, "There is no such order", "The address is wrong or very old.", 404)
    account = account_details(provider="migs", account_id=order.account)
    kind = opening_kind(account)
    if request.method == "POST" and outcome(PEER, order, kind=kind) is None:
        decision, card = request.POST.get("decision", ""), request.POST.get("card", "VC")
        if decision not in DECISIONS or card not in _CARDS:
            return _problem(request, "Choose a card, then approve or decline", "Go back and choose again.", 400)
        verdict = verdict_of(order.amount, decision)
        order_info = order.request.get("vpc_OrderInfo", "")
        order_decide(PEER, order, verdict, kind=kind, instrument=card, order_info=order_info)
    return _page(request, order, account)


def _page(request: HttpRequest, order: Order, account: Mapping[str, str]) -> HttpResponse:
    """Where the order stands, for the payer: the card page, nothing to be seen, or the way back with the signed result."""
    entry = outcome(PEER, order, kind=opening_kind(account))
    if entry is not None:
        if trigger_of(order.amount) is Trigger.SILENT:
            return _problem(request, "The gateway is taking longer than usual", "You may close this page.", 504)
        fields = signed(messages.result(order.account, entry), account["secureSecret"])
        url = order.request["vpc_ReturnURL"]
        return HttpResponseRedirect(f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}")
    context = {
        "title": "Card payment",
        "payee": order.account,
        "what": order.request.get("vpc_OrderInfo", ""),
        "reference": order.reference,
        "amount": order.amount,
        "action": f"/migs/pay/{order.token}",
        "cards": _CARDS,
    }
    return render(request, "sandbox/pay.html", context)


def _problem(request: HttpRequest, title: str, why: str, status: int) -> HttpResponse:
    return render(request, "sandbox/error.html", {"title": title, "why": why}, status=status)


@faulty("migs")
@require_POST
def command(request: HttpRequest) -> HttpResponseBase:
    """vpcdps: queryDR, capture, refund, voidAuthorisation."""
    fields: dict[str, str] = {}
    try:
        fields = fields_of(request)
        account = account_of(fields)
    except (Refused, BadForm) as exc:
        return nvp(messages.refused(fields, str(exc)))  # unsigned: whoever asks has not shown to know the secret
    try:
        user_check(fields, account)
        if fields.get("vpc_Command") == "queryDR":
            answer = _query(fields, account)
        elif fields.get("vpc_Command") in _COMMANDS:
            amount = amount_of(fields)
            trigger = trigger_of(amount)
            if trigger is Trigger.ERROR_BEFORE and turned_away(
                provider="migs", account=fields["vpc_Merchant"], reference=fields["vpc_MerchTxnRef"]
            ):
                return HttpResponse("Internal Server Error", status=500, content_type="text/plain")
            answer = _act(fields, amount)
            if trigger is Trigger.SILENT:
                return silence()
        else:
            raise Refused("E5015: Command is unknown")
    except Refused as exc:
        answer = messages.refused(fields, str(exc))
    except ReferenceTaken:
        answer = messages.refused(fields, "E5016: The merchant reference is that of another command")
    return nvp(signed(answer, account["secureSecret"]))


def _query(fields: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    merchant, reference = fields["vpc_Merchant"], fields["vpc_MerchTxnRef"]
    order = order_find(PEER, account=merchant, reference=reference)
    if order is None:
        entry = entry_find(provider="migs", account=merchant, reference=reference)
    else:
        entry = outcome(PEER, order, kind=opening_kind(account))
    if entry is not None:
        told = messages.with_totals(messages.result(merchant, entry), totals(root_of(entry)))
    elif order is not None:
        told = messages.pending(order)
    else:
        return {
            **messages.refused(fields, "No such transaction"),
            "vpc_DRExists": "N",
            "vpc_FoundMultipleDRs": "N",
        }
    return {**told, "vpc_DRExists": "Y", "vpc_FoundMultipleDRs": "N"}


def _act(fields: Mapping[str, str], amount: Money) -> dict[str, str]:
    if not fields.get("vpc_TransNo"):
        raise Refused("E5000: vpc_TransNo is missing")
    entry = operate(
        PEER,
        account=fields["vpc_Merchant"],
        reference=fields["vpc_MerchTxnRef"],
        kind=_COMMANDS[fields["vpc_Command"]],
        amount=amount,
        original_number=fields["vpc_TransNo"],
    )
    return messages.with_totals(messages.result(fields["vpc_Merchant"], entry), totals(root_of(entry)))
