"""Requests whose Content-Type may be anything: one that cannot be read counts as none, and no client chooses how its address is decoded.

Django reads the header before any middleware runs, raises for a charset of RFC 2231 that it does not know, and decodes the query with
the charset of the body, even if that is `base64`. Either would be answered 500, without a request id. Here everything is UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.utils.http import parse_header_parameters


class _Utf8Request(HttpRequest):
    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        """Instead of Django's: `encoding` is left alone, and what the views require of a body they see in `content_params`."""
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class Utf8WSGIRequest(_Utf8Request, WSGIRequest):
    """A request of the web process."""


class Utf8ASGIRequest(_Utf8Request, ASGIRequest):
    """A request of the live process."""


class Utf8WSGIHandler(WSGIHandler):
    """The WSGI application. Construct it after django.setup()."""

    request_class = Utf8WSGIRequest
