"""Headers that nobody can read are the caller's mistake: the answer is an ordinary one, with a request id."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from common.requests import Utf8ASGIRequest
from config.wsgi import application

UNREADABLE = ["text/html; charset*=bogus''x", f"text/html; name*{'9' * 4400}=x"]
NO_TEXT = ["text/html; charset=base64", "text/html; charset=idna", "text/html; charset=undefined"]


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", [*UNREADABLE, *NO_TEXT])
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("POST", "/eps/callback", "415"), ("GET", "/pay/return/fpx", "401"), ("GET", "/nope", "404")],
)
def test_a_content_type_that_nobody_can_read_is_answered_like_any_other(
    content_type: str, method: str, path: str, expected: str
) -> None:
    told: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "a=%C3%A9",
        "CONTENT_TYPE": content_type,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }
    application(environ, lambda status, headers: told.extend((status[:3], dict(headers))))
    assert told[0] == expected
    assert told[1]["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("content_type", [*UNREADABLE, *NO_TEXT])
def test_the_live_process_reads_an_address_as_utf_8_whatever_the_content_type_says(content_type: str) -> None:
    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"a=%C3%A9", "headers": headers}
    assert Utf8ASGIRequest(scope, BytesIO()).GET["a"] == "é"
