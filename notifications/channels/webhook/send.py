"""What an attempt came to: every kind of reply and of silence, as one value.

Only a 2xx is delivered; a redirect is a failure like any other. 410 says "never again". Where the status is one of back-pressure,
Retry-After (seconds or an HTTP date) puts the next attempt off, by a day at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from notifications.channels.webhook.client import Connection, Error, SendFailed

_WITH_RETRY_AFTER = frozenset({429, 502, 503, 504})
_RETRY_AFTER_CAP = timedelta(hours=24)
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Counterfoil-Webhooks/1",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`error` is "" if it was delivered. `wait`: what the receiver asked for. `blocked`: the address is none we connect to."""

    error: str = ""
    status: int | None = None
    excerpt: bytes = b""
    wait: timedelta = timedelta(0)
    blocked: bool = False

    @property
    def delivered(self) -> bool:
        return not self.error

    @property
    def gone(self) -> bool:
        return self.status == 410


BLOCKED = Outcome(error=Error.UNREACHABLE, blocked=True)
UNREACHABLE = Outcome(error=Error.UNREACHABLE)


def send(connection: Connection, *, headers: Mapping[str, str], body: bytes, now: datetime, seconds: float) -> Outcome:
    """One attempt of at most `seconds`. Never raises for anything the other side can do."""
    try:
        reply = connection.post(headers={**_HEADERS, **headers}, body=body, seconds=seconds)
    except SendFailed as exc:
        return Outcome(error=exc.error, status=exc.status)
    if 200 <= reply.status < 300:
        return Outcome(status=reply.status, excerpt=reply.excerpt)
    wait = retry_after(reply.retry_after, now=now) if reply.status in _WITH_RETRY_AFTER else timedelta(0)
    return Outcome(error=f"http_{reply.status}", status=reply.status, excerpt=reply.excerpt, wait=wait)


def retry_after(text: str, *, now: datetime) -> timedelta:
    """Retry-After as a duration from now, between none and a day; none if it is unreadable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _RETRY_AFTER_CAP)
    try:
        when = parsedate_to_datetime(text)
        wait = when.replace(tzinfo=when.tzinfo or UTC) - now
    except (ValueError, OverflowError):  # a year or an offset may have any number of digits
        return timedelta(0)
    return max(timedelta(0), min(wait, _RETRY_AFTER_CAP))
