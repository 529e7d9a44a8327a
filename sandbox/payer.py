"""`POST /_payer`: a payer's browser, played with a real HTTP session. Only loopback is visited."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from sandbox.json_body import BadBody, json_body
from sandbox.loopback import is_loopback
from sandbox.page import Form

_TIMEOUT_SECONDS = 30
_STEPS = 20
_DECISIONS = ("approve", "decline", "cancel", "leave")
_BROWSING, _QUEUING = 16, 64  # a payer holds one thread and causes requests that need others
_browsing, _waiting_room = threading.BoundedSemaphore(_BROWSING), threading.BoundedSemaphore(_BROWSING + _QUEUING)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of the browser."""

    method: str
    url: str
    fields: Mapping[str, str]


@require_POST
def payer(request: HttpRequest) -> HttpResponse:
    """Do what a payer does from a `nextAction`; answer `{"finalUrl", "status"}` of where the browser ended.

    Status 0: nobody answered at that address. An address outside loopback is not visited: `status` is then the redirect's.
    """
    try:
        start, decision = _asked(json_body(request))
    except BadBody as exc:
        return JsonResponse({"error": str(exc)}, status=400)
    if not _waiting_room.acquire(blocking=False):
        return JsonResponse({"error": f"More than {_BROWSING + _QUEUING} payers at once; try again."}, status=503)
    try:
        with _browsing, requests.Session() as browser:
            browser.trust_env = False
            url, status = _walk(browser, start, decision)
    finally:
        _waiting_room.release()
    return JsonResponse({"finalUrl": url, "status": status})


def _asked(body: dict[str, Any]) -> tuple[Visit, str]:
    if "qr" in body:
        raise BadBody("This sandbox has no QR network yet; give a nextAction of type redirect.")
    action, decision = body.get("nextAction"), body.get("decision", "approve")
    if not isinstance(action, dict) or action.get("type", "redirect") != "redirect":
        raise BadBody('nextAction has to be an object {"type": "redirect", "method", "url", "fields"}.')
    if decision not in _DECISIONS:
        raise BadBody(f"decision is one of {', '.join(_DECISIONS)}.")
    method, url, fields = str(action.get("method", "GET")).upper(), action.get("url"), action.get("fields") or {}
    if method not in ("GET", "POST"):
        raise BadBody("nextAction.method is GET or POST.")
    if not isinstance(url, str) or not is_loopback(url):
        raise BadBody("nextAction.url has to be an http address on loopback: this payer goes nowhere else.")
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise BadBody("nextAction.fields has to be an object of strings.")
    return Visit(method, url, fields), decision


def _walk(browser: requests.Session, visit: Visit, decision: str) -> tuple[str, int]:
    """Visit after visit until a page leads nowhere. Returns its address and HTTP status."""
    status, decided = 0, False
    for _ in range(_STEPS):
        if not is_loopback(visit.url):
            return visit.url, status
        try:
            response = _open(browser, visit)
        except (requests.RequestException, ValueError):  # ValueError: requests cannot read a redirect's address
            return visit.url, 0
        status = response.status_code
        onward = _redirected(visit, response)
        if onward is None:
            form = _form(response)
            if form is None or form.action is None:
                return response.url, status
            if form.asks_decision:
                if decided or decision == "leave":
                    return response.url, status
                decided = True
                form.values["decision"] = decision
            elif not (form.values and form.only_hidden):
                return response.url, status
            onward = Visit(form.method, _joined(response.url, form.action), form.values)
        visit = onward
    return visit.url, status


def _open(browser: requests.Session, visit: Visit) -> requests.Response:
    return browser.request(
        visit.method,
        visit.url,
        params=visit.fields if visit.method == "GET" else None,
        data=visit.fields if visit.method == "POST" else None,
        timeout=_TIMEOUT_SECONDS,
        allow_redirects=False,
        headers={"Accept": "text/html,application/xhtml+xml"},
    )


def _redirected(visit: Visit, response: requests.Response) -> Visit | None:
    if not response.is_redirect:
        return None
    url = _joined(response.url, response.headers["Location"])
    again = response.status_code in (307, 308) and visit.method == "POST"
    return Visit("POST", url, visit.fields) if again else Visit("GET", url, {})


def _joined(page: str, link: str) -> str:
    """The address that `link` means on `page`; as it stands where it is none."""
    try:
        return urljoin(page, link)
    except ValueError:
        return link


def _form(response: requests.Response) -> Form | None:
    html = response.headers.get("Content-Type", "").startswith("text/html")
    return Form(response.text) if html and response.status_code < 400 else None
