"""Sessions: signing in opens one, every refresh replaces its refresh token, signing out ends it.

A refresh token works once. One that is shown again is known to two parties, and nobody can tell which of them is the thief, so the whole
session ends. All of it happens under the session's row lock: of sixteen that show one token at once, one gets a successor at most,
and that one is dead as well.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from common.audit import record_action
from common.changes import Actor
from common.errors import Unauthorized
from common.ids import new_id
from merchants.credentials import forget_sessions
from merchants.models import MerchantSession, RefreshToken
from merchants.services.users import user_by_password
from merchants.tokens import sign_access_token

log = structlog.get_logger(__name__)

LIFETIME = timedelta(days=30)  # of a session, however often it is refreshed
_WRONG = "The user name or the password is not right."
_ENDED = "This refresh token does not work (any more). Sign in again."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh gives."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    scopes: tuple[str, ...]


def sign_in(*, username: str, password: str, request_id: str, now: datetime) -> Tokens:
    """Open a session. Raises Unauthorized, with one sentence for everything that can be wrong."""
    actor = Actor("merchant:sign_in", request_id)
    user = user_by_password(username=username, password=password, actor=actor, now=now)
    if user is None:
        log.info("sign_in.refused")
        raise Unauthorized(_WRONG)
    session = MerchantSession(id=new_id("ses"), user=user, created_at=now, expires_at=now + LIFETIME)
    with transaction.atomic():
        session.save(force_insert=True)
        refresh = _issue(session, now)
        _record(session, "session.opened", request_id, now)
    return _tokens(session, refresh, now)


def session_refresh(*, refresh_token: str, request_id: str, now: datetime) -> Tokens:
    """Replace a refresh token. Raises Unauthorized; if the token had been used before, its session has ended by then."""
    with transaction.atomic():
        session = _held(refresh_token)
        refresh = "" if session is None else _replace(session, refresh_token, request_id, now)
    if session is None or not refresh:
        raise Unauthorized(_ENDED)
    return _tokens(session, refresh, now)


def session_end(*, refresh_token: str, request_id: str, now: datetime) -> None:
    """Sign out: neither this refresh token nor any other of its session works again. Says nothing about tokens it does not know."""
    with transaction.atomic():
        session = _held(refresh_token)
        if session is not None and session.revoked_at is None:
            _revoke(session, "signed_out", request_id, now)


def reap_sessions(*, now: datetime) -> int:
    """Delete sessions that are over, with their tokens. Returns how many."""
    return MerchantSession.objects.filter(expires_at__lt=now).delete()[1].get("merchants.MerchantSession", 0)


def _held(refresh_token: str) -> MerchantSession | None:
    """The session of a token, locked."""
    sessions = MerchantSession.objects.select_for_update(of=("self",)).select_related("user__merchant")
    return sessions.filter(tokens__token_hash=_digest(refresh_token)).first()


def _replace(session: MerchantSession, refresh_token: str, request_id: str, now: datetime) -> str:
    """The successor, "" if there is none to be had."""
    user = session.user
    if session.revoked_at is not None or session.expires_at <= now or not (user.is_active and user.merchant.is_active):
        return ""
    used = session.tokens.filter(token_hash=_digest(refresh_token), used_at=None).update(used_at=now)
    if not used:
        log.warning("session.token_reused", session=session.pk, user=user.pk)
        _revoke(session, "token_reused", request_id, now)
        return ""
    return _issue(session, now)


def _revoke(session: MerchantSession, reason: str, request_id: str, now: datetime) -> None:
    session.revoked_at, session.revoked_reason = now, reason
    session.save(update_fields=["revoked_at", "revoked_reason"])
    _record(session, f"session.{reason}", request_id, now)
    transaction.on_commit(forget_sessions)


def _issue(session: MerchantSession, now: datetime) -> str:
    token = f"cfr_{secrets.token_urlsafe(32)}"
    RefreshToken.objects.create(session=session, token_hash=_digest(token), created_at=now)
    return token


def _tokens(session: MerchantSession, refresh: str, now: datetime) -> Tokens:
    user = session.user
    access = sign_access_token(user_id=user.pk, session_id=session.pk, scopes=user.scopes, now=now)
    return Tokens(access, refresh, tuple(user.scopes))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _record(session: MerchantSession, action: str, request_id: str, now: datetime) -> None:
    user = session.user
    record_action(
        actor=Actor(f"merchant:{user.merchant.code}/{user.username}", request_id),
        action=action,
        subject_type="merchant_session",
        subject_id=session.pk,
        merchant_id=user.merchant_id,
        now=now,
    )
