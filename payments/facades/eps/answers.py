"""What `/eps` answers: the same fields in the same order every time, signed with the merchant's scheme, in the form that was asked for.

STATUS, STATUS_CODE, STATUS_MESSAGE, PAYMENT_TRANS_ID, APPROVAL_CODE, TRANS_ID, AMOUNT, CHECKSUM, and REDIRECT_URL when the payer has to
go somewhere (S0; contracts section 5). A field that has no value yet is empty. epic-v2 signs all of them, epic-v1 TRANS_ID STATUS AMOUNT.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from common.cards import contains_card_number
from merchants.api.form_body import FORM
from merchants.selectors import EpsMerchant
from payments.facades.eps.checksum import CHECKSUM, RESPONSE, checksum
from payments.facades.eps.codes import Code, code_of
from payments.facades.eps.messages import AMOUNT, TRANS_ID, secrets_of
from payments.models import Payment, Transaction
from payments.services.pay_links import pay_url
from payments.states import TransactionStatus

JSON = "application/json"
HTML = "text/html"
_ECHOED = {"TRANS_ID": TRANS_ID, "AMOUNT": AMOUNT}


def state_of(transaction: Transaction, payment: Payment, merchant: EpsMerchant) -> dict[str, str]:
    """The signed answer that tells the state of a transaction."""
    redirect_url = pay_url(transaction.pk) if transaction.status == TransactionStatus.PENDING else ""
    return _signed(
        code_of(transaction),
        merchant,
        payment_trans_id=payment.payment_trans_id,
        approval_code=payment.approval_code,
        trans_id=transaction.external_reference or "",
        amount=str(transaction.amount),
        redirect_url=redirect_url,
    )


def refusal(code: Code, message: str, merchant: EpsMerchant | None, fields: Mapping[str, str]) -> dict[str, str]:
    """The answer to a message that had no effect. Signed, and with the caller's own values, only for a caller we know."""
    told = Code(code.code, code.status, message or code.message)
    if merchant is None:
        return _unsigned(told)
    return _signed(told, merchant, trans_id=_repeatable(fields, "TRANS_ID"), amount=_repeatable(fields, "AMOUNT"))


def _repeatable(fields: Mapping[str, str], name: str) -> str:
    """The caller's own value, unless it is not what belongs there: that is never sent back."""
    value = fields.get(name, "")
    return value if _ECHOED[name].fullmatch(value) and not contains_card_number(value) else ""


def _unsigned(
    code: Code, *, payment_trans_id: str = "", approval_code: str = "", trans_id: str = "", amount: str = ""
) -> dict[str, str]:
    return {
        "STATUS": code.status,
        "STATUS_CODE": code.code,
        "STATUS_MESSAGE": code.message,
        "PAYMENT_TRANS_ID": payment_trans_id,
        "APPROVAL_CODE": approval_code,
        "TRANS_ID": trans_id,
        "AMOUNT": amount,
        CHECKSUM: "",
    }


def _signed(code: Code, merchant: EpsMerchant, *, redirect_url: str = "", **values: str) -> dict[str, str]:
    fields = _unsigned(code, **values)
    if redirect_url:
        fields["REDIRECT_URL"] = redirect_url
    fields[CHECKSUM] = checksum(fields, secrets_of(merchant), joined=RESPONSE)
    return fields


def respond(request: HttpRequest, fields: Mapping[str, str], *, status: int = 200, page: str = "") -> HttpResponse:
    """The answer in the form that the caller's Accept prefers: JSON, a form, or for a browser the `page` to go to, else one to read."""
    try:
        preferred = request.get_preferred_type([JSON, FORM, HTML])
    except ValueError:  # an Accept that cannot be decoded (RFC 2231) asks for nothing
        preferred = JSON
    match preferred:
        case "text/html" if page:
            return HttpResponseRedirect(page, status=303)
        case "text/html":
            context = {"title": fields["STATUS"], "message": fields["STATUS_MESSAGE"], "code": fields["STATUS_CODE"]}
            return render(request, "pay/message.html", context, status=status)
        case "application/x-www-form-urlencoded":
            return HttpResponse(urlencode(fields), content_type=FORM, status=status)
        case _:
            return HttpResponse(orjson.dumps(dict(fields)), content_type=JSON, status=status)
