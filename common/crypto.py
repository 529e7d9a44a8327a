"""Secrets at rest are sealed with AES-256-GCM under a named key, bound to the very cell that holds them.

A sealed value is `v1.<key id>.<base64url(nonce + ciphertext + tag)>`. The associated data is table, column and row id, so a
sealed value copied into another row does not open. `SEALING_KEYS` is a ring "id:base64key,id:base64key": the first seals, all open.
"""

from __future__ import annotations

import base64
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class CannotOpen(Exception):
    """The sealed value was altered, belongs to another row, or its key is not in the ring."""


@lru_cache(maxsize=4)
def _ring(text: str) -> dict[str, AESGCM]:
    pairs = (item.split(":", 1) for item in text.split(",") if item)
    return {key_id: AESGCM(base64.b64decode(key)) for key_id, key in pairs}


def seal(plain: str, *, bound_to: str) -> str:
    """Seal text for the cell named by `bound_to` ("table.column.row_id")."""
    key_id, key = next(iter(_ring(settings.SEALING_KEYS).items()))
    nonce = os.urandom(12)
    sealed = nonce + key.encrypt(nonce, plain.encode(), bound_to.encode())
    return f"v1.{key_id}.{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str, *, bound_to: str) -> str:
    """Open what seal() made for the same cell. Raises CannotOpen."""
    try:
        version, key_id, body = sealed.split(".", 2)
        raw = base64.urlsafe_b64decode(body)
        key = _ring(settings.SEALING_KEYS)[key_id]
        if version != "v1":
            raise CannotOpen("unknown version of a sealed value")
        return key.decrypt(raw[:12], raw[12:], bound_to.encode()).decode()
    except (InvalidTag, KeyError, ValueError) as exc:
        raise CannotOpen("a sealed value does not open: wrong row, wrong key or altered") from exc
