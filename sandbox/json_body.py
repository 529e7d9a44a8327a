"""JSON bodies of the sandbox's own helpers."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest


class BadBody(Exception):
    """The body is not a JSON object."""


def json_body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as exc:
        raise BadBody("The body is not JSON.") from exc
    if not isinstance(body, dict):
        raise BadBody("The body has to be a JSON object.")
    return body
