"""MIGS `vpc_SecureHash`: HMAC-SHA256 over the non-empty `vpc_` and `user_` fields, `key=value` joined by `&`, sorted.

Values are signed unencoded, so a value that contains what looks like the next field is refused in both directions:
otherwise fields could be split off or swallowed under one signature.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache

from payments.providers.base import BadSignature

HASH = "vpc_SecureHash"
HASH_TYPE = "vpc_SecureHashType"
_HEX_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
_NAME = re.compile(r"(?:vpc|user)_[A-Za-z0-9_]+")
_NEXT_FIELD = re.compile(r"&(?:vpc|user)_")


def signed_text(fields: Mapping[str, str]) -> bytes:
    """What is signed. Raises ValueError when it would have a second reading."""
    signed = [
        (name, fields[name])
        for name in sorted(fields)
        if name.startswith(("vpc_", "user_")) and fields[name] and name not in (HASH, HASH_TYPE)
    ]
    for name, value in signed:
        if not _NAME.fullmatch(name) or _NEXT_FIELD.search(value):
            raise ValueError(f"{name} makes the signed text ambiguous")
    return "&".join(f"{name}={value}" for name, value in signed).encode()


def sign(fields: Mapping[str, str], *, secret: str) -> dict[str, str]:
    """The message with its hash. `secret` is hexadecimal."""
    digest = hmac.digest(_key(secret), signed_text(fields), "sha256")
    return {**fields, HASH: digest.hex().upper(), HASH_TYPE: "SHA256"}


def verify(fields: Mapping[str, str], *, secret: str) -> None:
    """Check the hash, upper or lower case, in constant time. Raises BadSignature."""
    given = fields.get(HASH, "")
    if fields.get(HASH_TYPE) != "SHA256" or not _HEX_DIGEST.fullmatch(given):
        raise BadSignature("no SHA-256 hash")
    key = _key(secret)  # outside the try: a broken secret of ours is not the sender's fault
    try:
        expected = hmac.digest(key, signed_text(fields), "sha256")
    except ValueError as exc:
        raise BadSignature(str(exc)) from exc
    if not hmac.compare_digest(expected, bytes.fromhex(given)):
        raise BadSignature("the hash does not fit the message")


@lru_cache(maxsize=1024)
def _key(secret: str) -> bytes:
    return bytes.fromhex(secret)
