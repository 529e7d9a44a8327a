"""The routes of API keys: a merchant lists, makes, rotates and revokes its own, in its own mode.

Nobody gives rights they do not have: neither a new key nor the successor of an old one has a scope or a network that the caller
lacks. No Idempotency-Key here: the answer holds a secret, which is kept nowhere in clear, not even for a repeat.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers

from merchants.api.base import MerchantRequest, MerchantView, answer
from merchants.api.fields import Fields
from merchants.api.pagination import read_page
from merchants.api.rendering import instant
from merchants.api.schema import PAGING, Shape, page_of, text
from merchants.models import ApiKey
from merchants.scopes import Scope
from merchants.selectors import api_key_of, api_keys_of
from merchants.services.api_keys import LIFETIME, OVERLAP, api_key_create, api_key_revoke, api_key_rotate


class ApiKeyOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The visible beginning of the secret.")
    scopes = serializers.ListField(child=serializers.ChoiceField([scope.value for scope in Scope]))
    allowedNetworks = serializers.ListField(child=serializers.CharField(), help_text="CIDR; empty: from everywhere.")
    live = serializers.BooleanField()
    status = serializers.ChoiceField(("ACTIVE", "EXPIRED", "REVOKED"))
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField()
    revokedAt = serializers.DateTimeField(allow_null=True)
    lastUsedAt = serializers.DateTimeField(allow_null=True)


class ApiKeyWithSecret(ApiKeyOut):
    secret = serializers.CharField(help_text="Shown this once.")


class ApiKeyIn(serializers.Serializer[Any]):
    name = text(80)
    scopes = serializers.ListField(
        child=serializers.ChoiceField([scope.value for scope in Scope]),
        min_length=1,
        help_text="None that your own key lacks.",
    )
    allowedNetworks = Shape(
        {"type": ["array", "null"], "items": {"type": "string", "format": "ip-network"}},
        required=False,
        help_text="Addresses or CIDR blocks; empty: from everywhere.",
    )
    expiresInDays = Shape({"type": ["integer", "null"], "minimum": 1, "maximum": 366, "default": 90}, required=False)

    example = {"name": "second server", "scopes": ["transaction:read"], "allowedNetworks": ["203.0.113.0/24"]}


class ApiKeyView(MerchantView):
    required_scopes = dict.fromkeys(("GET", "POST"), Scope.API_KEY_MANAGE)


class ApiKeys(ApiKeyView):
    @extend_schema(operation_id="listApiKeys", parameters=PAGING, responses={200: page_of(ApiKeyOut)})
    def get(self, request: MerchantRequest) -> HttpResponse:
        """Your keys in this mode, newest first; those that no longer work too."""
        page = read_page(request._request.GET)
        rows = page.of(api_keys_of(request.caller))
        return answer(page.answer(rows, [api_key_json(key) for key in rows[: page.limit]]))

    @extend_schema(operation_id="createApiKey", request=ApiKeyIn, responses={201: ApiKeyWithSecret})
    def post(self, request: MerchantRequest) -> HttpResponse:
        """A new key in this mode, within the networks of the key that makes it. Its secret is shown this once."""
        fields = Fields(request.json)
        name = fields.text("name", maximum=80, required=True)
        scopes = fields.texts("scopes", required=True)
        networks = fields.texts("allowedNetworks")
        days = fields.whole("expiresInDays", least=1, most=366, default=LIFETIME.days)
        fields.finish()
        key, secret = api_key_create(
            merchant_id=request.caller.merchant_id,
            live=request.caller.live,
            name=name,
            scopes=scopes,
            allowed_networks=networks,
            lifetime=timedelta(days=days),
            giver=request.caller,
            actor=request.actor,
            now=timezone.now(),
        )
        return answer(api_key_json(key) | {"secret": secret}, status=201)


class OneApiKey(ApiKeyView):
    @extend_schema(operation_id="getApiKey", responses={200: ApiKeyOut})
    def get(self, request: MerchantRequest, key_id: str) -> HttpResponse:
        """One key, without its secret."""
        return answer(api_key_json(api_key_of(request.caller, key_id)))


class ApiKeyRotation(ApiKeyView):
    body_optional = True

    @extend_schema(
        operation_id="rotateApiKey",
        request=inline_serializer(
            "ApiKeyRotationIn",
            {
                "overlapDays": Shape(
                    {"type": ["integer", "null"], "minimum": 0, "maximum": 30, "default": 7},
                    required=False,
                    help_text="How long the old key still works.",
                )
            },
        ),
        responses={201: ApiKeyWithSecret},
    )
    def post(self, request: MerchantRequest, key_id: str) -> HttpResponse:
        """A successor with the same rights for another 90 days. The old key works on for the overlap, never longer than it had."""
        fields = Fields(request.json)
        days = fields.whole("overlapDays", least=0, most=30, default=OVERLAP.days)
        fields.finish()
        key, secret = api_key_rotate(
            key_id=api_key_of(request.caller, key_id).pk,
            giver=request.caller,
            overlap=timedelta(days=days),
            actor=request.actor,
            now=timezone.now(),
        )
        return answer(api_key_json(key) | {"secret": secret}, status=201)


class ApiKeyRevocation(ApiKeyView):
    has_body = False

    @extend_schema(operation_id="revokeApiKey", request=None, responses={200: ApiKeyOut})
    def post(self, request: MerchantRequest, key_id: str) -> HttpResponse:
        """The key stops working: everywhere within seconds, for good. Repeating it changes nothing."""
        key = api_key_revoke(key_id=api_key_of(request.caller, key_id).pk, actor=request.actor, now=timezone.now())
        return answer(api_key_json(key))


def api_key_json(key: ApiKey) -> dict[str, Any]:
    """A key without its secret."""
    status = "ACTIVE" if key.expires_at > timezone.now() else "EXPIRED"
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "allowedNetworks": key.allowed_networks,
        "live": key.live,
        "status": status if key.revoked_at is None else "REVOKED",
        "createdAt": instant(key.created_at),
        "expiresAt": instant(key.expires_at),
        "revokedAt": instant(key.revoked_at),
        "lastUsedAt": instant(key.last_used_at),
    }
