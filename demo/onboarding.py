"""Opening accounts at the provider sandbox, as a merchant does on paper with a provider."""

from __future__ import annotations

from typing import Any

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from common.ids import new_id
from merchants.models import Merchant, ProviderAccount


def open_fpx(merchant: Merchant, *, sandbox_url: str, base_url: str) -> ProviderAccount:
    """An FPX account with a key pair of our own; the merchant pays 1.00 a payment."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    given = _post(
        f"{sandbox_url}/_accounts/fpx",
        {
            "publicKey": public.decode(),
            "signatureHash": "sha256",
            "directUrl": f"{base_url}/eps/callback",
            "indirectUrl": f"{base_url}/pay/return/fpx",
        },
    )
    return _save(
        merchant,
        provider="fpx",
        account_key=given["sellerId"],
        config={
            "base_url": sandbox_url,
            "exchange_id": given["exchangeId"],
            "seller_id": given["sellerId"],
            "signature_hash": "sha256",
        },
        credentials={"private_key": private.decode(), "exchange_public_key": given["publicKey"]},
        fee_fixed_minor=100,
    )


def open_migs(merchant: Merchant, *, sandbox_url: str, base_url: str, mode: str) -> ProviderAccount:
    """A card account in mode purchase or authorise; the merchant pays 1.8 % + 0.30."""
    given = _post(f"{sandbox_url}/_accounts/migs", {"notifyUrl": f"{base_url}/eps/callback", "mode": mode})
    return _save(
        merchant,
        provider="migs",
        account_key=given["merchantId"],
        config={"base_url": sandbox_url, "merchant_id": given["merchantId"], "mode": mode},
        credentials={
            "access_code": given["accessCode"],
            "secure_secret": given["secureSecret"],
            "ama_user": given["amaUser"],
            "ama_password": given["amaPassword"],
        },
        fee_basis_points=180,
        fee_fixed_minor=30,
    )


def _post(url: str, body: dict[str, str]) -> dict[str, str]:
    response = requests.post(url, json=body, timeout=10)
    response.raise_for_status()
    given: dict[str, str] = response.json()
    return given


def _save(
    merchant: Merchant, *, provider: str, account_key: str, credentials: dict[str, str], **values: Any
) -> ProviderAccount:
    account = ProviderAccount(
        id=new_id("acct"),
        merchant=merchant,
        provider=provider,
        live=False,
        label=f"{merchant.name} at {provider.upper()}",
        account_key=account_key,
        created_at=timezone.now(),
        **values,
    )
    account.seal_credentials(credentials)
    account.save()
    return account
