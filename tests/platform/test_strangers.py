"""What anybody can do who knows nothing but our address: no password is tried out here, nothing is kept, nothing costs much."""

from __future__ import annotations

import base64
import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

PASSWORD = "a-long-enough-password"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/", "/api/redoc/"])
def test_the_documentation_looks_at_no_password(path: str) -> None:
    User.objects.create_user("aisha", password=PASSWORD, is_staff=True)

    answers = [
        Client().get(path, headers={"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"})
        for credential in (f"aisha:{PASSWORD}", "aisha:wrong")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/payments/process", {"code", "message", "details", "timestamp", "requestId"}),
        ("/api/v2/transactions", {"code", "message", "details", "timestamp", "requestId"}),
        ("/v1/nothing", {"code", "message"}),
        ("/v1/", {"code", "message"}),
    ],
)
def test_an_address_that_is_none_is_answered_in_the_words_of_its_door(path: str, shape: set[str], method: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, path, "{}", content_type="application/json")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    error = json.loads(answer.content)["error"]
    assert (error.keys(), error["code"]) == (shape, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_below_eps_that_is_none_is_answered_in_the_words_of_eps(method: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, "/eps/nothing")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    fields = json.loads(answer.content)
    assert (fields["STATUS"], fields["STATUS_CODE"], fields["CHECKSUM"]) == ("FORMAT_ERROR", "30", "")
    assert Client().get("/eps/nothing", headers={"Accept": "text/html"}).status_code == 404
