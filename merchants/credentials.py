"""Finding out whose API key or session this is, without asking the database every time.

What was found is kept for three seconds in this process, so a revoked key, an ended session, a closed merchant or a changed allowlist
stops working within that time everywhere. That nothing was found is kept as long.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

from django.db.models import Q

from merchants.caller import Caller
from merchants.models import ApiKey, Merchant, MerchantSession

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


T = TypeVar("T")


class _Kept(Generic[T]):
    """What was found under a name, for KEPT_SECONDS; that nothing was found too. The oldest go first."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes | str, tuple[float, T | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: bytes | str, read: Callable[[], T | None]) -> T | None:
        with self._lock:
            found = self._found.get(name)
            if found is not None and time.monotonic() - found[0] < KEPT_SECONDS:
                self._found.move_to_end(name)
                return found[1]
        value = read()
        with self._lock:
            self._found[name] = (time.monotonic(), value)
            self._found.move_to_end(name)
            while len(self._found) > KEPT_KEYS:
                self._found.popitem(last=False)
        return value

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


_keys: _Kept[KnownKey] = _Kept()
_sessions: _Kept[Caller] = _Kept()


def known_key(secret: str, *, now: datetime) -> KnownKey | None:
    """The key with this secret, None if there is none or it was revoked or its merchant is closed. Up to 3 s old."""
    digest = hashlib.sha256(secret.encode()).digest()
    return _keys.get(digest, lambda: _read(digest, now))


def known_session(session_id: str) -> Caller | None:
    """Who signed in, None if the session was ended or the user or its merchant may no longer. Up to 3 s old."""
    return _sessions.get(session_id, lambda: _read_session(session_id))


def still_valid(row_ids: Collection[str], *, now: datetime) -> set[str]:
    """Which of these API keys and sessions (Caller.row_id) have been neither revoked nor outlived, in two statements however many they are."""
    keys = ApiKey.objects.filter(pk__in=row_ids, revoked_at=None, expires_at__gt=now, merchant__is_active=True)
    sessions = MerchantSession.objects.filter(
        pk__in=row_ids, revoked_at=None, expires_at__gt=now, user__is_active=True, user__merchant__is_active=True
    )
    return {*keys.values_list("pk", flat=True), *sessions.values_list("pk", flat=True)}


def forget_keys() -> None:
    """Drop the cache: after a key was revoked by this process, and between tests."""
    _keys.clear()


def forget_sessions() -> None:
    """Likewise, after a session was ended."""
    _sessions.clear()


def _read_session(session_id: str) -> Caller | None:
    rows = MerchantSession.objects.select_related("user__merchant")
    session = rows.filter(pk=session_id, revoked_at=None, user__is_active=True, user__merchant__is_active=True).first()
    if session is None:
        return None
    user = session.user
    return _caller(
        user.merchant,
        live=user.live,
        name=user.username,
        credential_id=user.pk,
        scopes=user.scopes,
        session_id=session.pk,
    )


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
    return KnownKey(
        caller=_caller(row.merchant, live=row.live, name=row.prefix, credential_id=row.pk, scopes=row.scopes),
        expires_at=row.expires_at,
        networks=tuple(ip_network(network) for network in row.allowed_networks),
    )


def _caller(
    merchant: Merchant, *, live: bool, name: str, credential_id: str, scopes: Collection[str], session_id: str = ""
) -> Caller:
    asked = merchant.require_idempotency
    return Caller(
        merchant_id=merchant.pk,
        merchant_code=merchant.code,
        currency=merchant.currency,
        live=live,
        name=f"merchant:{merchant.code}/{name}",
        credential_id=credential_id,
        scopes=frozenset(scopes),
        rate_plan=merchant.rate_plan,
        require_idempotency=live if asked is None else asked,
        time_zone=merchant.time_zone,
        session_id=session_id,
    )


def _note_use(row: ApiKey, now: datetime) -> None:
    """Keep `last_used_at` true to the minute: written only here, where the key is read anyway, and by one process a minute."""
    stale = now - _LAST_USED_EVERY
    if row.last_used_at is None or row.last_used_at < stale:
        ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=row.pk).update(last_used_at=now)
