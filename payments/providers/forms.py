"""The form encoding that both providers speak, read strictly.

A signature covers values, so one message must have one reading: duplicate fields, bytes outside printable ASCII, broken
percent-escapes, invalid UTF-8 and control characters make a message unreadable instead of being repaired.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

_ENCODED = re.compile(
    rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*"
)  # printable ASCII without space; "%" only before two hex digits
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CARD_FIELD = re.compile(r"card_?(num|no)|pan$|cvv|csc|securitycode", re.IGNORECASE)
_CARD_NUMBER = re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)")
_SECRET = re.compile(r"(password|accesscode|securehash|checksum)=[^&\s]*", re.IGNORECASE)
_MAX_FIELDS = 100


class UnreadableForm(ValueError):
    """The bytes are no form with exactly one reading."""


def parse(data: bytes) -> dict[str, str]:
    """Fields of an urlencoded form or query, in the order of arrival. Raises UnreadableForm."""
    if not data or not _ENCODED.fullmatch(data):
        raise UnreadableForm("not an urlencoded form")
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as exc:
        raise UnreadableForm(str(exc)) from exc
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UnreadableForm("a field appears twice")
    if any(_CONTROLS.search(name) or _CONTROLS.search(value) for name, value in pairs):
        raise UnreadableForm("control characters")
    return fields


def clean(value: str, *, limit: int, forbidden: str = "") -> str:
    """Free text made fit for a signed field: controls and `forbidden` characters become spaces, then cut to `limit`."""
    value = _CONTROLS.sub(" ", value)
    for character in forbidden:
        value = value.replace(character, " ")
    return " ".join(value.split())[:limit].rstrip()


def redacted(fields: Mapping[str, str], *, prefix: str, secrets: Collection[str]) -> dict[str, str]:
    """The provider's own fields, by their `prefix`, without `secrets`; of a card number only the last four digits stay.

    Other fields are not signed: anybody may have added them.
    """
    return {
        name: f"...{value[-4:]}" if _CARD_FIELD.search(name) and value else value
        for name, value in fields.items()
        if name.startswith(prefix) and name not in secrets
    }


def excerpt(body: bytes) -> str:
    """The beginning of a reply nobody could read, for an operator's eyes: printable, short, no card numbers or secrets."""
    text = _CONTROLS.sub(" ", body[:300].decode("utf-8", errors="replace"))
    return _SECRET.sub(r"\1=[hidden]", _CARD_NUMBER.sub("[digits]", text))
