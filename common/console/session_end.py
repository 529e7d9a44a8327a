"""A session of the console ends so long after signing in, however busy it was (settings.CONSOLE_SESSION_SECONDS)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

SIGNED_IN_AT = "signed_in_at"  # in the session: epoch seconds


def note_sign_in(*, request: HttpRequest, **_signal: Any) -> None:
    """Receiver of user_logged_in."""
    request.session[SIGNED_IN_AT] = timezone.now().timestamp()


class SessionEndMiddleware:
    """Signs out who signed in too long ago, or nobody knows when, before a page of the console is looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/admin/") and SESSION_KEY in request.session:
            age = timezone.now().timestamp() - request.session.get(SIGNED_IN_AT, 0)
            if age > settings.CONSOLE_SESSION_SECONDS:
                logout(request)
        return self.get_response(request)
