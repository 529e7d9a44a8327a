"""Opening accounts: at the provider sandbox, as a merchant does on paper with a provider, and with us."""

from __future__ import annotations

from typing import Any

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction
from django.utils import timezone

from common.changes import Actor
from common.ids import new_id
from common.money import Money
from demo.cast import ACCOUNTS
from demo.people import by_two
from merchants.models import Merchant, ProviderAccount
from payments.models import Account
from payments.services.accounts import account_deposit, account_open
from reconciliation.models import BankAccount, FileFormat, Side, Source
from reconciliation.services.settings import BANK_ACCOUNT


def open_accounts(merchant_code: str) -> dict[str, dict[str, str]]:
    """The merchant's own accounts, opened and paid in to unless they are there. Returns currency and balance of each, as it is now."""
    merchant, actor = Merchant.objects.get(code=merchant_code), Actor("system:demo")
    for account_id, minor in ACCOUNTS.items():
        if Account.objects.filter(pk=account_id).exists():
            continue
        now = timezone.now()
        with transaction.atomic():
            account_open(
                account_id=account_id,
                merchant_id=merchant.pk,
                live=False,
                currency="USD",
                name=account_id.replace("_", " ").capitalize(),
                actor=actor,
                now=now,
            )
            if minor:
                amount = Money(minor, "USD")
                account_deposit(account_id=account_id, amount=amount, actor=actor, reason="Opening deposit", now=now)
    accounts = Account.objects.filter(merchant=merchant, live=False).order_by("pk")
    return {account.pk: {"currency": account.currency, "balance": str(account.available)} for account in accounts}


def open_fpx(merchant: Merchant, *, sandbox_url: str, base_url: str) -> ProviderAccount:
    """An FPX account with a key pair of our own, unless it has one; the merchant pays 1.00 a payment."""
    if (known := merchant.provider_accounts.filter(provider="fpx", live=False).first()) is not None:
        return known
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
    """A card account in mode purchase or authorise, unless it has one; the merchant pays 1.8 % + 0.30."""
    if (known := merchant.provider_accounts.filter(provider="migs", live=False, config__mode=mode).first()) is not None:
        return known
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


def open_bank(*, sandbox_url: str) -> None:
    """Our account at the sandbox's bank, where the providers' money arrives, unless it is there."""
    source, _ = Source.objects.get_or_create(
        code="sandboxbank",
        defaults={
            "name": "Sandbox Bank",
            "side": Side.BANK,
            "format": FileFormat.CAMT053,
            "fetch_url": f"{sandbox_url}/bank/statements/{{date}}?account={{account}}",
        },
    )
    if not source.bank_accounts.exists():
        ours = BankAccount(source=source, account_key="514000000001", live=False, currency="MYR")
        ours.holder, ours.bic = "Counterfoil Back Office", "SBOXMYKLXXX"
        by_two(BANK_ACCOUNT.propose, wanted=ours, reason="Our account")


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
