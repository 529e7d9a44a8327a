"""One page for each stage: what the template needs to show it. Reads; nothing here changes a payment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from payments.models import Transaction
from payments.pay.languages import QUERY, language_of
from payments.pay.offer import Choice, bank_name, banks_for, choices_for
from payments.pay.qr import image_of, qr_svg
from payments.pay.returns import MerchantReturn, merchant_return
from payments.pay.stages import Situation, Stage
from payments.pay.texts import LANGUAGES, has, say
from payments.providers.base import FailureCode
from payments.services.pay_links import pay_path
from payments.states import TransactionStatus as T

GO = "go"  # in the address: the payer has just chosen, and is sent on without another press
_PAID = (T.COMPLETED, T.PARTIALLY_REFUNDED, T.REFUNDED)
_GOOD = (T.AUTHORIZED, *_PAID)
RECEIPT_FOR = _GOOD
_FOLLOWED = (Stage.GO, Stage.SCAN, Stage.SCANNED, Stage.CHECKING)
_CONTINUE = {"fpx": "continue_bank", "migs": "continue_card"}


def show(request: HttpRequest, situation: Situation, now: datetime, **more: Any) -> HttpResponse:
    """The page of the stage that the payer is at."""
    stage = situation.stage(now)
    page: Callable[..., HttpResponse] = _PAGES[stage]
    return page(request, situation, stage, **more)


def message(request: HttpRequest, title: str, text: str, status: int, *, allow: str = "") -> HttpResponse:
    """A page about no payment; `title` and `text` are keys of the texts."""
    language = language_of(request)
    told = {"title": say(language, title), "message": say(language, text)}
    response = render(request, "pay/message.html", _page(request) | told, status=status)
    if allow:
        response["Allow"] = allow
    return response


def title_of(situation: Situation, stage: Stage, language: str) -> str:
    """What the page of this stage is headed, for the page itself and for the script that follows it."""
    declined = stage is Stage.CHOOSE and situation.payment is not None
    failed = stage is Stage.ENDED and situation.transaction.status == T.FAILED
    match stage:
        case _ if declined or failed:
            by_payer = (
                situation.payment is not None and situation.payment.failure_code == FailureCode.CANCELLED_BY_PAYER
            )
            return say(language, "cancelled" if by_payer else "failed")
        case Stage.ENDED:
            return say(language, situation.transaction.status.lower())
        case _:
            return say(language, _TITLES[stage])


def result(
    request: HttpRequest,
    situation: Situation,
    stage: Stage,
    *,
    back: MerchantReturn | None = None,
    at_once: bool = False,
) -> HttpResponse:
    """How it ended, or that nobody knows yet. `at_once`: the form back to the merchant is sent by itself."""
    language = language_of(request)
    transaction = situation.transaction
    status = T(transaction.status)
    kind, text = "wait", say(language, "late_text" if stage is Stage.LATE else "checking_text")
    if stage is Stage.OVER:
        kind, text = "bad", say(language, "expired_text")
    elif stage is Stage.ENDED:
        kind = "good" if status in _GOOD else "bad"
        text = say(language, f"{status.lower()}_text") if has(f"{status.lower()}_text") else say(language, "no_money")
        if status is T.FAILED and (why := why_of(situation, language)):
            text = f"{why} {text}"
    context = {
        "kind": kind,
        "text": text,
        "back": back or merchant_return(situation),
        "at_once": at_once,
        "receipt": stage is Stage.ENDED and status in RECEIPT_FOR,
    }
    return _render(request, "pay/result.html", situation, stage, context)


def why_of(situation: Situation, language: str) -> str:
    """Why the last payment was declined, "" if nobody said."""
    code = situation.payment.failure_code if situation.payment else ""
    key = f"why_{code.lower()}"
    return say(language, key) if code and has(key) else ""


def receipt(request: HttpRequest, situation: Situation) -> HttpResponse:
    """Everything that proves the payment, for paper."""
    transaction, payment = situation.transaction, situation.payment
    context = {
        "title": say(language_of(request), "receipt"),
        "at": (payment.paid_at if payment else None) or transaction.updated_at,  # reserved only: nothing is paid yet
        "bank": bank_name(payment.method, payment.bank_code) if payment else "",
    }
    return _render(request, "pay/receipt.html", situation, Stage.ENDED, context)


def _choose(
    request: HttpRequest, situation: Situation, stage: Stage, *, problem: str = "", method: str = "", status: int = 200
) -> HttpResponse:
    """The methods; or the banks of one, where it was chosen or is the only one. `problem` is a key of the texts."""
    choices = choices_for(situation)
    method = method or request.GET.get("method", "")
    chosen = next((choice for choice in choices if choice.method == method and choice.lists_banks), None)
    if chosen is None and len(choices) == 1 and choices[0].lists_banks:
        chosen = choices[0]
    context: dict[str, Any] = {"choices": choices, "problem": problem, "back": merchant_return(situation)}
    if situation.payment is not None:
        context["why"] = why_of(situation, language_of(request))
        context["tries_left"] = situation.tries_left
    if chosen is not None:
        return _render(request, "pay/banks.html", situation, stage, context | _banks(request, chosen), status=status)
    template = "pay/choose.html" if choices else "pay/no_method.html"
    return _render(request, template, situation, stage, context, status=status)


def _banks(request: HttpRequest, chosen: Choice) -> dict[str, Any]:
    query = request.GET.get("q", "").strip()[:60]
    banks = banks_for(chosen.method, query)
    return {
        "chosen": chosen,
        "banks": banks,
        "query": query,
        "found": sum(bank.found for bank in banks),
        "all_offline": not any(bank.online for bank in banks),
    }


def _go(request: HttpRequest, situation: Situation, stage: Stage, **_: Any) -> HttpResponse:
    """To the provider: at once where the payer has just chosen (or never had a choice), else by a press."""
    action, transaction = situation.action, situation.transaction
    at_once = not transaction.hosted or GO in request.GET
    if at_once and action["method"] == "GET":
        fields = urlencode(action["fields"])
        return HttpResponseRedirect(f"{action['url']}?{fields}" if fields else action["url"], status=303)
    method = situation.payment.method if situation.payment else ""
    context = {
        "action": action,
        "at_once": at_once,
        "continue": _CONTINUE.get(method, "continue_other"),
        "asked": "asked" in request.GET,
    }
    return _render(request, "pay/go.html", situation, stage, context)


def _scan(request: HttpRequest, situation: Situation, stage: Stage, **_: Any) -> HttpResponse:
    action = situation.action
    image = image_of(action)
    context = {
        "image": image,
        "drawn": "" if image or stage is Stage.SCANNED else qr_svg(action["payload"]),
        "payload": action["payload"],
        "until": situation.scan_until,
        "asked": "asked" in request.GET,
    }
    return _render(request, "pay/scan.html", situation, stage, context)


def _render(
    request: HttpRequest,
    template: str,
    situation: Situation,
    stage: Stage,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    page = _page(request) | {
        "transaction": situation.transaction,
        "payment": situation.payment,
        "amount_minor": _amount_of(situation.transaction),
        "zone": situation.transaction.merchant.time_zone,
        "title": title_of(situation, stage, language_of(request)),
        "stage": stage.value,
        "path": pay_path(situation.transaction.pk),
        "followed": stage in _FOLLOWED,
    }
    return render(request, template, page | dict(context), status=status)


def _amount_of(transaction: Transaction) -> int:
    """What was paid, which may be less than what was reserved; before that, what is to be paid."""
    return transaction.amount_captured_minor if transaction.status in _PAID else transaction.amount_minor


def _page(request: HttpRequest) -> dict[str, Any]:
    """What every page shows: its language, and the same page in the others."""
    language = language_of(request)
    return {
        "language": language,
        "languages": [(code, name, _in(request, code)) for code, name in LANGUAGES.items()],
    }


def _in(request: HttpRequest, language: str) -> str:
    query = request.GET.copy()
    query.pop(GO, None)
    query[QUERY] = language
    return f"?{query.urlencode()}"


_TITLES = {
    Stage.CHOOSE: "choose",
    Stage.GO: "waiting",
    Stage.SCAN: "scan",
    Stage.SCANNED: "qr_over",
    Stage.CHECKING: "checking",
    Stage.LATE: "checking",
    Stage.OVER: "expired",
}
_PAGES: Mapping[Stage, Callable[..., HttpResponse]] = {
    Stage.CHOOSE: _choose,
    Stage.GO: _go,
    Stage.SCAN: _scan,
    Stage.SCANNED: _scan,
    Stage.CHECKING: result,
    Stage.LATE: result,
    Stage.OVER: result,
    Stage.ENDED: result,
}
