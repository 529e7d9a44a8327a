"""One request over HTTPS, repeated when that is safe and may help.

Safe is what the server executes once however often it arrives: reads, and what carries an Idempotency-Key, which stays the same over all
tries. It may help after 429, 500, 502, 503, 504 and when no answer came. The waits are 1, 2, 4 seconds, or what Retry-After says.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import requests

from payment_engine.errors import ConnectionFailedError, PaymentEngineError, error_class
from payment_engine.models import parse

RETRIED = frozenset({429, 500, 502, 503, 504})
MAX_WAIT_SECONDS = 60.0  # a longer Retry-After is for the caller to decide about
_NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class Transport:
    """`timeout` in seconds holds for each try; `retries` are tries after the first."""

    def __init__(self, *, api_key: str, base_url: str, timeout: float, retries: int, retry_delay: float) -> None:
        if not api_key:
            raise ValueError("api_key is empty")
        self._base = base_url.rstrip("/") + "/api/v1"
        self._timeout = timeout
        self._retries = retries
        self._retry_delay = retry_delay
        self._session = requests.Session()
        self._session.headers.update({"X-API-Key": api_key, "User-Agent": "payment-engine-sdk-python/1.0.0"})

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._send("GET", f"{path}?{urlencode(given)}" if given else path, None, key=None, safe=True)

    def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> Any:
        """A POST that is executed once per key; without one a key of its own is made."""
        return self._send("POST", path, body, key=idempotency_key or str(uuid.uuid4()), safe=True)

    def post_once(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A POST to a route that keeps no keys: never repeated."""
        return self._send("POST", path, body, key=None, safe=False)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._send("PATCH", path, body, key=None, safe=True)

    def delete(self, path: str) -> None:
        self._send("DELETE", path, None, key=None, safe=True)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, *, key: str | None, safe: bool) -> Any:
        data = None if body is None else json.dumps(body, allow_nan=False)
        headers = {} if data is None else {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        for attempt in range(self._retries + 1):
            last = attempt == self._retries or not safe
            try:
                response = self._session.request(
                    method, self._base + path, data=data, headers=headers, timeout=self._timeout, allow_redirects=False
                )
            except _NO_ANSWER as exc:
                if last:
                    raise ConnectionFailedError(
                        f"no answer from the server: {exc}", code="CONNECTION_FAILED", idempotency_key=key
                    ) from exc
                wait = self._retry_delay * 2**attempt
            else:
                asked = retry_after(response.headers.get("Retry-After"), now=datetime.now(timezone.utc))
                if response.status_code not in RETRIED or last or (asked or 0) > MAX_WAIT_SECONDS:
                    return _content(response, key=key, asked=asked)
                wait = self._retry_delay * 2**attempt if asked is None else asked
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for; None if there is none that can be read."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _content(response: requests.Response, *, key: str | None, asked: float | None) -> Any:
    """What the server answered. Raises PaymentEngineError."""
    status, request_id = response.status_code, response.headers.get("X-Request-Id")
    if status == 204:
        return None
    try:
        content = parse(response.content)
    except ValueError:
        content = None
    if 200 <= status < 300 and isinstance(content, dict):
        return content
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        error = {"code": "UNREADABLE_RESPONSE", "message": f"HTTP {status} without an answer that can be read"}
    code = str(error.get("code"))
    kind: type[PaymentEngineError] = error_class(status, code)
    raise kind(
        str(error.get("message")),
        code=code,
        status=status,
        details=error.get("details"),
        request_id=error.get("requestId") or request_id,
        idempotency_key=key,
        retry_after=asked,
    )
