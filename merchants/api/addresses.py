"""The client's address. X-Forwarded-For is believed only as far as our own proxies wrote it (settings.TRUSTED_PROXIES of them).

WSGI knows "X_Forwarded_For" by the same name, and the last one counts. A proxy that does not drop headers with underscores has to write the
address into one whose name has no hyphen: settings.TRUSTED_ADDRESS_HEADER.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address as text, "" if the server does not say (a Unix socket)."""
    peer: str = request.META.get("REMOTE_ADDR", "")
    if not settings.TRUSTED_PROXIES:
        return peer
    # Each proxy appends the address it saw: the one our outermost proxy saw is that many from the right. The rest is hearsay.
    name = f"HTTP_{settings.TRUSTED_ADDRESS_HEADER.upper().replace('-', '_')}"
    hops = [hop.strip() for hop in request.META.get(name, "").split(",")]
    seen = hops[-settings.TRUSTED_PROXIES] if len(hops) >= settings.TRUSTED_PROXIES else ""
    try:
        return str(ip_address(seen))
    except ValueError:
        return peer
