"""What never reaches a log: secrets, by the name of the field or by their own shape, and card numbers wherever they stand.

Works on finished records (names and values at any depth, texts, exception traces), because what a library or an exception puts into a
record is not ours to word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from common.cards import mask_card_numbers

HIDDEN = "[hidden]"

_WORDS = (
    "password|passwd|pass_?phrase|secret|token|authorization|cookie|credential|api_?key|access_?code|private_?key|sealing_?key|"
    "check_?sum|signature|secure_?hash|session_?key|card_?num|cvv|cvc|one_?time_?code"
)
_SECRET_NAME = re.compile(f"(?:{_WORDS})|^(?:otp|pin|pan|dsn)$")

_SHAPES = [
    # Authorization: Bearer ..., wherever it is quoted
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    # our API keys keep the part that the console shows
    (re.compile(r"\b(cfk_(?:live|test)_[\w-]{7})[\w-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    # the password of a URL
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), rf"\1:{HIDDEN}@"),
    # name=value of a form, a query or a connection string
    (re.compile(rf"(?i)([\w.-]*(?:{_WORDS.replace('_?', '[_-]?')})[\w-]*=)[^\s&,;\"']+"), rf"\1{HIDDEN}"),
    # "name": "value" of JSON or of a dict's repr
    (
        re.compile(rf"(?i)(\\?[\"'][\w.-]*(?:{_WORDS.replace('_?', '[_-]?')})[\w-]*\\?[\"']\s*:\s*\\?[\"'])[^\"'\\]+"),
        rf"\1{HIDDEN}",
    ),
]
# Almost every text holds neither; finding that out costs a microsecond.
_MAY_HOLD_SECRET = re.compile(r"[=\"']|://|cfk_|whsec_|PRIVATE KEY|(?i:earer|asic)\s")
_MAY_HOLD_CARD = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){12}")


def clean(name: str, value: Any) -> Any:
    """`value` as it may be logged under `name`. Anything but texts, numbers, lists and dicts becomes text first."""
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(name):
        return HIDDEN if value else value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int | float):
        text = str(value)
        cleaned = mask_card_numbers(text) if len(text) > 12 else text
        return value if cleaned == text and len(text) < 19 else cleaned
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean("", item) for item in value]
    return clean_text(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def clean_text(text: str) -> str:
    if _MAY_HOLD_SECRET.search(text):
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
    return mask_card_numbers(text) if _MAY_HOLD_CARD.search(text) else text


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name.lower().replace("-", "_")))
