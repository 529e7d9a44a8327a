"""What anybody can do who knows nothing but our address: no password is tried out here, nothing is kept, nothing costs much."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

FORMS: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "application/vnd.oai.openapi": ("yaml", yaml.safe_load),
    "application/vnd.oai.openapi+json": ("json", json.loads),
}
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


def test_the_document_is_made_once_and_not_sent_to_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    first = {form: client.get("/api/schema/", headers={"Accept": form}) for form in FORMS}
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)  # whoever made it anew would fail

    for form, (extension, parse) in FORMS.items():
        again = client.get("/api/schema/", headers={"Accept": form})
        known = client.get("/api/schema/", headers={"Accept": form, "If-None-Match": again["ETag"]})
        other = client.get("/api/schema/", headers={"Accept": form, "If-None-Match": '"another"'})

        assert again.content == first[form].content == other.content
        assert parse(again.content)["openapi"] == "3.1.0"
        assert again["Content-Type"].startswith(form)
        assert again["Content-Disposition"] == f'inline; filename="Counterfoil API.{extension}"'
        assert (known.status_code, known.content, known["ETag"]) == (304, b"", again["ETag"])
    assert client.get("/api/schema/?format=xml").status_code == 404
    assert client.get("/api/schema/?lang=xx&version=9").status_code == 200
    assert client.post("/api/schema/").status_code == 405


class Unread(BytesIO):
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read  # type: ignore[assignment]


def post(path: str, **environ: Any) -> int:
    environ = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "wsgi.input": Unread()} | environ
    return Client(enforce_csrf_checks=True).generic("POST", path, **environ).status_code


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/pay/a-token", "/pay/return/fpx", "/", "/api/nothing", "/nothing"])
def test_no_page_takes_a_large_body_or_one_of_unknown_size_from_a_stranger(path: str) -> None:
    cookie = f"sessionid={'x' * 32}; csrftoken={'y' * 32}"
    sizes = [
        post(path, CONTENT_LENGTH=size, HTTP_COOKIE=cookie) for size in ("65537", "30000000", "-1", "1e9", "\u0663")
    ]

    assert sizes == [413] * 5
    assert post(path, HTTP_TRANSFER_ENCODING="chunked") == 411


@pytest.mark.django_db
def test_only_who_may_use_the_console_uploads() -> None:
    answers = []
    for staff in (True, False):
        client = Client()
        client.force_login(User.objects.create_user(f"staff {staff}", is_staff=staff))
        for path in ("/admin/", "/"):
            answers.append(client.post(path, {"file": SimpleUploadedFile("a.csv", b"x" * 100_000)}).status_code)

    assert answers == [200, 413, 413, 413]


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
