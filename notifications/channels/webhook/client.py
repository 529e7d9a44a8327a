"""One HTTP connection to checked addresses, and what may come back over it.

Everything is bounded: one deadline covers connecting, TLS, the request and the whole reply however slowly it drips; at most 64 KiB of a body
are read, nothing is decompressed, no redirect is followed, no proxy is used, no name is looked up. TLS verifies the certificate for the
host of the URL although the connection goes to an address.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import certifi

from notifications.channels.webhook.target import Target

DEADLINE_SECONDS = 15.0
KEPT_BYTES = 1024
READ_BYTES = 64 * 1024
_HEADER_BYTES = 64 * 1024  # status line and headers, on top of the body


class Error(StrEnum):
    """Why there is no readable reply. A refused address and a dead host share one word."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    NO_REPLY = "no_reply"
    BAD_REPLY = "bad_reply"


class SendFailed(Exception):
    """There was no complete reply; `status` if it had begun."""

    def __init__(self, error: Error, status: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply, or one whose first 64 KiB were enough."""

    status: int
    retry_after: str
    excerpt: bytes


class Connection:
    """A connection to one target, opened when first needed and kept while the other side keeps it. Not for two threads at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._wire: _Wire | None = None

    def post(self, *, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """Send and read one reply within `seconds`. Raises SendFailed."""
        request = self._request(headers, body)
        ends_at = time.monotonic() + seconds
        if self._wire is not None:
            try:
                return self._exchange(self._wire, request, ends_at)
            except ConnectionError:  # closed while it was idle: that says nothing of this request
                self.close()
        self._wire = self._connect(ends_at)
        try:
            return self._exchange(self._wire, request, ends_at)
        except ConnectionError as exc:
            self.close()
            raise SendFailed(Error.NO_REPLY) from exc

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The request's bytes. The path is printable ASCII (target.py) and the headers are ours: nothing can break a line."""
        lines = [
            f"POST {self._target.path} HTTP/1.1",
            f"Host: {self._target.host_header}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body

    def _connect(self, ends_at: float) -> _Wire:
        sock = self._dial(ends_at)
        if not self._target.tls:
            return _Wire(sock)
        try:
            sock.settimeout(_left(ends_at))
            return _Wire(_tls_context().wrap_socket(sock, server_hostname=self._target.host))
        except OSError as exc:  # SSLError and TimeoutError are OSErrors
            sock.close()
            raise SendFailed(Error.TIMEOUT if isinstance(exc, TimeoutError) else Error.TLS) from exc

    def _dial(self, ends_at: float) -> socket.socket:
        """Connect to the first address that answers."""
        failure: OSError | None = None
        for address in self._target.addresses:
            try:
                sock = socket.create_connection((address, self._target.port), timeout=_left(ends_at))
            except OSError as exc:
                failure = exc
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        raise SendFailed(Error.UNREACHABLE) from failure

    def _exchange(self, wire: _Wire, request: bytes, ends_at: float) -> Reply:
        """Raises ConnectionError if the connection was closed before a reply, else SendFailed."""
        status: int | None = None
        try:
            wire.begin(ends_at)
            wire.sendall(request)
            response = http.client.HTTPResponse(wire, method="POST")  # type: ignore[arg-type]  # needs makefile() only
            response.begin()
            status = response.status
            body = response.read(READ_BYTES)
            if response.length and len(body) < READ_BYTES:
                raise http.client.IncompleteRead(body, response.length)
        except ConnectionError as exc:
            if status is None:
                raise
            self.close()
            raise SendFailed(Error.NO_REPLY, status) from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:  # ValueError: a chunk of a negative size
            self.close()
            raise SendFailed(_word(exc), status) from exc
        if response.will_close or not response.isclosed():
            self.close()
        return Reply(status, response.headers.get("Retry-After", ""), body[:KEPT_BYTES])


class _Wire:
    """A socket whose every wait ends at the deadline of the exchange under way."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._ends_at = 0.0

    def begin(self, ends_at: float) -> None:
        self._ends_at = ends_at

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._ends_at))
        self._sock.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._ends_at))
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Bounded(self))

    def close(self) -> None:
        self._sock.close()


class _Bounded(io.RawIOBase):
    """The bytes of one reply, as many as we are willing to read."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._bytes_left = _HEADER_BYTES + READ_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._wire.receive_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise http.client.HTTPException("the reply is too large")
        return count


def _left(ends_at: float) -> float:
    """Seconds until then. Raises TimeoutError if there are none."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _word(exc: Exception) -> Error:
    if isinstance(exc, TimeoutError):
        return Error.TIMEOUT
    if isinstance(exc, http.client.IncompleteRead):
        return Error.NO_REPLY
    return Error.BAD_REPLY if isinstance(exc, http.client.HTTPException | ValueError) else Error.NO_REPLY


@cache
def _tls_context() -> ssl.SSLContext:
    """Verifies certificate and host name, TLS 1.2 or newer; trusts the system's authorities and Mozilla's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
