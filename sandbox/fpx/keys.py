"""FPX's checksums: RSA over the sorted values. The exchange's own key is made once and kept in the store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.accounts import account_details, account_open

HASHES: dict[str, type[hashes.SHA1] | type[hashes.SHA256]] = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}
_EXCHANGE = "the-exchange"


def ensure_exchange_key() -> None:
    """Called once, before threads start."""
    try:
        account_details(provider="fpx", account_id=_EXCHANGE)
    except LookupError:
        pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account_open(provider="fpx", account_id=_EXCHANGE, details={"privateKey": pem.decode()})


@cache
def _exchange_key() -> rsa.RSAPrivateKey:
    pem = account_details(provider="fpx", account_id=_EXCHANGE)["privateKey"]
    return cast(rsa.RSAPrivateKey, serialization.load_pem_private_key(pem.encode(), None))


@cache
def exchange_public_pem() -> str:
    return (
        _exchange_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@lru_cache(maxsize=256)
def _public_key(pem: str) -> rsa.RSAPublicKey:
    return cast(rsa.RSAPublicKey, serialization.load_pem_public_key(pem.encode()))


def _text(fields: Mapping[str, str]) -> bytes:
    return "|".join(
        fields[name] for name in sorted(fields) if name.startswith("fpx_") and name != "fpx_checkSum"
    ).encode()


def signed(fields: Mapping[str, str], hash_name: str) -> dict[str, str]:
    """The message with the exchange's checksum."""
    checksum = _exchange_key().sign(_text(fields), padding.PKCS1v15(), HASHES[hash_name]())
    return {**fields, "fpx_checkSum": checksum.hex().upper()}


def genuine(fields: Mapping[str, str], *, public_key: str, hash_name: str) -> bool:
    """Whether the seller signed the message. Anything but upper-case hex is no checksum."""
    given = fields.get("fpx_checkSum", "")
    try:
        checksum = bytes.fromhex(given)
        _public_key(public_key).verify(checksum, _text(fields), padding.PKCS1v15(), HASHES[hash_name]())
    except (ValueError, InvalidSignature):
        return False
    return checksum.hex().upper() == given
