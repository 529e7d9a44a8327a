"""A form has exactly one reading or it is refused."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.providers.forms import UnreadableForm, clean, excerpt, parse, redacted

NAMES = st.text("abcdefXYZ_0189", min_size=1, max_size=12)
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=20))
def test_what_was_encoded_is_read_back(fields: dict[str, str]) -> None:
    assert parse(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ERROR",
        b"a=1&a=1",  # twice, even if equal
        b"a=1&%61=2",  # twice after decoding
        b"a=1&&b=2",
        b"a=%zz",
        b"a=%4",
        b"a=%ff%fe",  # not UTF-8
        b"a=%00",
        b"a=%0d%0aSet-Cookie",
        b"a=%C2%85",
        "a=é".encode(),
        "a=1".encode("utf-16"),
        b"a=1\n",
        b"a=1 2",
        b"<html>a=b</html> ",
        b"&".join(b"f%d=1" % n for n in range(101)),
    ],
)
def test_a_form_with_no_or_two_readings_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableForm):
        parse(body)


def test_free_text_loses_controls_and_delimiters_and_is_cut() -> None:
    assert clean("  Road|tax\r\nand\x00 permit  ", limit=17, forbidden="|") == "Road tax and perm"


def test_redaction_drops_secrets_and_keeps_four_digits_of_a_card() -> None:
    fields = {"vpc_CardNum": "512345xxxxxx2346", "vpc_Password": "p", "vpc_Message": "Approved", "vpc_Card": "VC"}

    kept = redacted(fields | {"added": "1"}, prefix="vpc_", secrets={"vpc_Password"})

    assert kept == {"vpc_CardNum": "...2346", "vpc_Message": "Approved", "vpc_Card": "VC"}


def test_an_excerpt_of_an_unreadable_reply_shows_no_card_number_and_no_secret() -> None:
    body = b"<h1>Bad\x00gateway</h1> 5123 4567 8901 2346 vpc_Password=secret&vpc_AccessCode=ABC <p>" + b"x" * 900

    shown = excerpt(body)

    assert shown.startswith("<h1>Bad gateway</h1> [digits] vpc_Password=[hidden]&vpc_AccessCode=[hidden] <p>xxx")
    assert len(shown) <= 300
