"""Accounts, requests and stored replies for adapter tests. Keys are generated per run; every identifier is invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from common.money import Money
from payments.providers.base import Account, InboundMessage, Kind, OperationRequest
from payments.providers.forms import parse

DATA = Path(__file__).parents[1] / "data"
AT = datetime(2025, 10, 7, 16, 30, 5, tzinfo=UTC)  # already 8 October in Kuala Lumpur
MIGS_SECRET = "00112233445566778899AABBCCDDEEFF"  # not a secret: a published pattern


@cache
def rsa_key(owner: str) -> RSAPrivateKey:
    """One key for each owner ("seller", "exchange", ...) and test run."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: RSAPrivateKey) -> str:
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*encoding).decode()


def public_pem(key: RSAPrivateKey) -> str:
    encoding = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*encoding).decode()


def fpx_account(*, base_url: str = "http://127.0.0.1:9", signature_hash: str = "sha1") -> Account:
    return Account(
        id="fpx-1",
        config={
            "base_url": base_url,
            "exchange_id": "EX90000001",
            "seller_id": "SE90000001",
            "account_key": "SE90000001",
            "signature_hash": signature_hash,
        },
        credentials={
            "private_key": private_pem(rsa_key("seller")),
            "exchange_public_key": public_pem(rsa_key("exchange")),
        },
    )


def migs_account(*, base_url: str = "http://127.0.0.1:9", mode: str = "purchase") -> Account:
    return Account(
        id="migs-1",
        config={
            "base_url": base_url,
            "merchant_id": "TESTMIGS01",
            "account_key": "TESTMIGS01",
            "mode": mode,
        },
        credentials={
            "access_code": "ACCESS-CODE-1",
            "secure_secret": MIGS_SECRET,
            "ama_user": "operator-1",
            "ama_password": "ama-password-1",
        },
    )


def request(kind: Kind = Kind.SALE, **changes: Any) -> OperationRequest:
    """An operation over MYR 150.00; follow-ups act on an invented sale."""
    original: dict[str, Any] = {
        "original_reference": "OPTEST0001",
        "original_provider_reference": "2090000123",
        "original_at": AT,
    }
    first = OperationRequest(
        kind=kind,
        reference="OPTEST0002",
        amount=Money(15000, "MYR"),
        at=AT,
        description="Licence renewal",
        return_url="http://127.0.0.1:8000/return?payment=1",
        bank_code="TEST0001",
        payer_name="Nur Aisyah",
        payer_email="payer@example.com",
    )
    return replace(first, **({} if kind in (Kind.SALE, Kind.AUTHORIZE) else original), **changes)


def stored_reply(provider: str, case: str) -> dict[str, str]:
    """The fields of a stored reply, tests/data/<provider>/<case>.txt."""
    return parse((DATA / provider / f"{case}.txt").read_bytes().strip())


def posted(body: bytes, *, method: str = "POST", query: str = "") -> InboundMessage:
    return InboundMessage(
        method=method, content_type="application/x-www-form-urlencoded", query=query, body=body, headers={}
    )
