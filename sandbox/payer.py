"""`POST /_payer`: a payer's browser, played with a real HTTP session. Only loopback is visited."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sandbox.json_body import BadBody, json_body

_TIMEOUT_SECONDS = 30
_STEPS = 8
_DECISIONS = ("approve", "decline", "leave")


class Form(HTMLParser):
    """The first form of a page: where it goes, its values as a browser would send them, and whether it asks for a decision."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.method = "get"
        self.values: dict[str, str] = {}
        self.asks_decision = False
        self._inside = self._done = False
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._done:
            self._inside, self.action, self.method = True, given.get("action", ""), given.get("method", "get").lower()
        if not self._inside:
            return
        name = given.get("name", "")
        if name == "decision":
            self.asks_decision = True
        elif tag == "input" and name and (given.get("type", "text") not in ("radio", "checkbox") or "checked" in given):
            self.values[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "disabled" not in given:
            self.values.setdefault(self._select, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "form" and self._inside:
            self._inside, self._done = False, True


@csrf_exempt
@require_POST
def payer(request: HttpRequest) -> HttpResponse:
    """Do what a payer does from a `nextAction`; answer `{"finalUrl", "status"}` of where the browser ended."""
    try:
        body = json_body(request)
        if "qr" in body:
            raise BadBody("This sandbox has no QR network yet.")
        action, decision = body.get("nextAction"), body.get("decision", "approve")
        if not isinstance(action, dict) or not isinstance(action.get("url"), str):
            raise BadBody("nextAction has to be an object with url, method and fields.")
        if decision not in _DECISIONS:
            raise BadBody(f"decision is one of {', '.join(_DECISIONS)}.")
        fields = action.get("fields") or {}
        if not isinstance(fields, dict):
            raise BadBody("nextAction.fields has to be an object.")
        method = str(action.get("method", "GET")).upper()
        with requests.Session() as browser:
            browser.trust_env = False
            return JsonResponse(
                _walk(browser, method, action["url"], {str(k): str(v) for k, v in fields.items()}, decision)
            )
    except BadBody as exc:
        return JsonResponse({"error": str(exc)}, status=400)
    except requests.RequestException as exc:
        return JsonResponse({"error": f"The browser got no answer: {type(exc).__name__}."}, status=502)


def _walk(browser: requests.Session, method: str, url: str, fields: dict[str, str], decision: str) -> dict[str, object]:
    response = _visit(browser, method, url, fields)
    decided = False
    for _ in range(_STEPS):
        if response.is_redirect:
            response = _visit(browser, "GET", urljoin(response.url, response.headers["Location"]), {})
            continue
        html = response.headers.get("Content-Type", "").startswith("text/html")
        form = Form(response.text) if html and response.status_code < 400 else None
        if form is None or form.action is None:
            break
        if form.asks_decision:
            if decided or decision == "leave":
                break
            decided = True
            form.values["decision"] = decision
        elif not form.values:
            break  # a page for reading that happens to have a form
        response = _visit(browser, form.method.upper(), urljoin(response.url, form.action), form.values)
    return {"finalUrl": response.url, "status": response.status_code}


def _visit(browser: requests.Session, method: str, url: str, fields: dict[str, str]) -> requests.Response:
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadBody(f"A payer of this sandbox only visits loopback addresses, not {urlsplit(url).hostname}.")
    return browser.request(
        method,
        url,
        params=fields if method == "GET" else None,
        data=fields if method == "POST" else None,
        timeout=_TIMEOUT_SECONDS,
        allow_redirects=False,
        headers={"Accept": "text/html"},
    )
