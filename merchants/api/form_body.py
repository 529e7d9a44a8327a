"""The body of a form post: at most 64 KiB of UTF-8 application/x-www-form-urlencoded, raw. Reading its fields is the dialect's."""

from __future__ import annotations

from django.http import HttpRequest

from merchants.api.parsing import UnsupportedMediaType, read_body

FORM = "application/x-www-form-urlencoded"


def read_form_body(request: HttpRequest) -> bytes:
    """The raw bytes. Raises PayloadTooLarge (413), UnsupportedMediaType (415), InvalidRequest (the connection broke)."""
    charset = str((request.content_params or {}).get("charset", "utf-8")).strip('"').lower()
    if request.content_type != FORM or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"Send the body as {FORM} in UTF-8.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without a content encoding.")
    return read_body(request)
