"""A merchant's side of the API, and what every API test needs: proof that nothing was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from common.models import AuditRecord, Fact
from merchants.models import ApiKey, IdempotencyRecord, Merchant
from payments.models import Operation, Payment, Refund, Transaction
from tests.factories import ApiKeyFactory, MerchantFactory, ProviderAccountFactory, api_key_secret

COUNTED = (Transaction, Payment, Operation, Refund, Fact, AuditRecord, IdempotencyRecord)


class Api:
    """Calls as one API key. Bodies are sent as they are (bytes, text) or as JSON."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.merchant: Merchant = key.merchant
        self.headers = {"X-API-Key": api_key_secret(key)}
        self._client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> HttpResponse:
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.call("POST", path, body, **headers)

    def call(self, method: str, path: str, body: Any = b"", **headers: str) -> HttpResponse:
        content_type = headers.pop("content_type", "application/json")
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self._client.generic(
            method, f"/api/v1{path}", data, content_type=content_type, headers=self.headers | headers
        )


def api_for(merchant: Merchant | None = None, **key: Any) -> Api:
    """An Api for a merchant that has FPX and card accounts in the key's mode."""
    merchant = merchant or MerchantFactory()
    for provider in ("fpx", "migs"):
        if not merchant.provider_accounts.filter(provider=provider, live=key.get("live", False)).exists():
            ProviderAccountFactory(merchant=merchant, provider=provider, live=key.get("live", False))
    return Api(ApiKeyFactory(merchant=merchant, **key))


def new_body(**changes: Any) -> dict[str, Any]:
    """A card payment of 100.50 MYR; `changes` replace fields."""
    return {"paymentTypeId": "migs", "amount": 100.50, "currencyCode": "MYR"} | changes


def counts() -> Mapping[str, int]:
    return {model.__name__: model.objects.count() for model in COUNTED}


def content(response: HttpResponse) -> Any:
    """The JSON of a success."""
    assert response.status_code in (200, 201), response.content
    return json.loads(response.content)


def refusal(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The error of a refusal, which is checked to have the documented shape."""
    assert response.status_code == status, response.content
    content = json.loads(response.content)
    assert content.keys() == {"error"}
    error: dict[str, Any] = content["error"]
    assert error.keys() == {"code", "message", "details", "timestamp", "requestId"}
    assert error["code"] == code, error
    assert error["requestId"] == response["X-Request-Id"] != ""
    assert error["timestamp"].endswith("Z")
    return error


@pytest.fixture
def api(db: None) -> Api:
    return api_for()
