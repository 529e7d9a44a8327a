"""Signing in, refreshing and signing out (S2): for callers who are nobody yet, so they are counted by address and by user name."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers

from merchants import rates
from merchants.api.addresses import client_address
from merchants.api.base import MerchantRequest, MerchantView, answer
from merchants.api.errors import request_id_of
from merchants.api.fields import Fields
from merchants.api.schema import TYPED, text
from merchants.api.throttling import limit
from merchants.services.sessions import Tokens, session_end, session_refresh, sign_in
from merchants.tokens import LIFETIME

_LONGEST_PASSWORD = 200

TokensOut = inline_serializer(
    "TokensOut",
    {
        "access_token": serializers.CharField(),
        "refresh_token": serializers.CharField(help_text="Works once; the answer to it has the next one."),
        "token_type": serializers.ChoiceField(("Bearer",)),
        "expires_in": serializers.IntegerField(help_text="Seconds."),
        "scope": serializers.CharField(help_text="Separated by spaces."),
    },
)
RefreshTokenIn = inline_serializer("RefreshTokenIn", {"refresh_token": text(200)})


class OpenView(MerchantView):
    """A route without a caller: no credential is read, no scope asked, and every call counts against the address."""

    authentication_classes = []
    permission_classes = []

    def _authenticate(self, request: MerchantRequest) -> None:
        address = client_address(request._request)
        self._count(limit(scope=rates.SIGN_IN_ADDRESS, plan=rates.NO_PLAN, credential=f"at:{address}", address=address))


class Login(OpenView):
    @extend_schema(
        operation_id="login",
        auth=[],
        request=inline_serializer(
            "LoginIn", {"username": text(80), "password": text(_LONGEST_PASSWORD, pattern=TYPED)}
        ),
        responses={200: TokensOut},
    )
    def post(self, request: MerchantRequest) -> HttpResponse:
        """Sign in. Ten wrong passwords lock a user for half an hour."""
        fields = Fields(request.json)
        username = fields.text("username", maximum=80, required=True)
        password = fields.raw_text("password", maximum=_LONGEST_PASSWORD)
        fields.finish()
        name = hashlib.sha256(username.encode()).hexdigest()[:32]  # anybody may invent names: ours are short
        address = client_address(request._request)
        self._count(limit(scope=rates.SIGN_IN_USER, plan=rates.NO_PLAN, credential=f"as:{name}", address=address))
        return _answer(
            sign_in(
                username=username,
                password=password,
                request_id=request_id_of(request._request),
                now=timezone.now(),
            )
        )


class Refresh(OpenView):
    @extend_schema(operation_id="refreshToken", auth=[], request=RefreshTokenIn, responses={200: TokensOut})
    def post(self, request: MerchantRequest) -> HttpResponse:
        """New tokens for old. A refresh token works once: showing one again ends its session."""
        return _answer(
            session_refresh(
                refresh_token=_refresh_token(request),
                request_id=request_id_of(request._request),
                now=timezone.now(),
            )
        )


class Logout(OpenView):
    @extend_schema(operation_id="logout", auth=[], request=RefreshTokenIn, responses={204: None})
    def post(self, request: MerchantRequest) -> HttpResponse:
        """End the session of a refresh token. Its access tokens stop working within seconds."""
        session_end(
            refresh_token=_refresh_token(request), request_id=request_id_of(request._request), now=timezone.now()
        )
        return HttpResponse(status=204)


def _refresh_token(request: MerchantRequest) -> str:
    fields = Fields(request.json)
    token = fields.text("refresh_token", maximum=200, required=True)
    fields.finish()
    return token


def _answer(tokens: Tokens) -> HttpResponse:
    content: dict[str, Any] = {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_type": "Bearer",
        "expires_in": int(LIFETIME.total_seconds()),
        "scope": " ".join(tokens.scopes),
    }
    return answer(content)
