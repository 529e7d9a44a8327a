"""The console's site: every page runs in the operator's own time zone, and every refused attempt is in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import lru_cache, update_wrapper
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

from common.audit import record_action
from common.changes import Actor
from common.console.find import find
from common.models.audit import OPERATOR

ZONE_COOKIE = "console_zone"  # the browser's own zone, set by console.js


def operator(request: HttpRequest) -> Actor:
    """Who acts, as the audit shows it."""
    username = request.user.get_username()
    return Actor(name=f"{OPERATOR}{username}"[:120], request_id=getattr(request, "request_id", ""))


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def operator_zone(request: HttpRequest) -> tzinfo:
    """The zone that the browser named, else the office's (settings.TIME_ZONE)."""
    named = unquote(request.COOKIES.get(ZONE_COOKIE, ""))
    return ZoneInfo(named) if named in _zones() else timezone.get_default_timezone()


class ConsoleSite(UnfoldAdminSite):
    """The only admin site; config.apps.ConsoleConfig makes it the default one."""

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., HttpResponse]:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with timezone.override(operator_zone(request)):
                try:
                    response: HttpResponseBase = view(request, *args, **kwargs)
                except PermissionDenied:
                    _record_refusal(request)
                    raise
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # here, while the zone is set
                return response

        guarded_view: Callable[..., HttpResponse] = super().admin_view(update_wrapper(guarded, view), cacheable)
        return guarded_view

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What the box of every page shows for the term `s`."""
        term = request.GET.get("s", "")
        results = find(self, self.get_sidebar_list(request), request, term)
        return TemplateResponse(
            request, "unfold/helpers/command_results.html", {"results": results, "term": term.strip()}
        )


def _record_refusal(request: HttpRequest) -> None:
    match = request.resolver_match
    object_id = str(match.kwargs.get("object_id", "")) if match else ""
    record_action(
        actor=operator(request),
        action="console.refused",
        subject_type="console",
        subject_id=object_id[:40],
        now=timezone.now(),
        changes={"method": request.method, "path": request.path[:500]},
    )
