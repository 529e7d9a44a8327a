"""No merchant ever meets another's objects, and no key another key's scopes: over every route there is.

The routes come from the URL resolver, so a new one fails here until it is listed with the object it names and the scope it asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from common.changes import Actor
from merchants.api.base import MerchantView
from merchants.scopes import Scope
from notifications.models import WebhookDelivery
from payments.models import Refund, Transaction
from reconciliation.services.settle import books, settle_book
from tests.factories import (
    NOW,
    ApiKeyFactory,
    ProviderAccountFactory,
    captured_transaction,
    new_account,
    new_transaction,
    sale_of,
    settle,
)
from tests.notifications import given
from tests.support.api import Api, api_for, counts, refusal

PREFIX = "api/v1/"
DONE = (200, 201, 202, 204)


@dataclass(frozen=True)
class Route:
    """`make` creates the object that the address names; `bodies` are valid ones for the methods that write."""

    scopes: Mapping[str, Scope | None]  # None: a route for callers who are nobody yet
    make: Callable[[Api], str] | None = None
    bodies: Mapping[str, Any] | None = None
    query: str = ""


def a_transaction(api: Api) -> str:
    return captured_transaction(api.merchant.provider_accounts.get(provider="migs", live=api.key.live)).pk


def a_refund(api: Api) -> str:
    answer = api.post(f"/transactions/{a_transaction(api)}/refunds", {"reason": "x"}, key="make")
    return str(json.loads(answer.content)["id"])


def an_authorisation(api: Api) -> str:
    account = ProviderAccountFactory(
        merchant=api.merchant, provider="migs", live=api.key.live, mode="authorise", priority=1
    )
    transaction = new_transaction(account, manual_capture=True).transaction
    settle(sale_of(transaction))
    return transaction.pk


def an_account(api: Api) -> str:
    return new_account(api.merchant, 100, live=api.key.live).pk


def a_key(api: Api) -> str:
    return ApiKeyFactory(merchant=api.merchant, live=api.key.live, scopes=["api_key:manage"]).pk


def an_endpoint(api: Api) -> str:
    return given.endpoint(merchant_id=api.merchant.pk, live=api.key.live)[0].pk


def a_dead_delivery(api: Api) -> str:
    delivery = given.delivery(given.endpoint(merchant_id=api.merchant.pk, live=api.key.live)[0])
    WebhookDelivery.objects.filter(pk=delivery.pk).update(state="DEAD", due_at=None)
    return delivery.pk


def a_settlement(api: Api) -> str:
    a_transaction(api)
    [book] = books(api.merchant.code)
    [made] = settle_book(book, day=NOW.date(), actor=Actor("system:test"), now=NOW + timedelta(hours=13))
    return made.pk


SETTLED = {"GET": Scope.SETTLEMENT_READ}
READ, CREATE, GIVE_BACK = Scope.TRANSACTION_READ, Scope.TRANSACTION_CREATE, Scope.REFUND_CREATE
HOOKS, KEYS = Scope.WEBHOOK_MANAGE, Scope.API_KEY_MANAGE
ROUTES = {
    "transactions": Route({"GET": READ, "POST": CREATE}, bodies={"POST": {"paymentTypeId": "migs", "amount": 1}}),
    "transactions/<str:transaction_id>": Route({"GET": READ}, a_transaction),
    "transactions/<str:transaction_id>/status": Route({"GET": READ}, a_transaction),
    "transactions/<str:transaction_id>/events": Route({"GET": READ}, a_transaction),
    "transactions/<str:transaction_id>/refunds": Route(
        {"GET": READ, "POST": GIVE_BACK}, a_transaction, {"POST": {"reason": "x"}}
    ),
    "transactions/<str:transaction_id>/capture": Route({"POST": CREATE}, an_authorisation),
    "transactions/<str:transaction_id>/cancel": Route({"POST": CREATE}, an_authorisation),
    "refunds/<str:refund_id>": Route({"GET": READ}, a_refund),
    "accounts": Route({"GET": Scope.ACCOUNT_READ}),
    "accounts/<str:account_id>": Route({"GET": Scope.ACCOUNT_READ}, an_account),
    "accounts/<str:account_id>/balance": Route(
        {"GET": Scope.ACCOUNT_READ}, an_account, query="?at=2026-03-02T04:00:00Z"
    ),
    "accounts/<str:account_id>/entries": Route({"GET": Scope.ACCOUNT_READ}, an_account),
    "payment-types": Route({"GET": READ}),
    "banks": Route({"GET": READ}, query="?paymentTypeId=fpx"),
    "transactions/<str:transaction_id>/money": Route(SETTLED, a_transaction),
    "settlements": Route(SETTLED),
    "settlements/<str:settlement_id>": Route(SETTLED, a_settlement),
    "settlements/<str:settlement_id>/lines": Route(SETTLED, a_settlement),
    "settlements/<str:settlement_id>/statement": Route(SETTLED, a_settlement, query="?format=csv"),
    "auth/login": Route({"POST": None}),
    "auth/refresh": Route({"POST": None}),
    "auth/logout": Route({"POST": None}),
    "api-keys": Route(
        {"GET": KEYS, "POST": KEYS}, bodies={"POST": {"name": "second server", "scopes": ["api_key:manage"]}}
    ),
    "api-keys/<str:key_id>": Route({"GET": KEYS}, a_key),
    "api-keys/<str:key_id>/rotate": Route({"POST": KEYS}, a_key),
    "api-keys/<str:key_id>/revoke": Route({"POST": KEYS}, a_key),
    "webhook-endpoints": Route({"GET": HOOKS, "POST": HOOKS}, bodies={"POST": {"url": "http://127.0.0.1:8200/hook"}}),
    "webhook-endpoints/<str:endpoint_id>": Route(
        {"GET": HOOKS, "PATCH": HOOKS, "DELETE": HOOKS}, an_endpoint, {"PATCH": {"description": "x"}}
    ),
    "webhook-endpoints/<str:endpoint_id>/rotate-secret": Route({"POST": HOOKS}, an_endpoint),
    "webhook-endpoints/<str:endpoint_id>/test": Route({"POST": HOOKS}, an_endpoint),
    "webhook-deliveries": Route({"GET": HOOKS}),
    "webhook-deliveries/replay": Route(
        {"POST": HOOKS}, bodies={"POST": {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}}
    ),
    "webhook-deliveries/<str:delivery_id>": Route({"GET": HOOKS}, a_dead_delivery),
    "webhook-deliveries/<str:delivery_id>/replay": Route({"POST": HOOKS}, a_dead_delivery),
}


def routes() -> Iterator[tuple[str, Any]]:
    """Every route below /api/v1/ with its view class."""

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            address = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, address)
            elif address.startswith(PREFIX):
                yield address.removeprefix(PREFIX), getattr(pattern.callback, "cls", pattern.callback)

    yield from walk(get_resolver().url_patterns, "")


def with_object() -> list[tuple[str, str]]:
    """(route, method) of those that name an object."""
    return [(name, method) for name, route in ROUTES.items() if route.make for method in route.scopes]


def address(name: str, pk: str) -> str:
    before, _, after = name.partition("<")
    return f"/{before}{pk}{after.partition('>')[2]}{ROUTES[name].query}"


def call(api: Api, name: str, method: str, pk: str) -> Any:
    body = (ROUTES[name].bodies or {}).get(method, b"")
    return api.call(method, address(name, pk), body, **({"Idempotency-Key": "k"} if method == "POST" else {}))


def test_every_route_is_listed_with_the_scopes_it_asks() -> None:
    found = dict(routes())
    assert all(issubclass(view, MerchantView) for view in found.values())

    asked = {
        name: {
            method.upper(): view.required_scopes.get(method.upper())
            for method in view.http_method_names
            if hasattr(view, method)
        }
        for name, view in found.items()
    }

    assert asked == {name: dict(route.scopes) for name, route in ROUTES.items()}
    assert all(("<" in name) == (route.make is not None) for name, route in ROUTES.items())


@pytest.mark.parametrize("name, method", with_object())
@pytest.mark.parametrize("who", ["another merchant", "the same merchant in the other mode"])
@pytest.mark.django_db
def test_another_merchants_object_is_like_none(name: str, method: str, who: str) -> None:
    owner = api_for(live=False)
    make = ROUTES[name].make
    assert make is not None
    pk = make(owner)
    stranger = api_for(live=False) if who == "another merchant" else api_for(owner.merchant, live=True)
    before = counts()

    foreign, absent = (call(stranger, name, method, key) for key in (pk, pk[:4] + "0" * 26))

    errors = [refusal(response, 404, "NOT_FOUND") for response in (foreign, absent)]
    assert [(error["message"], error["details"]) for error in errors] == [(errors[0]["message"], {})] * 2
    assert {name for name, _ in foreign.items()} == {name for name, _ in absent.items()}
    assert counts() == before
    assert call(owner, name, method, pk).status_code in DONE


def with_scope() -> list[tuple[str, str]]:
    return [(name, method) for name, route in ROUTES.items() for method, scope in route.scopes.items() if scope]


@pytest.mark.parametrize("name, method", with_scope())
@pytest.mark.django_db
def test_each_route_asks_for_its_scope_and_no_other(name: str, method: str) -> None:
    owner = api_for()
    scope = ROUTES[name].scopes[method]
    assert scope is not None
    make = ROUTES[name].make
    pk = make(owner) if make else ""
    others = api_for(owner.merchant, scopes=[other.value for other in Scope if other is not scope])
    exact = api_for(owner.merchant, scopes=[scope.value])
    before = counts()

    error = refusal(call(others, name, method, pk), 403, "FORBIDDEN")

    assert error["details"] == {"requiredScope": scope}
    assert counts() == before
    assert call(exact, name, method, pk).status_code in DONE


@pytest.mark.django_db
def test_lists_hold_only_ones_own() -> None:
    one, other = api_for(), api_for()
    other_mode = api_for(one.merchant, live=True)
    mine = a_refund(one)
    for stranger in (other, other_mode):
        a_refund(stranger)

    listed = json.loads(one.get("/transactions").content)["data"]

    assert [row["id"] for row in listed] == [Refund.objects.get(pk=mine).transaction_id]
    assert Transaction.objects.count() == 3
    foreign = Transaction.objects.filter(merchant=other.merchant).get()
    for query in (f"externalReference={foreign.pk}", "status=COMPLETED", "amountMin=1"):
        rows = json.loads(one.get(f"/transactions?{query}").content)["data"]
        assert foreign.pk not in [row["id"] for row in rows]
