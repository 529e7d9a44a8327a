"""The payer's pages: `/pay/{token}` leads to the provider or tells the result, `/pay/return/{provider}` is where the payer comes back.

They work without JavaScript and load nothing from elsewhere. Nothing here changes a payment but the provider's own signed message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

import structlog
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from common.database import AWAY
from common.errors import CounterfoilError, Unauthorized
from payments.callbacks.intake import receive
from payments.models import Payment
from payments.pay.returns import MerchantReturn, merchant_return
from payments.providers.registry import PROVIDERS
from payments.services.pay_links import pay_url, transaction_of
from payments.states import TransactionStatus as T

log = structlog.get_logger(__name__)

Page = Callable[..., HttpResponse]

# The forms of these pages lead to providers and merchants anywhere, so form-action stays open; scripts and styles are ours alone.
_POLICY = {
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "form-action": ["'self'", "https:", "http:"],
}

_RESULTS = {
    T.AUTHORIZED: ("good", "Payment approved", "The amount is reserved. The merchant will complete your order."),
    T.COMPLETED: ("good", "Paid", "Thank you. Your payment was received."),
    T.PARTIALLY_REFUNDED: ("good", "Paid, partly refunded", "Part of the amount was given back to you."),
    T.REFUNDED: ("good", "Refunded", "The amount was given back to you."),
    T.FAILED: ("bad", "Payment declined", "No money was taken."),
    T.CANCELLED: ("bad", "Payment cancelled", "No money was taken."),
    T.EXPIRED: ("bad", "Time has run out", "The payment was not finished in time. Please start again at the merchant."),
}
# Also for a payer whose time is over before the provider was asked a last time: the money may be on its way.
_CHECKING = ("wait", "Being checked", "We are asking your bank about this payment. Please do not pay again.")
_REASONS = {
    "INSUFFICIENT_FUNDS": "There is not enough money on the account. No money was taken.",
    "INVALID_CARD": "The card was refused. No money was taken.",
    "CANCELLED_BY_PAYER": "You cancelled the payment. No money was taken.",
    "LIMIT_EXCEEDED": "The amount is above a limit of your bank. No money was taken.",
}


def _page(view: Page) -> Page:
    """Private to this payer, and polite when something is wrong."""

    @wraps(view)
    def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except CounterfoilError as exc:
            response = _message(request, "This did not work", "Please go back to the merchant's page.", exc.status)
        except AWAY as exc:
            log.error("pay.database_away", error=type(exc).__name__)
            response = _message(request, "Please wait a moment", "Reload this page in a minute.", 503)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        return response

    return cast(Page, csp_replace(_POLICY)(serve))


@_page
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Send the payer to the provider, or tell what became of the payment."""
    if request.method not in ("GET", "HEAD"):
        return _message(request, "This did not work", "Please open the link again.", 405, allow="GET, HEAD")
    transaction_id = transaction_of(token)
    if transaction_id is None:
        return _message(request, "No such payment", "Please check the link, or go back to the merchant's page.", 404)
    payment = _payment(transaction_id)
    expires_at = payment.transaction.expires_at
    if payment.transaction.status != T.PENDING or expires_at is None or timezone.now() >= expires_at:
        return _result(request, payment)
    action = payment.next_action or {}
    if action["method"] == "GET":
        return HttpResponseRedirect(f"{action['url']}?{urlencode(action['fields'])}", status=303)
    return render(request, "pay/redirect.html", {"payment": payment, "action": action})


@csrf_exempt  # FPX lets the payer's browser post; the message is authentic by its signature
@_page
def provider_return(request: HttpRequest, provider: str) -> HttpResponse:
    """Take in the message that the payer's browser brings back, then send the payer on."""
    if provider not in PROVIDERS or request.method not in ("GET", "POST"):
        return _message(request, "No such page", "Please go back to the merchant's page.", 404)
    received = receive(request)
    if not received.verified:
        raise Unauthorized(received.note)
    payment = received.payment()
    if payment is None:  # kept, and looked at again: it may have overtaken our own commit
        return _message(request, "Being checked", "Please go back to the merchant's page.", 200)
    back = merchant_return(payment)
    if back is None:
        return HttpResponseRedirect(pay_url(payment.transaction_id), status=303)
    if back.method == "GET":
        return HttpResponseRedirect(back.url, status=303)
    return _result(request, payment, back=back, at_once=True)


def _payment(transaction_id: str) -> Payment:
    """The last attempt. A token that we signed names a transaction, and those are never deleted."""
    payments = Payment.objects.select_related("transaction__merchant").filter(transaction_id=transaction_id)
    return payments.order_by("-attempt")[:1].get()


def _result(
    request: HttpRequest, payment: Payment, *, back: MerchantReturn | None = None, at_once: bool = False
) -> HttpResponse:
    transaction = payment.transaction
    kind, title, text = _RESULTS.get(T(transaction.status), _CHECKING)
    if transaction.status == T.FAILED:
        text = _REASONS.get(transaction.failure_code, text)
    context = {
        "payment": payment,
        "kind": kind,
        "title": title,
        "text": text,
        "back": back or merchant_return(payment),
        "at_once": at_once,
    }
    return render(request, "pay/result.html", context)


def _message(request: HttpRequest, title: str, message: str, status: int, *, allow: str = "") -> HttpResponse:
    response = render(request, "pay/message.html", {"title": title, "message": message}, status=status)
    if allow:
        response["Allow"] = allow
    return response
