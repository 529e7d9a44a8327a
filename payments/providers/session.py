"""The HTTP session that adapters share: connections which keep "it never left" and "it left us" apart.

NotSent is raised by the connection itself while it connects, before a byte of the request has been written, so it cannot mean
anything else. The read timeout bounds the whole reply, headers and body, however slowly it drips. Redirects, retries,
cookies, proxies and .netrc play no part.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from payments.providers.base import NotSent


class _Deadline(io.RawIOBase):
    """Reads a socket until a fixed moment: each read may only wait for what is left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float | None) -> None:
        self._raw = raw
        self._sock = sock
        self._ends_at = None if seconds is None else time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._ends_at is not None:
            left = self._ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("the reply took too long")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # the read timeout, which urllib3 has just set on the socket, becomes the time for the whole reply
        self.fp: Any = io.BufferedReader(_Deadline(self.fp.detach(), sock, sock.gettimeout()))


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as exc:  # whatever it was (name, route, refusal, time): nothing has been written yet
            raise NotSent(f"{self.host} could not be reached") from exc


class _TLSConnection(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as exc:  # as above, and the TLS handshake comes before the request too
            raise NotSent(f"{self.host} could not be reached") from exc


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none: even with allow_redirects=False requests would parse and drain what a redirect carries."""


def open_session(*, connections: int = 32) -> requests.Session:
    """The session that adapters share in one process; safe for threads. With any other session every fault is UNKNOWN."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_maxsize=connections, max_retries=0))
    return session
