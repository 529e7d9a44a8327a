from __future__ import annotations

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest

from common.errors import CardDataNotAllowed, CounterfoilError, InvalidRequest
from merchants.api.parsing import NumberLiteral, PayloadTooLarge, parse_json, read_body


def test_numbers_stay_the_literals_they_were() -> None:
    content = parse_json(b'{"amount": 99999999999999.99, "n": 1e2, "deep": {"list": [100.10]}, "text": "1"}')

    assert content == {"amount": "99999999999999.99", "n": "1e2", "deep": {"list": ["100.10"]}, "text": "1"}
    assert [type(content["amount"]), type(content["deep"]["list"][0]), type(content["text"])] == [
        NumberLiteral,
        NumberLiteral,
        str,
    ]


@pytest.mark.parametrize(
    "body, sentence",
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"{", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"null", "JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"amount": 100, "amount": 0.01}', "twice"),
        (b'{"metadata": {"a": 1, "a": 1}}', "twice"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "deeply"),
        (b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}", "deeply"),
        (b'{"metadata": {"a": "\\u0000"}}', "NUL"),
        (b'{"metadata": {"a": ["\\ud800"]}}', "surrogates"),
        ('{"a\u202eb": 1}'.encode(), "characters"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": +1}', "not JSON"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        parse_json(body)


def test_text_is_composed_and_loses_what_cannot_be_seen() -> None:
    content = parse_json(
        '{"a": "Cafe\u0301\u202e evil\u200b", "b": "one\\r\\ntwo\\tthree", "c": "👍🏽 ありがとう"}'.encode()
    )

    assert content == {"a": "Café evil", "b": "one  two three", "c": "👍🏽 ありがとう"}


@pytest.mark.parametrize(
    "body",
    [
        '{"description": "card 4111111111111111 thanks"}',
        '{"description": "4111 1111 1111 1111"}',
        '{"externalReference": "ref-5555-5555-5555-4444"}',
        '{"metadata": {"deep": [{"note": "3782 822463 10005"}]}}',
        '{"metadata": {"card": 4111111111111111}}',
        '{"metadata": {"4111111111111111": "x"}}',
        '{"4111111111111111": "x"}',
        '{"description": "４１１１１１１１１１１１１１１１"}',
        '{"description": "4111\u200b1111\u200b1111\u200b1111"}',
        '{"description": "\\u0034111111111111111"}',
        '{"customer": {"name": "A 6011111111111117"}}',
    ],
)
def test_a_card_number_anywhere_is_refused_and_not_repeated(body: str) -> None:
    with pytest.raises(CardDataNotAllowed) as refused:
        parse_json(body.encode())

    assert "1111" not in str(refused.value) + str(refused.value.details)


@pytest.mark.parametrize("text", ["4111111111111112", "20261121044815123", "+60 12-345 6789", "1732164495123"])
def test_other_long_numbers_pass(text: str) -> None:
    assert parse_json(f'{{"description": "{text}"}}'.encode()) == {"description": text}


def arriving(body: bytes, **headers: str) -> WSGIRequest:
    """A request as the server hands it over."""
    return WSGIRequest({"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": BytesIO(body), **headers})


@pytest.mark.parametrize("headers", [{"CONTENT_LENGTH": "2"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_body_comes_with_its_length_or_in_chunks(headers: dict[str, str]) -> None:
    assert read_body(arriving(b"{}", **headers)) == b"{}"


@pytest.mark.parametrize(
    "size, headers, error",
    [
        (2, {"CONTENT_LENGTH": "65537"}, PayloadTooLarge),
        (2, {"CONTENT_LENGTH": "-1"}, PayloadTooLarge),
        (2, {"CONTENT_LENGTH": "9" * 40}, PayloadTooLarge),
        (65_537, {"HTTP_TRANSFER_ENCODING": "chunked"}, PayloadTooLarge),
        (40, {"CONTENT_LENGTH": "400"}, InvalidRequest),  # the client hung up half-way
    ],
)
def test_a_body_that_is_too_large_or_not_whole(
    size: int, headers: dict[str, str], error: type[CounterfoilError]
) -> None:
    with pytest.raises(error):
        read_body(arriving(b" " * size, **headers))


def test_what_is_read_is_bounded() -> None:
    request = arriving(b" " * 10_000_000, HTTP_TRANSFER_ENCODING="chunked")

    with pytest.raises(PayloadTooLarge):
        read_body(request)

    assert request.META["wsgi.input"].tell() == 65_537
