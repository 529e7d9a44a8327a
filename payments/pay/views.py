"""The payer's pages: `/pay/{token}` lets the payer choose, leads to the provider and tells the result; `/pay/return/{provider}` is where the
payer comes back.

They work without JavaScript and load nothing from elsewhere; a script only spares presses. The link is the payer's authority: its signed
token is a secret of payer and merchant, so the forms need no other. Nothing here changes a payment but a payer's choice, which opens
one, and the provider's own signed message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import structlog
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from common.changes import Actor
from common.database import AWAY
from common.errors import CounterfoilError, InvalidRequest, InvalidState, NotFound, Unauthorized, UnsupportedCurrency
from payments.callbacks.intake import receive
from payments.pay import pages
from payments.pay.languages import QUERY, language_of, remember
from payments.pay.offer import banks_for
from payments.pay.returns import merchant_return
from payments.pay.stages import Situation, Stage, situation_of
from payments.providers.registry import PROVIDERS
from payments.services.pages import page_ask_again, page_attempt
from payments.services.pay_links import pay_path, transaction_of

log = structlog.get_logger(__name__)

Page = Callable[..., HttpResponse]

# The forms of these pages lead to providers and merchants anywhere, so form-action stays open; scripts and styles are ours alone.
_POLICY = {
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "form-action": ["'self'", "https:", "http:"],
}


def _page(view: Page) -> Page:
    """Private to this payer, and polite when something is wrong."""

    @wraps(view)
    def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except CounterfoilError as exc:
            response = pages.message(request, "did_not_work", "go_back", exc.status)
        except AWAY as exc:
            log.error("pay.database_away", error=type(exc).__name__)
            response = pages.message(request, "away", "away_text", 503)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        remember(request, response)
        return response

    return cast(Page, csp_replace(_POLICY)(serve))


def _of_token(view: Page) -> Page:
    """Give the view the transaction that the token was made for."""

    @wraps(view)
    def serve(request: HttpRequest, token: str) -> HttpResponse:
        transaction_id = transaction_of(token)
        if transaction_id is None:
            return pages.message(request, "no_payment", "check_link", 404)
        return view(request, situation_of(transaction_id))

    return serve


@csrf_exempt  # who has the link may choose; who has not cannot forge it
@_page
@_of_token
def pay(request: HttpRequest, situation: Situation) -> HttpResponse:
    """Where the payer stands; by POST the payer's choice."""
    if request.method == "POST" and situation.transaction.hosted:
        return _decided(request, situation)
    if request.method not in ("GET", "HEAD"):
        return pages.message(request, "did_not_work", "open_again", 405, allow="GET, HEAD")
    return pages.show(request, situation, timezone.now())


@_page
@_of_token
def status(request: HttpRequest, situation: Situation) -> HttpResponse:
    """What the page's script asks every few seconds: whether there is something new, and how it is called. Nothing else is told."""
    stage = situation.stage(timezone.now())
    title = pages.title_of(situation, stage, language_of(request))
    return JsonResponse({"version": situation.transaction.version, "stage": stage.value, "title": title})


@_page
@_of_token
def receipt(request: HttpRequest, situation: Situation) -> HttpResponse:
    """For what was paid; anything else is told on the page itself."""
    if situation.transaction.status not in pages.RECEIPT_FOR:
        return _to_page(request, situation)
    return pages.receipt(request, situation)


@csrf_exempt  # FPX lets the payer's browser post; the message is authentic by its signature
@_page
def provider_return(request: HttpRequest, provider: str) -> HttpResponse:
    """Take in the message that the payer's browser brings back, then send the payer on."""
    if provider not in PROVIDERS or request.method not in ("GET", "POST"):
        return pages.message(request, "no_page", "go_back", 404)
    received = receive(request)
    if not received.verified:
        raise Unauthorized(received.note)
    payment = received.payment()
    if payment is None:  # kept, and looked at again: it may have overtaken our own commit
        return pages.message(request, "checking", "go_back", 200)
    situation = situation_of(payment.transaction_id)
    back = None if situation.transaction.hosted else merchant_return(situation)
    if back is None:
        return _to_page(request, situation)
    if back.method == "GET":
        return HttpResponseRedirect(back.url, status=303)
    return pages.result(request, situation, situation.stage(timezone.now()), back=back, at_once=True)


def _decided(request: HttpRequest, situation: Situation) -> HttpResponse:
    """The payer chose a method (and a bank), or would rather pay otherwise. Every answer leads to a page that may be reloaded."""
    transaction, now = situation.transaction, timezone.now()
    if "otherwise" in request.POST:
        page_ask_again(transaction_id=transaction.pk, now=now)
        return _to_page(request, situation, "asked")
    method, bank = request.POST.get("method", ""), request.POST.get("bank", "")
    problem = _problem_of(method, bank)
    if problem and situation.stage(now) is Stage.CHOOSE:
        return pages.show(request, situation, now, problem=problem, method=method, status=400)
    if not problem:
        try:
            page_attempt(
                transaction_id=transaction.pk,
                method=method,
                bank_code=bank,
                actor=Actor("payer", request_id=request.request_id),  # type: ignore[attr-defined]  # common.http
                now=now,
            )
        except (
            InvalidRequest,
            NotFound,
            UnsupportedCurrency,
        ):  # an account was closed meanwhile, or nobody offered this
            if situation.stage(now) is Stage.CHOOSE:
                return pages.show(request, situation, now, problem="method_gone", status=400)
        except InvalidState as exc:  # two tabs, a back button, the last second: the page tells where things stand
            log.info("pay.choice_refused", transaction=transaction.pk, reason=exc.message)
        else:
            return _to_page(request, situation, pages.GO)
    return _to_page(request, situation)


def _problem_of(method: str, bank: str) -> str:
    """What is wrong with the choice of a bank, as a key of the texts. Methods are judged where accounts are known."""
    banks = {shown.code: shown for shown in banks_for(method)}
    if bank not in banks and (bank or banks):
        return "bank_unknown"
    return "bank_offline" if bank and not banks[bank].online else ""


def _to_page(request: HttpRequest, situation: Situation, *marks: str) -> HttpResponse:
    language = request.GET.get(QUERY)
    query = "&".join([*(f"{mark}=1" for mark in marks), *([f"{QUERY}={language_of(request)}"] if language else [])])
    path = pay_path(situation.transaction.pk)
    return HttpResponseRedirect(f"{path}?{query}" if query else path, status=303)
