"""Forms as providers read them: urlencoded, UTF-8, each field once."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest, HttpResponse


class BadForm(Exception):
    """The message cannot be read."""


def fields_of(request: HttpRequest) -> dict[str, str]:
    """The fields of a POST body or of a GET query. Raises BadForm."""
    raw = request.body if request.method == "POST" else request.META.get("QUERY_STRING", "").encode()
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict", max_num_fields=80
        )
    except ValueError as exc:
        raise BadForm(str(exc)) from exc
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadForm("a field is there twice")
    return fields


def nvp(fields: dict[str, str]) -> HttpResponse:
    """An answer of names and values."""
    return HttpResponse(urlencode(fields), content_type="application/x-www-form-urlencoded")
