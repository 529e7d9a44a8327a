"""Who is calling: an API key in `X-API-Key` or `Authorization: Bearer`, or there the access token of somebody who signed in.

Whatever is wrong with the credential (absent, malformed, forged, unknown, expired, revoked, used from another address, two different
ones), the answer is the same 401; only our log says why.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import structlog
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from common.errors import Unauthorized
from merchants.api.addresses import client_address
from merchants.caller import Caller
from merchants.credentials import known_key, known_session
from merchants.tokens import BadToken, looks_like_token, read_access_token

log = structlog.get_logger(__name__)

CHALLENGE = 'Bearer realm="counterfoil"'
_API_KEY = re.compile(r"cfk_(?:live|test)_[A-Za-z0-9_-]{43}", re.ASCII)


class MerchantAuthentication(BaseAuthentication):
    """`request.auth` becomes the Caller. There is no request.user: merchants are not people."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        return None, caller_of(request._request)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def caller_of(request: HttpRequest) -> Caller:
    """The caller. Raises Unauthorized."""
    credentials = _credentials(request)
    if len(credentials) != 1:
        raise _refused("absent" if not credentials else "ambiguous")
    credential = credentials.pop()
    now = timezone.now()
    if _API_KEY.fullmatch(credential):
        return _holder_of_key(credential, client_address(request), now)
    if looks_like_token(credential):
        return _holder_of_token(credential, now)
    raise _refused("malformed")


def _holder_of_key(secret: str, address: str, now: datetime) -> Caller:
    key = known_key(secret, now=now)
    if key is None:
        raise _refused("unknown")
    if not key.admits(address, now=now):
        raise _refused("not_admitted", caller=key.caller.name)
    return key.caller


def _holder_of_token(token: str, now: datetime) -> Caller:
    try:
        caller = known_session(read_access_token(token, now=now))
    except BadToken as exc:
        raise _refused("bad_token", what=str(exc)) from exc
    if caller is None:
        raise _refused("session_ended")
    return caller


def _credentials(request: HttpRequest) -> set[str]:
    """What was given, "" for what is there and cannot be read."""
    given = set()
    if "HTTP_X_API_KEY" in request.META:
        given.add(request.META["HTTP_X_API_KEY"])
    if "HTTP_AUTHORIZATION" in request.META:
        scheme, _, token = request.META["HTTP_AUTHORIZATION"].partition(" ")
        given.add(token.strip(" ") if scheme.lower() == "bearer" else "")
    return given


def _refused(reason: str, **fields: str) -> Unauthorized:
    log.info("authentication.refused", reason=reason, **fields)
    return Unauthorized(
        "Give one API key or access token that is valid, not expired or revoked, and allowed from your address."
    )


class MerchantAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes it."""

    target_class = MerchantAuthentication
    name = ["ApiKey", "Bearer"]  # as drf-spectacular declares it

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "http", "scheme": "bearer", "description": "An access token or an API key."},
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]  # either of them
