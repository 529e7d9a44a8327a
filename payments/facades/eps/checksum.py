"""CHECKSUM of the EPS messages, in the two schemes of contracts section 5. Pure.

epic-v1, for merchants who have it already: some fields joined with nothing between them, encrypted with AES-256-CBC. Joined fields can
be shifted against each other, so the facade takes from such a merchant only values that leave one reading: no `fpx1`, a canonical
AMOUNT, a MERCHANT_CODE that begins with a letter.

epic-v2: HMAC-SHA256 over every field that is sent, one `name=value` line each, so nothing can be shifted, added or left out, and
TIMESTAMP bounds how long a message may be repeated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

CHECKSUM = "CHECKSUM"

# What epic-v1 joins, by message.
REQUEST = ("TRANS_ID", "PAYMENT_MODE", "AMOUNT", "MERCHANT_CODE")
UPDATE = ("TRANS_ID", "MERCHANT_CODE")
RECONCILE = ("MERCHANT_CODE", "DATE")
RESPONSE = ("TRANS_ID", "STATUS", "AMOUNT")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a merchant signs with. `api_key` plays a part in epic-v1 only."""

    scheme: str
    pass_phrase: str = field(repr=False)
    api_key: str = field(default="", repr=False)


def checksum(fields: Mapping[str, str], secrets: Secrets, *, joined: tuple[str, ...]) -> str:
    """The CHECKSUM of a message; `joined` names the fields that epic-v1 covers, a missing one counts as empty."""
    if secrets.scheme == "epic-v1":
        return _epic_v1("".join(fields.get(name, "") for name in joined), secrets)
    return _epic_v2(fields, secrets)


def verify(fields: Mapping[str, str], secrets: Secrets, *, joined: tuple[str, ...]) -> bool:
    """Whether the message's CHECKSUM is right, whatever it consists of. epic-v2 takes the hexadecimal digits in either case."""
    given = fields.get(CHECKSUM, "").encode(errors="surrogatepass")
    if secrets.scheme != "epic-v1":
        given = given.lower()
    return hmac.compare_digest(checksum(fields, secrets, joined=joined).encode(), given)


def _epic_v1(text: str, secrets: Secrets) -> str:
    key = hashlib.sha256(secrets.api_key.encode()).digest()
    iv = hashlib.sha256(secrets.pass_phrase.encode()).digest()[:16]
    padder = PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def _epic_v2(fields: Mapping[str, str], secrets: Secrets) -> str:
    lines = (f"{name}={quote(fields[name], safe='')}" for name in sorted(fields) if name != CHECKSUM)
    return hmac.new(secrets.pass_phrase.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
