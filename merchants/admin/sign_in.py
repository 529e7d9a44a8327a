"""What guessing a console password meets: a limit for its address, a lock for name and address, and a higher one for the name alone.

Without the first, one address could make us hash passwords for any number of names; without the last, one name could be guessed from any
number of addresses. The last is high, because whoever knows a name can run into it on purpose.

The audit log has each sign-in, and each wrong password for a name that there is: at most as many as the locks let through. What a stranger typed
as a name is in no record that stays, for it may be a password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from common.audit import record_action
from common.changes import Actor
from common.models.audit import OPERATOR
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

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **signal: Any) -> None:
        super().user_logged_in(sender, request, user, **signal)
        _record(request, user, "operator.signed_in", f"{OPERATOR}{user.get_username()}"[:120])

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any
    ) -> None:
        behind_a_lock = getattr(request, "axes_locked_out", False)
        super().user_login_failed(sender, credentials, request, **signal)
        if request is None or behind_a_lock:  # no password was looked at
            return
        user = User.objects.filter(username=get_client_username(request, credentials)).first()
        if user is not None:
            _record(request, user, "operator.sign_in_failed", "stranger", locked=self.is_locked(request, credentials))


def _record(request: HttpRequest, user: User, action: str, actor: str, **more: Any) -> None:
    record_action(
        actor=Actor(actor, request_id=getattr(request, "request_id", "")),
        action=action,
        subject_type="operator",
        subject_id=str(user.pk),
        now=timezone.now(),
        changes={"username": user.get_username(), "address": client_address(request), **more},
    )


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
