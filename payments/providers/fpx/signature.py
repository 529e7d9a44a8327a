"""FPX 7.0 `fpx_checkSum`: RSA PKCS#1 v1.5 over the field values, sorted by field name and joined by `|`.

Names are not signed, so a message is only trusted with exactly the fields of its type, and a value that contains the
delimiter is refused in both directions: otherwise values could be moved from one field to the next under one signature.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from payments.providers.base import BadSignature

CHECKSUM = "fpx_checkSum"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303  (FPX's own default)
    "sha256": hashes.SHA256(),
}
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def signed_text(fields: Mapping[str, str]) -> bytes:
    """What is signed. Raises ValueError when a value contains the delimiter."""
    values = [fields[name] for name in sorted(fields) if name.startswith("fpx_") and name != CHECKSUM]
    if any("|" in value for value in values):
        raise ValueError("a value contains the delimiter")
    return "|".join(values).encode()


def sign(fields: Mapping[str, str], *, private_key: str, hash_name: str) -> dict[str, str]:
    """The message with its checksum. `private_key` is PEM, `hash_name` sha1 or sha256."""
    signature = _private_key(private_key).sign(signed_text(fields), PKCS1v15(), _HASHES[hash_name])
    return {**fields, CHECKSUM: signature.hex().upper()}


def verify(fields: Mapping[str, str], *, names: Collection[str], public_key: str, hash_name: str) -> None:
    """Check that the message has exactly the fields `names` and the checksum over them. Raises BadSignature."""
    if {name for name in fields if name.startswith("fpx_")} != {*names, CHECKSUM}:
        raise BadSignature("not the fields of this message type")
    if not _HEX.fullmatch(fields[CHECKSUM]):
        raise BadSignature("the checksum is not hexadecimal")
    key = _public_key(public_key)  # outside the try: a broken key of ours is not the sender's fault
    try:
        key.verify(bytes.fromhex(fields[CHECKSUM]), signed_text(fields), PKCS1v15(), _HASHES[hash_name])
    except (InvalidSignature, ValueError) as exc:
        raise BadSignature("the checksum does not fit the message") from exc


@lru_cache(maxsize=1024)  # parsing and checking a private key takes longer than signing with it
def _private_key(pem: str) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("FPX needs an RSA key")
    return key


@lru_cache(maxsize=1024)
def _public_key(pem: str) -> RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("FPX needs an RSA key")
    return key
