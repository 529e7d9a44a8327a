"""Finding out whose API key this is, without asking the database every time.

What was found is kept for three seconds in this process, so a revoked key, a closed merchant or a changed allowlist stops working
within that time everywhere. That nothing was found is kept as long; both live in one bounded cache, the oldest go first.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.db.models import Q

from merchants.caller import Caller
from merchants.models import ApiKey

KEPT_SECONDS = 3.0
KEPT_KEYS = 2048
_LAST_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that was valid when it was read."""

    caller: Caller
    expires_at: datetime
    networks: tuple[IPv4Network | IPv6Network, ...]

    def admits(self, address: str, *, now: datetime) -> bool:
        """Whether it has not expired and may be used from this address."""
        if now >= self.expires_at:
            return False
        if not self.networks:
            return True
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in network for network in self.networks)


_kept: OrderedDict[bytes, tuple[float, KnownKey | None]] = OrderedDict()
_lock = threading.Lock()


def known_key(secret: str, *, now: datetime) -> KnownKey | None:
    """The key with this secret, None if there is none or it was revoked or its merchant is closed. Up to 3 s old."""
    digest = hashlib.sha256(secret.encode()).digest()
    with _lock:
        found = _kept.get(digest)
        if found is not None and time.monotonic() - found[0] < KEPT_SECONDS:
            _kept.move_to_end(digest)
            return found[1]
    key = _read(digest, now)
    with _lock:
        _kept[digest] = (time.monotonic(), key)
        _kept.move_to_end(digest)
        while len(_kept) > KEPT_KEYS:
            _kept.popitem(last=False)
    return key


def forget_keys() -> None:
    """Drop the cache: after a key was revoked by this process, and between tests."""
    with _lock:
        _kept.clear()


def _read(digest: bytes, now: datetime) -> KnownKey | None:
    row = (
        ApiKey.objects.select_related("merchant")
        .filter(secret_hash=digest, revoked_at=None, merchant__is_active=True)
        .first()
    )
    if row is None:
        return None
    if row.expires_at > now:
        _note_use(row, now)
    merchant = row.merchant
    asked = merchant.require_idempotency
    return KnownKey(
        caller=Caller(
            merchant_id=merchant.pk,
            merchant_code=merchant.code,
            currency=merchant.currency,
            live=row.live,
            name=f"merchant:{merchant.code}/{row.prefix}",
            credential_id=row.pk,
            scopes=frozenset(row.scopes),
            rate_plan=merchant.rate_plan,
            require_idempotency=row.live if asked is None else asked,
            time_zone=merchant.time_zone,
        ),
        expires_at=row.expires_at,
        networks=tuple(ip_network(network) for network in row.allowed_networks),
    )


def _note_use(row: ApiKey, now: datetime) -> None:
    """Keep `last_used_at` true to the minute: written only here, where the key is read anyway, and by one process a minute."""
    stale = now - _LAST_USED_EVERY
    if row.last_used_at is None or row.last_used_at < stale:
        ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=row.pk).update(last_used_at=now)
