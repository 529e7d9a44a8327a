"""What guessing a console password meets: a limit for its address, a lock for name and address, and a higher one for the name alone.

Without the first, one address could make us hash passwords for any number of names; without the last, one name could be guessed from any
number of addresses. The last is high, because whoever knows a name can run into it on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse

from merchants import rates
from merchants.api.addresses import client_address
from merchants.api.throttling import limit


class SignInHandler(AxesDatabaseHandler):
    """The lock of name and address (settings.AXES_FAILURE_LIMIT), and that of the name."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        if super().is_locked(request, credentials):
            return True
        attempts = AccessAttempt.objects.filter(
            username=get_client_username(request, credentials), attempt_time__gte=get_cool_off_threshold(request)
        )
        failures = attempts.aggregate(all=Sum("failures_since_start"))["all"] or 0
        return bool(failures >= settings.SIGN_IN_FAILURES_OF_A_NAME)


class SignInLimitMiddleware:
    """Counts who posts the sign-in form, by address, and answers 429 before a password is looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        match = request.resolver_match
        if request.method != "POST" or match is None or match.view_name != "admin:login":
            return None
        address = client_address(request)
        verdict = limit(
            scope=rates.SIGN_IN_ADDRESS, plan=rates.NO_PLAN, credential=f"console:{address}", address=address
        )
        if verdict.allowed:
            return None
        sentence = f"Too many attempts to sign in. Try again in {verdict.retry_after_seconds} seconds."
        return HttpResponse(sentence, status=429, headers=verdict.headers(), content_type="text/plain")
