"""Middleware: request ids, one log line and one count for everything, and the page middlewares (sessions, CSRF, ...) only for pages that people use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import cast

import structlog
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import Histogram

from common.cards import contains_card_number
from common.ids import new_id

GetResponse = Callable[[HttpRequest], HttpResponse]
log = structlog.get_logger(__name__)
REQUEST_SECONDS = Histogram(
    "counterfoil_http_request_seconds",
    "Requests by route; the count is the number of requests.",
    ["method", "route", "status"],
    buckets=(0.01, 0.05, 0.1, 0.5, 2.0, 10.0),
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_QUIET = {"healthz", "readyz", "metrics"}  # asked every few seconds by machines
_MAX_BODY_BYTES = 64 * 1024
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """`request.request_id`: the caller's X-Request-Id if it is sane, else ours; on every log line and response.

    Also logs and counts each request once, by its route and never by its path or query, which may hold tokens.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        sane = _SANE.fullmatch(given) and not contains_card_number(given)  # it is kept in many places
        request_id = given if sane else new_id("req")
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        seconds = time.perf_counter() - began
        route = request.resolver_match.route if request.resolver_match else "(none)"
        method = request.method if request.method in _METHODS else "(other)"
        REQUEST_SECONDS.labels(method, route, response.status_code).observe(seconds)
        if route not in _QUIET:
            log.info("http.request", method=method, route=route, status=response.status_code, seconds=round(seconds, 4))
        return response


class PagesOnlyMiddleware:
    """Runs settings.PAGE_MIDDLEWARE for pages; requests below settings.API_PREFIXES go straight to their view."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        pages: GetResponse = get_response
        self._view_middleware: list[Callable[..., HttpResponse | None]] = []
        for name in reversed(settings.PAGE_MIDDLEWARE):
            middleware = import_string(name)(pages)
            if hasattr(middleware, "process_view"):
                self._view_middleware.insert(0, middleware.process_view)
            pages = cast(GetResponse, convert_exception_to_response(middleware))
        self._pages = pages

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(settings.API_PREFIXES):
            return self.get_response(request)
        request._is_page = True  # type: ignore[attr-defined]
        return self._pages(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        if not getattr(request, "_is_page", False):
            return None
        for process in self._view_middleware:
            response = process(request, view, args, kwargs)
            if response is not None:
                return response
        return None


class BodyLimitMiddleware:
    """Refuses what no form of ours sends before anything reads it: a body without a length, and one above 64 KiB from who may not upload.

    Looking for the CSRF token parses a form, and Django writes each file of a form to the disk, whoever sends it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or ""
        if not length and "HTTP_TRANSFER_ENCODING" in request.META:
            return HttpResponse("Send the body with its length.", status=411, content_type="text/plain")
        small = not length or (length.isascii() and length.isdigit() and int(length[:20]) <= _MAX_BODY_BYTES)
        if small or (request.path_info.startswith("/admin/") and request.user.is_staff and length.isdigit()):
            return self.get_response(request)
        return HttpResponse("The body is too large.", status=413, content_type="text/plain")


class ConsolePolicyMiddleware:
    """Lets the console's theme evaluate scripts; every other page keeps the strict Content-Security-Policy."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            response._csp_update = settings.CONSOLE_CSP  # type: ignore[attr-defined]
        return response
