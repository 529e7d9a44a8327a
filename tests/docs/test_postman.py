"""docs/postman.json is what the served schema gives, and each of its requests is a route that we have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import resolve

from common.postman import postman_collection

KEPT = Path(__file__).parents[2] / "docs/postman.json"


def requests_of(collection: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item["request"] for folder in collection["item"] for item in folder["item"]}


def test_it_is_up_to_date(tmp_path):
    call_command("export_postman", to=tmp_path / "postman.json")

    made = (tmp_path / "postman.json").read_text()
    assert made == KEPT.read_text(), "run manage.py export_postman"


@pytest.mark.django_db
def test_it_has_every_operation_that_is_served():
    document = json.loads(Client().get("/api/schema/?format=json").content)
    operations = {
        (path, method.upper())
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    found = requests_of(postman_collection(document)).values()

    assert len(found) == len(operations) > 20
    for request in found:
        path = request["url"]["raw"].removeprefix("{{baseUrl}}")
        assert resolve(path.replace(":", "")).url_name != "unknown-route"


def test_a_payment_can_be_sent_as_it_is():
    request = requests_of(json.loads(KEPT.read_text()))["createTransaction"]

    assert request["method"] == "POST"
    sent = [header for header in request["header"] if not header.get("disabled")]
    assert {header["key"]: header["value"] for header in sent} == {
        "Idempotency-Key": "{{$guid}}",
        "Content-Type": "application/json",
    }
    assert json.loads(request["body"]["raw"]) == {"paymentTypeId": "fpx", "amount": 100.5, "currencyCode": "MYR"}
