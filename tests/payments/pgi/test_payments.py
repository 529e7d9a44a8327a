"""/v1/payments in the words of S4, on the services of the native API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from payments.models import Account, Refund, Transaction
from tests.factories import new_account, new_transaction
from tests.support.api import Api, api_for, counts

pytestmark = pytest.mark.django_db(transaction=True)


class Pgi:
    """A merchant that calls with `Authorization: Bearer <API key>`, with 100.00 USD on one account and nothing on the other."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.payer, self.payee = (new_account(api.merchant, minor).pk for minor in (10_000, 0))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        given = {"Authorization": f"Bearer {self.api.headers['X-API-Key']}"} | headers
        data = b"" if body is None else json.dumps(body).encode()
        return Client().generic(method, f"/v1/payments{path}", data, "application/json", headers=given)

    def pay(self, **changes: Any) -> HttpResponse:
        body = {"amount": 50.00, "currency": "USD", "fromAccount": self.payer, "toMerchant": self.payee}
        return self.call("POST", "", body | changes)

    def balances(self) -> tuple[int, int]:
        first, second = (Account.objects.get(pk=pk).available.minor for pk in (self.payer, self.payee))
        return first, second


@pytest.fixture
def pgi(api: Api) -> Pgi:
    return Pgi(api)


def error(response: HttpResponse) -> tuple[int, str]:
    content = json.loads(response.content)
    assert content.keys() == {"error"}
    assert content["error"].keys() == {"code", "message"}
    return response.status_code, content["error"]["code"]


def test_a_payment_moves_money_and_can_be_read(pgi):
    made = pgi.pay()
    payment = json.loads(made.content)
    read = pgi.call("GET", f"/{payment['id']}")

    assert made.status_code == 201
    assert json.loads(read.content) == payment
    assert b'"amount":50.00,' in read.content
    assert payment.pop("timestamp").endswith("Z")
    assert payment == {
        "id": Transaction.objects.get().pk,
        "amount": 50.0,
        "currency": "USD",
        "status": "Completed",
        "fromAccount": pgi.payer,
        "toMerchant": pgi.payee,
    }
    assert pgi.balances() == (5_000, 5_000)


def test_refunds(pgi):
    payment_id = json.loads(pgi.pay().content)["id"]
    part = pgi.call("POST", f"/{payment_id}/refunds", {"amount": "10.25", "reason": "returned"})
    rest = pgi.call("POST", f"/{payment_id}/refunds", {})
    more = pgi.call("POST", f"/{payment_id}/refunds", {})
    listed = json.loads(pgi.call("GET", f"/{payment_id}/refunds").content)

    assert (part.status_code, rest.status_code) == (201, 201)
    assert listed == {"data": [json.loads(rest.content), json.loads(part.content)], "nextCursor": None}
    assert [(refund["amount"], refund["status"], refund["reason"]) for refund in listed["data"]] == [
        (39.75, "Succeeded", "refund"),
        (10.25, "Succeeded", "returned"),
    ]
    assert error(more) == (409, "INVALID_STATE")
    assert json.loads(pgi.call("GET", f"/{payment_id}").content)["status"] == "Refunded"
    assert pgi.balances() == (10_000, 0)


def test_a_key_pays_once_and_keeps_its_refusal(pgi):
    body = {"amount": 50, "currency": "USD", "fromAccount": pgi.payer, "toMerchant": pgi.payee}
    too_much = body | {"amount": 900}
    answers = [pgi.call("POST", "", body, **{"Idempotency-Key": "k1"}) for _ in range(2)]
    refusals = [pgi.call("POST", "", too_much, **{"Idempotency-Key": "k2"}) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert answers[1]["Idempotent-Replayed"] == refusals[1]["Idempotent-Replayed"] == "true"
    assert refusals[0].content == refusals[1].content
    assert error(refusals[1]) == (422, "INSUFFICIENT_FUNDS")
    assert pgi.balances() == (5_000, 5_000)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": 100.01}, (422, "INSUFFICIENT_FUNDS")),
        ({"amount": 0}, (400, "INVALID_REQUEST")),
        ({"amount": "10.005"}, (400, "INVALID_REQUEST")),
        ({"currency": "ABC"}, (422, "UNSUPPORTED_CURRENCY")),
        ({"currency": "EUR"}, (422, "UNSUPPORTED_CURRENCY")),
        ({"toMerchant": "acc_nobody"}, (404, "NOT_FOUND")),
        ({"fromAccount": None}, (400, "INVALID_REQUEST")),
        ({"status": "Completed"}, (400, "INVALID_REQUEST")),
    ],
)
def test_refusals_move_nothing(pgi, changes, refusal):
    assert error(pgi.pay(**changes)) == refusal
    assert pgi.balances() == (10_000, 0)
    assert not Transaction.objects.exists()


