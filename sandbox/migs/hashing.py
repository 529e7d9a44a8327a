"""MIGS's secure hash: HMAC-SHA256 with the hex-decoded secret over the sorted `key=value` pairs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

_NOT_SIGNED = ("vpc_SecureHash", "vpc_SecureHashType")


def _hash(fields: Mapping[str, str], secret: str) -> str:
    pairs = [
        f"{name}={fields[name]}"
        for name in sorted(fields)
        if name.startswith(("vpc_", "user_")) and name not in _NOT_SIGNED and fields[name]
    ]
    return hmac.new(bytes.fromhex(secret), "&".join(pairs).encode(), hashlib.sha256).hexdigest().upper()


def signed(fields: Mapping[str, str], secret: str) -> dict[str, str]:
    return {**fields, "vpc_SecureHash": _hash(fields, secret), "vpc_SecureHashType": "SHA256"}


def genuine(fields: Mapping[str, str], secret: str) -> bool:
    return hmac.compare_digest(fields.get("vpc_SecureHash", "").encode(), _hash(fields, secret).encode())
