"""Reading a JSON body strictly: what two parsers could read differently is refused, so a signature, a log and we always agree.

- UTF-8 without BOM, at most 64 KiB, `application/json`; a chunked body is read no further than that.
- No duplicate keys, no NaN or Infinity, at most 20 levels, no NUL, no lone surrogates.
- Numbers stay the literals they were (NumberLiteral): "1e2" and 100.10 are for the reader of the field to judge.
- Text is NFC; control, bidirectional and zero-width characters are taken out (line breaks and tabs become spaces).
- A card number anywhere is refused, before anything is logged or kept.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from common.cards import contains_card_number
from common.errors import CardDataNotAllowed, CounterfoilError, InvalidRequest

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 20


class PayloadTooLarge(CounterfoilError):
    code = "PAYLOAD_TOO_LARGE"
    status = 413


class UnsupportedMediaType(CounterfoilError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class NumberLiteral(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read_body(request: HttpRequest) -> bytes:
    """The whole body, at most 64 KiB. Raises PayloadTooLarge, InvalidRequest (it did not arrive whole)."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length and (not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES):
        raise _too_large()
    try:
        if length:
            body = request.body
        elif "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = request.META["wsgi.input"].read(MAX_BODY_BYTES + 1)  # Django itself reads nothing without a length
        else:
            return b""
    except (UnreadablePostError, OSError) as exc:
        raise InvalidRequest("The body did not arrive whole.") from exc
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    if length and len(body) != int(
        length
    ):  # the client hung up: what came may well be JSON, but nobody waits for the answer
        raise InvalidRequest("The body did not arrive whole.")
    return bytes(body)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.")


def require_json(request: HttpRequest) -> None:
    """Raises UnsupportedMediaType unless the body is declared as JSON in UTF-8."""
    charset = str((request.content_params or {}).get("charset", "utf-8")).strip('"').lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the body as application/json in UTF-8.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without a content encoding.")


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises InvalidRequest, CardDataNotAllowed."""
    if not body:
        raise InvalidRequest("The body is empty. Send a JSON object.")
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidRequest("Send JSON without a byte order mark.")
    try:
        content = _DECODER.decode(body.decode())
        if not isinstance(content, dict):
            raise InvalidRequest("Send a JSON object.")
        cleaned: dict[str, Any] = _clean(content, 1)
        return cleaned
    except UnicodeDecodeError as exc:
        raise InvalidRequest("The body is not UTF-8.") from exc
    except json.JSONDecodeError as exc:
        raise InvalidRequest(f"The body is not JSON: line {exc.lineno}, column {exc.colno}.") from exc
    except RecursionError as exc:
        raise InvalidRequest("The body is nested too deeply.") from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise InvalidRequest("A name occurs twice in one JSON object.")
    return content


def _constant(name: str) -> NoReturn:
    raise InvalidRequest(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=NumberLiteral, parse_int=NumberLiteral, parse_constant=_constant
)


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if depth > MAX_DEPTH:
        raise InvalidRequest("The body is nested too deeply.")
    if isinstance(value, dict):
        for name in value:
            if _clean_text(name) != name:
                raise InvalidRequest("A name in the JSON has characters that are not allowed.")
        return {name: _clean(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value  # true, false, null


def _clean_text(text: str) -> str:
    cleaned = text
    if not (text.isascii() and text.isprintable()):
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise InvalidRequest("Text may not have NUL characters or lone surrogates.")
        cleaned = "".join(_visible(char) for char in unicodedata.normalize("NFC", text))
    if len(cleaned) >= 13 and contains_card_number(cleaned):
        raise CardDataNotAllowed("Never send card numbers. Nothing of this request was kept.")
    return cleaned


def _visible(char: str) -> str:
    if char in "\t\r\n\u2028\u2029":
        return " "
    return "" if unicodedata.category(char) in ("Cc", "Cf") else char
