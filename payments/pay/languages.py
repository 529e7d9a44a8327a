"""Which language a payer reads: the one chosen on the page (address, then cookie), else the first of the browser's that we speak."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation.trans_real import parse_accept_lang_header

from payments.pay.texts import LANGUAGES

COOKIE = "pay_language"
QUERY = "lang"
_A_YEAR = 365 * 24 * 3600


def language_of(request: HttpRequest) -> str:
    """One of LANGUAGES."""
    for chosen in (request.GET.get(QUERY, ""), request.COOKIES.get(COOKIE, "")):
        if chosen in LANGUAGES:
            return chosen
    for wanted, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")[:500].lower()):
        if (spoken := wanted.split("-")[0]) in LANGUAGES:
            return spoken
    return "en"


def remember(request: HttpRequest, response: HttpResponse) -> None:
    """Keep a choice made on the page: it has to outlive the visit to the bank."""
    if (chosen := request.GET.get(QUERY, "")) in LANGUAGES and request.COOKIES.get(COOKIE) != chosen:
        response.set_cookie(
            COOKIE, chosen, max_age=_A_YEAR, path="/pay/", secure=request.is_secure(), httponly=True, samesite="Lax"
        )
