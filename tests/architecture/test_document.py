"""The OpenAPI document as a whole: valid, complete, and its examples are true to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from common.errors import CounterfoilError
from common.events import EVENT_OF_FACT, EVENT_TYPES, TEST_EVENT, render_body
from common.models import Fact
from merchants.api.schema_errors import ERRORS
from merchants.services.key_expiry import announce_expiring_keys
from tests.factories import NOW, ApiKeyFactory, captured_transaction, new_account, new_transfer
from tests.support.api import Api

OURS = ("common.errors", "merchants.api.")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Client().get("/api/schema/?format=json").content)
    return read


def validator(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Draft202012Validator:
    """Of a schema inside the document, whose references lead into it."""
    return Draft202012Validator({**schema, "components": document["components"]})


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate_schema(document)


def test_it_is_written_without_a_warning() -> None:
    call_command("spectacular", "--fail-on-warn", stdout=StringIO())


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    examples = [
        (name, schema, example)
        for name, schema in document["components"]["schemas"].items()
        for example in schema.get("examples", ())
    ]
    for name, response in document["components"]["responses"].items():
        content = response["content"]["application/json"]
        examples.append((name, content["schema"], content["example"]))

    wrong = {name: [e.message for e in validator(document, schema).iter_errors(it)] for name, schema, it in examples}

    assert {name: sentences for name, sentences in wrong.items() if sentences} == {}
    assert {"TransactionIn", "TransactionOut", "RefundIn", "RefundOut", "CaptureIn", "NotFound"} <= wrong.keys()


def test_every_operation_has_its_headers_and_errors(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert {"400", "401", "406", "429", "500", "503"} <= operation["responses"].keys(), name
        for status, response in operation["responses"].items():
            if "$ref" not in response:
                assert {"X-Request-Id", "X-RateLimit-Limit"} <= response["headers"].keys(), (name, status)
    create = dict(operations(document))["POST /api/v1/transactions"]["responses"]
    assert {"Idempotent-Replayed", "Preference-Applied"} <= create["201"]["headers"].keys()
    assert document["components"]["responses"]["TooManyRequests"]["headers"]["Retry-After"]["required"] is True


def test_request_bodies_are_closed(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        body = operation.get("requestBody")
        if body is not None:
            schema = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert document["components"]["schemas"][schema]["additionalProperties"] is False, name


def test_every_refusal_of_ours_is_documented_under_its_status() -> None:
    def below(kind: type[CounterfoilError]) -> Iterator[type[CounterfoilError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    ours = {(str(kind.status), kind.code) for kind in below(CounterfoilError) if kind.__module__.startswith(OURS)}

    listed = {(status, code) for status, error in ERRORS.items() for code in error.codes}
    assert ours - listed == {("405", "METHOD_NOT_ALLOWED")}  # of no operation that is in the document
    assert listed <= ours


def test_every_event_is_described(document: dict[str, Any]) -> None:
    assert document["webhooks"].keys() == {*EVENT_TYPES, TEST_EVENT}


@pytest.mark.django_db
def test_real_events_are_as_described(api: Api, document: dict[str, Any]) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    api.post(f"/transactions/{transaction.pk}/refunds", {"reason": "x"}, key="k")
    payer, payee = (new_account(api.merchant, 1_000) for _ in range(2))
    new_transfer(payer, payee, 500)
    ApiKeyFactory(merchant=api.merchant, expires_at=NOW)
    announce_expiring_keys(now=NOW.replace(day=1))

    seen = set()
    for fact in Fact.objects.filter(name__in=EVENT_OF_FACT):
        event_type = EVENT_OF_FACT[fact.name]
        body = render_body(
            event_id=fact.pk,
            event_type=event_type,
            created_at=fact.created_at,
            sequence=fact.sequence,
            data=fact.payload,
        )
        described = document["webhooks"][event_type]["post"]["requestBody"]["content"]["application/json"]
        errors = validator(document, described["schema"]).iter_errors(json.loads(body))
        assert [error.message for error in errors] == [], event_type
        seen.add(event_type)
    assert {"transaction.created", "transaction.completed", "refund.created", "account.balance.updated"} <= seen
    assert "api_key.expiring" in seen