def test_others_see_nothing(pgi):
    payment_id = json.loads(pgi.pay().content)["id"]
    other, reader = Pgi(api_for()), api_for(pgi.api.merchant, scopes=["transaction:read"])

    assert error(other.call("GET", f"/{payment_id}")) == (404, "NOT_FOUND")
    assert error(other.call("GET", f"/{payment_id}/refunds")) == (404, "NOT_FOUND")
    assert error(other.call("POST", f"/{payment_id}/refunds", {})) == (404, "NOT_FOUND")
    assert error(other.pay(fromAccount=pgi.payer)) == (404, "NOT_FOUND")
    assert error(pgi.call("GET", f"/{payment_id}", Authorization="Bearer nobody")) == (401, "UNAUTHORIZED")
    pgi.api = reader
    assert error(pgi.pay()) == (403, "FORBIDDEN")
    assert error(pgi.call("POST", f"/{payment_id}/refunds", {})) == (403, "FORBIDDEN")
    assert error(pgi.call("DELETE", f"/{payment_id}"))[0] == 405
    assert not Refund.objects.exists()


def test_a_payment_through_a_provider_is_not_of_this_document(pgi):
    account = pgi.api.merchant.provider_accounts.get(provider="fpx")
    assert error(pgi.call("GET", f"/{new_transaction(account).transaction.pk}")) == (404, "NOT_FOUND")


def test_details_are_validated_and_nothing_moves(pgi):
    before = counts()

    good = pgi.call(
        "POST", "/validate", {"amount": 50, "currency": "USD", "fromAccount": pgi.payer, "toMerchant": pgi.payee}
    )

    assert (good.status_code, json.loads(good.content)) == (200, {"valid": True, "errors": []})
    assert (pgi.balances(), counts()) == ((10_000, 0), before)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"amount": "1e2"}, [("INVALID_REQUEST", "amount")]),
        ({"amount": None, "toMerchant": ""}, [("INVALID_REQUEST", "amount"), ("INVALID_REQUEST", "toMerchant")]),
        ({"amount": 100.01}, [("INSUFFICIENT_FUNDS", None)]),
        ({"currency": "MYR"}, [("UNSUPPORTED_CURRENCY", None)]),
        ({"currency": "ZZZ"}, [("UNSUPPORTED_CURRENCY", None)]),
        ({"toMerchant": "acc_nobody"}, [("NOT_FOUND", None)]),
        ({"colour": "red"}, [("INVALID_REQUEST", "colour")]),
    ],
)
def test_details_that_would_be_refused_are_said_to_be(pgi, changes, errors):
    body = {"amount": 50, "currency": "USD", "fromAccount": pgi.payer, "toMerchant": pgi.payee} | changes
    before = counts()

    said = pgi.call("POST", "/validate", body)

    content = json.loads(said.content)
    assert (said.status_code, content["valid"]) == (200, False)
    assert sorted((one["code"], one["field"]) for one in content["errors"]) == errors
    assert all(one["message"] for one in content["errors"])
    assert counts() == before


def test_the_same_account_on_both_sides_is_named_in_the_document_s_words(pgi):
    body = {"amount": 50, "currency": "USD", "fromAccount": pgi.payer, "toMerchant": pgi.payer}

    [said] = json.loads(pgi.call("POST", "/validate", body).content)["errors"]

    assert (said["code"], said["field"]) == ("INVALID_REQUEST", "toMerchant")


def test_what_cannot_be_read_or_is_not_allowed_is_no_validation(pgi):
    assert error(pgi.call("POST", "/validate", [])) == (400, "INVALID_REQUEST")
    assert error(pgi.call("POST", "/validate", {"amount": 1}, Authorization="Bearer nobody")) == (401, "UNAUTHORIZED")
    assert error(pgi.call("GET", "/validate"))[0] == 405
    pgi.api = api_for(pgi.api.merchant, scopes=["transaction:read"])
    assert error(pgi.call("POST", "/validate", {"amount": 1})) == (403, "FORBIDDEN")


def test_a_refusal_names_the_fields_of_the_document(pgi):
    answer = json.loads(pgi.pay(toMerchant=pgi.payer).content)

    assert answer == {"error": {"code": "INVALID_REQUEST", "message": "Not right: toMerchant."}}


@pytest.mark.parametrize("path", ["/v1/", "/v1/nope", "/v1/payments/x/y", "/v1/payments/"])
def test_what_is_no_route_is_answered_in_the_same_shape(pgi, path):
    response = Client().get(path, headers={"Authorization": f"Bearer {pgi.api.headers['X-API-Key']}"})

    assert error(response) == (404, "NOT_FOUND")
