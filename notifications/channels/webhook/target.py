"""From a URL to the addresses it may be sent to, by one look-up (server-side request forgery, reliability section 4 rows 8-11).

https on port 443 to a public host; every address that the name resolves to has to be public, and the caller connects to those very
addresses, never to the name. However a host is written ("2130706433", "0x7f.1", full-width digits), what counts is the address
it resolves to. `WEBHOOK_ALLOWED_TARGETS` ("127.0.0.1:8200-8299") lets plain targets through for the demo and the tests.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from django.conf import settings

from notifications.channels.webhook.addresses import is_public

MAX_URL = 2000
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+")
_MAX_ADDRESSES = 8

Resolver = Callable[[str, int], Iterable[str]]


class TargetRefused(Exception):
    """Not a URL we send to. `blocked` if it led to a forbidden address, for our own eyes: merchants must not tell it from a dead name."""

    def __init__(self, reason: str, *, blocked: bool = False) -> None:
        super().__init__(reason)
        self.blocked = blocked


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect (`addresses`, checked) and what to ask for there."""

    tls: bool
    host: str  # for the Host header, the SNI and the certificate
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a name, each once. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve_target(url: str, *, resolve: Resolver = system_resolver) -> Target:
    """Check the URL, look the host up once and check every address. Raises TargetRefused."""
    tls, host, port, path = _split(url)
    try:
        addresses = [ip_address(text) for text in resolve(host, port)]
    except (OSError, ValueError) as exc:  # UnicodeError, which odd names raise, is a ValueError
        raise TargetRefused("the host does not resolve") from exc
    if not addresses:
        raise TargetRefused("the host does not resolve")
    if not all(_may_connect(address, port, tls) for address in addresses):
        raise TargetRefused("an address of the host is not public", blocked=True)
    return Target(tls, host, port, path, tuple(str(address) for address in addresses[:_MAX_ADDRESSES]))


def _split(url: str) -> tuple[bool, str, int, str]:
    """Scheme is https?, host, port and path with query. Raises TargetRefused."""
    try:
        ascii_url = _to_ascii_host(url)
        parts = urlsplit(ascii_url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as exc:
        raise TargetRefused("not a URL") from exc
    if len(ascii_url) > MAX_URL or not _PRINTABLE.fullmatch(ascii_url) or "\\" in ascii_url:
        raise TargetRefused("not a URL")
    if parts.scheme not in ("https", "http") or "@" in parts.netloc or parts.fragment:
        raise TargetRefused("not an https URL without user and fragment")
    if not _HOST_NAME.fullmatch(host):
        raise TargetRefused("not a host name")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return tls, host, port if port is not None else (443 if tls else 80), path


def _to_ascii_host(url: str) -> str:
    """The URL with an internationalised host in its ASCII form; other non-ASCII characters are left for the check to refuse."""
    host = urlsplit(url).netloc
    return url if host.isascii() else url.replace(host, host.encode("idna").decode(), 1)


def _may_connect(address: IPv4Address | IPv6Address, port: int, tls: bool) -> bool:
    for allowed in settings.WEBHOOK_ALLOWED_TARGETS:
        host, _, ports = allowed.rpartition(":")
        first, _, last = ports.partition("-")
        if address == ip_address(host) and int(first) <= port <= int(last or first):
            return True
    return tls and port == 443 and is_public(address)
