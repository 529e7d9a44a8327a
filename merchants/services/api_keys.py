"""API keys: made, rotated with an overlap, revoked. The secret is returned once and never stored.

No key gives more than it has: neither scopes that it lacks nor networks outside its own. A successor has another 90 days, whoever asks: keys
are renewed by the servers that use them, and `api_key:manage` is the scope for it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from ipaddress import ip_network

from django.db import transaction

from common.audit import record_action
from common.changes import Actor
from common.errors import Forbidden, InvalidRequest, InvalidState, NotFound, Unauthorized
from common.ids import new_id
from merchants.caller import Caller
from merchants.credentials import forget_keys
from merchants.models import ApiKey
from merchants.scopes import Scope

LIFETIME = timedelta(days=90)
OVERLAP = timedelta(days=7)
_VISIBLE = 16  # characters of the secret that are kept and shown: "cfk_live_" and seven of 43


def api_key_create(
    *,
    merchant_id: str,
    live: bool,
    name: str,
    scopes: Collection[str],
    actor: Actor,
    now: datetime,
    allowed_networks: Collection[str] = (),
    lifetime: timedelta = LIFETIME,
    giver: Caller | None = None,
    reason: str = "",
) -> tuple[ApiKey, str]:
    """A new key and its secret ("cfk_live_" or "cfk_test_" and 43 characters, 256 random bits).

    `allowed_networks` are CIDR blocks or addresses; empty allows every address. `giver` is the merchant's credential that asks, None
    for operators. Raises InvalidRequest, Forbidden (beyond the giver's rights),
    Unauthorized (the giver's key was revoked meanwhile).
    """
    _check(name, scopes, lifetime)
    networks = [_network(network) for network in allowed_networks]
    _check_giver(giver, scopes, networks, now)
    secret = f"cfk_{'live' if live else 'test'}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=new_id("key"),
        merchant_id=merchant_id,
        name=name,
        prefix=secret[:_VISIBLE],
        secret_hash=hashlib.sha256(secret.encode()).digest(),
        live=live,
        scopes=sorted(scopes),
        allowed_networks=networks,
        expires_at=now + lifetime,
        created_at=now,
    )
    with transaction.atomic():
        key.save(force_insert=True)
        _record(key, "api_key.created", actor, now, reason, scopes=[None, key.scopes])
    return key, secret


def api_key_rotate(
    *,
    key_id: str,
    actor: Actor,
    now: datetime,
    merchant_id: str | None = None,
    overlap: timedelta = OVERLAP,
    giver: Caller | None = None,
    reason: str = "",
) -> tuple[ApiKey, str]:
    """A successor with the same rights; the old key works for `overlap` more.

    Raises NotFound, InvalidState (revoked or expired), Forbidden (as for a new key).
    """
    with transaction.atomic():
        old = _held(key_id, merchant_id)
        if old.revoked_at is not None or old.expires_at <= now:
            raise InvalidState("This key no longer works, so it cannot be rotated. Make a new one.")
        successor, secret = api_key_create(
            merchant_id=old.merchant_id,
            live=old.live,
            name=old.name,
            scopes=old.scopes,
            actor=actor,
            now=now,
            allowed_networks=old.allowed_networks,
            giver=giver,
            reason=reason,
        )
        expires_at = min(old.expires_at, now + overlap)
        moved: list[object] = [old.expires_at.isoformat(), expires_at.isoformat()]
        _record(old, "api_key.rotated", actor, now, reason, expires_at=moved)
        old.expires_at = expires_at
        old.save(update_fields=["expires_at"])
    forget_keys()
    return successor, secret


def api_key_revoke(
    *, key_id: str, actor: Actor, now: datetime, merchant_id: str | None = None, reason: str = ""
) -> ApiKey:
    """Make a key stop working: here at once, in other processes within seconds. Repeating it changes nothing. Raises NotFound."""
    with transaction.atomic():
        key = _held(key_id, merchant_id)
        if key.revoked_at is None:
            key.revoked_at = now
            key.save(update_fields=["revoked_at"])
            _record(key, "api_key.revoked", actor, now, reason, revoked_at=[None, now.isoformat()])
    forget_keys()
    return key


def api_key_allow(
    *, key_id: str, allowed_networks: Collection[str], actor: Actor, now: datetime, reason: str = ""
) -> ApiKey:
    """From where a key may be used; empty: from everywhere. Everywhere in force within seconds. Raises NotFound, InvalidRequest, InvalidState."""
    networks = [_network(network) for network in allowed_networks]
    with transaction.atomic():
        key = _held(key_id, None)
        if key.revoked_at is not None:
            raise InvalidState("This key is revoked.")
        if networks != key.allowed_networks:
            _record(key, "api_key.allowed", actor, now, reason, allowed_networks=[key.allowed_networks, networks])
            key.allowed_networks = networks
            key.save(update_fields=["allowed_networks"])
    forget_keys()
    return key


def _held(key_id: str, merchant_id: str | None) -> ApiKey:
    """The key under a lock; `merchant_id` limits whose it may be."""
    whose = {} if merchant_id is None else {"merchant_id": merchant_id}
    key = ApiKey.objects.select_for_update().filter(pk=key_id, **whose).first()
    if key is None:
        raise NotFound("There is no such API key.")
    return key


def _check(name: str, scopes: Collection[str], lifetime: timedelta) -> None:
    errors: dict[str, list[str]] = {}
    if not 0 < len(name) <= 80:
        errors["name"] = ["Send 1 to 80 characters."]
    unknown = set(scopes) - {scope.value for scope in Scope}
    if unknown or not scopes:
        errors["scopes"] = [f"Choose from {', '.join(Scope)}."]
    if not timedelta() < lifetime <= timedelta(days=366):
        errors["expiresAt"] = ["A key lives for a year at most."]
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(errors)}.", fields=errors)


def _check_giver(giver: Caller | None, scopes: Collection[str], networks: Collection[str], now: datetime) -> None:
    """The giver's key is read here: what a process keeps may be seconds old. Raises Forbidden, Unauthorized."""
    if giver is None:
        return
    missing = sorted(set(scopes) - giver.scopes)
    if missing:
        raise Forbidden(f"You lack {', '.join(missing)}, so you cannot give it.", missingScopes=missing)
    if giver.session_id:
        return
    key = ApiKey.objects.filter(pk=giver.credential_id, revoked_at=None, expires_at__gt=now).first()
    if key is None:
        raise Unauthorized("Your key no longer works.")
    if key.allowed_networks and not (networks and all(_within(one, key.allowed_networks) for one in networks)):
        raise Forbidden("You may only give networks within your own key's.", allowedNetworks=key.allowed_networks)


def _within(network: str, outer: Collection[str]) -> bool:
    inner = ip_network(network)
    return any(inner.version == one.version and inner.subnet_of(one) for one in map(ip_network, outer))  # type: ignore[arg-type]


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as exc:
        sentence = f"{text[:50]} is not a network such as 203.0.113.0/24."
        raise InvalidRequest("Not right: allowedNetworks.", fields={"allowedNetworks": [sentence]}) from exc


def _record(key: ApiKey, action: str, actor: Actor, now: datetime, reason: str = "", **changes: list[object]) -> None:
    record_action(
        actor=actor,
        action=action,
        subject_type="api_key",
        subject_id=key.pk,
        merchant_id=key.merchant_id,
        now=now,
        reason=reason,
        changes=changes,
    )
