"""Access tokens: JWTs signed with HS256 by a key of their own, good for an hour.

Only what we sign ourselves is read: the algorithm is ours to choose and never the token's, the key is one of our ring, and issuer,
audience, kind and times have to be there and right. The token says which session it belongs to; what that may do is read from the
database (merchants.credentials), so rights that are taken away do not live on in a token.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings

from common.ids import new_id

LIFETIME = timedelta(hours=1)
ALGORITHM = "HS256"
ISSUER = "counterfoil"
AUDIENCE = "counterfoil-api"
KIND = "access"
_CLAIMS = ["iss", "aud", "sub", "sid", "type", "iat", "exp", "jti"]
# The last character of 32 bytes in base64url has two spare bits; only the form with zeros is a token of ours.
_FORM = re.compile(r"[A-Za-z0-9_-]{10,400}\.[A-Za-z0-9_-]{10,1600}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)


class BadToken(Exception):
    """Not a token of ours, or no longer good."""


def looks_like_token(text: str) -> bool:
    return _FORM.fullmatch(text) is not None


def sign_access_token(*, user_id: str, session_id: str, scopes: Collection[str], now: datetime) -> str:
    """A token for `session_id`, signed with the first key of the ring. `scope` informs the caller, it grants nothing."""
    key_id, key = next(iter(_ring(settings.JWT_SIGNING_KEYS).items()))
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "sid": session_id,
        "type": KIND,
        "scope": " ".join(sorted(scopes)),
        "jti": new_id("jwt"),
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})


def read_access_token(token: str, *, now: datetime) -> str:
    """The session that a token belongs to. Raises BadToken."""
    try:
        key = _ring(settings.JWT_SIGNING_KEYS)[jwt.get_unverified_header(token)["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False},  # by the clock that is given, below
        )
    except (jwt.PyJWTError, KeyError, TypeError) as exc:
        raise BadToken(type(exc).__name__) from exc
    issued, expires = claims["iat"], claims["exp"]
    if claims["type"] != KIND or type(issued) is not int or type(expires) is not int:
        raise BadToken("claims")
    if not issued <= now.timestamp() < expires:
        raise BadToken("expired")
    return str(claims["sid"])


@lru_cache(maxsize=4)
def _ring(text: str) -> dict[str, bytes]:
    pairs = (item.split(":", 1) for item in text.split(",") if item)
    return {key_id: base64.b64decode(key) for key_id, key in pairs}
