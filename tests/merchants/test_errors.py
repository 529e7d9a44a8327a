"""Every failure has one shape, whatever layer it comes from. The database's own failures are real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.http import HttpResponse
from django.test import RequestFactory

from common.rows import StaleRow
from merchants.api.base import MerchantRequest, MerchantView
from merchants.api.errors import translate
from merchants.scopes import Scope
from payments.models import Transaction
from tests.factories import ProviderAccountFactory, api_key_secret, captured_transaction, new_transaction
from tests.support.api import Api, refusal


def answer_of(api: Api, act: Callable[[], Any]) -> HttpResponse:
    """The answer of a route that does `act`."""

    class Route(MerchantView):
        required_scopes = {"GET": Scope.TRANSACTION_READ}

        def get(self, request: MerchantRequest) -> HttpResponse:
            act()
            return HttpResponse()

    request = RequestFactory().get("/x", headers={"X-API-Key": api_key_secret(api.key)})
    request.request_id = "req_test"  # type: ignore[attr-defined]  # what the middleware does
    response: HttpResponse = Route.as_view()(request)
    response["X-Request-Id"] = "req_test"
    return response


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_not_there(api: Api, method: str) -> None:
    response = api.call(method, "/transactions")

    refusal(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, POST, HEAD"


@pytest.mark.parametrize("path", ["", "/", "/nonsense", "/transactions/", "/transactions/a/b/c", "/../v2", "/%00"])
def test_a_route_that_is_not_there(api: Api, path: str) -> None:
    refusal(api.get(path), 404, "NOT_FOUND")


def test_an_answer_nobody_can_give(api: Api) -> None:
    refusal(api.get("/payment-types", Accept="text/html"), 406, "NOT_ACCEPTABLE")
    assert api.get("/payment-types", Accept="text/html, application/*;q=0.5").status_code == 200


def test_a_parameter_given_twice(api: Api) -> None:
    refusal(api.get("/transactions?limit=1&limit=2"), 400, "INVALID_REQUEST")


def test_what_was_not_anticipated_tells_nothing_and_is_logged_once(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def act() -> None:
        raise ZeroDivisionError("secret sauce")

    response = answer_of(api, act)

    error = refusal(response, 500, "INTERNAL_ERROR")
    assert (error["message"], error["details"]) == ("Something went wrong on our side. It has been noted.", {})
    assert b"sauce" not in response.content
    assert sum("api.unexpected_error" in record.getMessage() for record in caplog.records) == 1


def test_a_change_that_a_trigger_refuses(api: Api) -> None:
    transaction = new_transaction(ProviderAccountFactory(provider="migs", merchant=api.merchant)).transaction

    def act() -> None:
        Transaction.objects.filter(pk=transaction.pk).update(status="REFUNDED")

    response = answer_of(api, act)

    refusal(response, 409, "INVALID_STATE")
    assert b"REFUNDED" not in response.content


def test_a_value_the_database_cannot_hold(api: Api) -> None:
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 10000000000::int")

    refusal(answer_of(api, act), 400, "INVALID_REQUEST")


def test_a_row_that_changed_meanwhile() -> None:
    error = translate(StaleRow("1 guarded update found none"))

    assert (error.status, error.code) == (409, "REQUEST_IN_PROGRESS")


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held(api: Api) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with psycopg.connect(**connection.get_connection_params(), autocommit=False) as other:
            other.execute("SELECT 1 FROM transaction WHERE id = %s FOR UPDATE", [transaction.pk])
            held.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    try:
        response = api.post(f"/transactions/{transaction.pk}/refunds", {"reason": "x"}, key="k")
    finally:
        release.set()
        holder.join()
        connection.close()

    refusal(response, 409, "REQUEST_IN_PROGRESS")
    assert response["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/payment-types").status_code == 200  # the key is known, so the route itself meets the fault
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "PORT", "1")
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "127.0.0.1")

    response = api.get("/transactions")

    refusal(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"] == "5"


def test_a_deadlock_is_no_outage() -> None:
    exc = OperationalError("deadlock detected")
    exc.__cause__ = psycopg.errors.DeadlockDetected("deadlock detected")

    assert translate(exc).code == "REQUEST_IN_PROGRESS"
