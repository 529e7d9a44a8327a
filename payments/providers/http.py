"""How adapters talk HTTP: one call, whose every fault after sending is NoReply and means "don't know".

The session (session.py) raises NotSent while it connects and bounds the time; here the body is bounded in size, never
decompressed, and only a 200 is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3

from payments.providers.base import BadSignature, NotSent, ProviderError
from payments.providers.forms import UnreadableForm, excerpt, parse

REPLY_LIMIT = 64 * 1024
STATEMENT_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "Counterfoil/1"}


class NoReply(ProviderError):
    """The request left and no usable reply came back; `reason` is a token, `raw` what can be shown of the reply."""

    def __init__(self, reason: str, raw: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw or {}


def call(
    session: requests.Session,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    timeout: tuple[float, float],
    limit: int = REPLY_LIMIT,
) -> bytes:
    """The body of a 200. `timeout` is (seconds to connect, seconds for the whole reply). Raises NotSent or NoReply."""
    try:
        request = session.prepare_request(requests.Request(method, url, data=form, headers=_HEADERS))
    except requests.RequestException as exc:  # an unusable URL
        raise NotSent(f"{url!r} cannot be called") from exc
    try:
        with session.send(request, timeout=timeout, allow_redirects=False, stream=True) as response:
            if response.status_code == 429:
                raise _rate_limited(response.headers.get("Retry-After", ""))
            body = _read(response.raw, limit)
            status = response.status_code
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise NoReply("no_reply") from exc
    if status != 200:
        raise NoReply(f"http_{status}", {"body": excerpt(body)})
    return body


def exchange(
    session: requests.Session,
    url: str,
    form: Mapping[str, str],
    *,
    timeout: tuple[float, float],
    verify: Callable[[Mapping[str, str]], None],
) -> dict[str, str]:
    """Post a form and return the fields of the form that answers, signature checked. Raises NotSent or NoReply."""
    body = call(session, "POST", url, form=form, timeout=timeout)
    try:
        reply = parse(body.strip())  # server pages like to end, and to begin, with a line break
    except UnreadableForm as exc:
        raise NoReply("unreadable_reply", {"body": excerpt(body)}) from exc
    try:
        verify(reply)
    except BadSignature as exc:
        raise NoReply("bad_signature") from exc
    return reply


def statement_file(
    session: requests.Session, url: str, query: Mapping[str, str], *, timeout: tuple[float, float]
) -> bytes:
    """A statement as served, at most STATEMENT_LIMIT bytes, in ten times the time of a reply. Raises ProviderError."""
    connect_seconds, reply_seconds = timeout
    return call(
        session,
        "GET",
        f"{url}?{urlencode(query)}",
        timeout=(connect_seconds, reply_seconds * 10),
        limit=STATEMENT_LIMIT,
    )


def _read(raw: Any, limit: int) -> bytes:
    body = bytearray()
    while chunk := raw.read(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > limit:
            raise NoReply("reply_too_large")
    return bytes(body)


def _rate_limited(retry_after: str) -> ProviderError:
    """429 says that the request was not executed; only with the time to come back is it surely the provider's own word."""
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= 5:
        return NotSent("the provider limits our rate", retry_after_seconds=int(retry_after))
    return NoReply("rate_limited")
