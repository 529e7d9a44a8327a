"""Merchants, their keys and provider accounts. Provider keys are made once per process and lead nowhere (a closed port)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from functools import cache
from typing import Any

import factory
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from common.ids import new_id
from merchants.models import ApiKey, Merchant, ProviderAccount


@cache
def rsa_pair(name: str) -> tuple[str, str]:
    """A key pair (private PEM, public PEM) under a name; "ours" and "exchange" are used."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class MerchantFactory(factory.django.DjangoModelFactory[Merchant]):
    class Meta:
        model = Merchant
        skip_postgeneration_save = True

    id = factory.LazyFunction(lambda: new_id("mer"))
    code = factory.Sequence(lambda n: f"KEDAI{n}")
    name = factory.Sequence(lambda n: f"Kedai {n}")
    contact_email = "pemilik@kedai.example"
    rate_plan = "demo"
    created_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[Merchant], *args: Any, **values: Any) -> Merchant:
        eps_api_key, pass_phrase = values.pop("eps_api_key", "test-eps-key"), values.pop("pass_phrase", "test-phrase")
        merchant = model_class(*args, **values)
        merchant.seal_secrets(eps_api_key=eps_api_key, pass_phrase=pass_phrase)
        merchant.save()
        return merchant


class ApiKeyFactory(factory.django.DjangoModelFactory[ApiKey]):
    """An API key whose secret is `api_key_secret(key)`."""

    class Meta:
        model = ApiKey

    id = factory.LazyFunction(lambda: new_id("key"))
    merchant = factory.SubFactory(MerchantFactory)
    name = "server"
    live = False
    secret = factory.LazyFunction(lambda: f"cfk_test_{secrets.token_urlsafe(32)}")
    scopes = factory.LazyFunction(
        lambda: [
            "transaction:read",
            "transaction:create",
            "refund:create",
            "account:read",
            "webhook:manage",
            "settlement:read",
            "api_key:manage",
        ]
    )
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=90))
    created_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[ApiKey], *args: Any, **values: Any) -> ApiKey:
        secret = values.pop("secret")
        key = model_class(*args, prefix=secret[:16], secret_hash=hashlib.sha256(secret.encode()).digest(), **values)
        key.save()
        _secrets[key.pk] = secret
        return key


_secrets: dict[str, str] = {}


def api_key_secret(key: ApiKey) -> str:
    """The secret of a key made by ApiKeyFactory."""
    return _secrets[key.pk]


class ProviderAccountFactory(factory.django.DjangoModelFactory[ProviderAccount]):
    """An FPX account by default; `provider="migs"` for cards. `base_url` points at a closed port unless given."""

    class Meta:
        model = ProviderAccount

    id = factory.LazyFunction(lambda: new_id("acct"))
    merchant = factory.SubFactory(MerchantFactory)
    provider = "fpx"
    live = False
    label = "test"
    account_key = factory.Sequence(lambda n: f"SE{n:08d}")
    created_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[ProviderAccount], *args: Any, **values: Any) -> ProviderAccount:
        base_url = values.pop("base_url", f"http://127.0.0.1:1/{values['provider']}")
        mode = values.pop("mode", "purchase")
        key = values["account_key"]
        if values["provider"] == "fpx":
            config = {"base_url": base_url, "exchange_id": f"EX{key[2:]}", "seller_id": key, "signature_hash": "sha256"}
            credentials = {"private_key": rsa_pair("ours")[0], "exchange_public_key": rsa_pair("exchange")[1]}
        else:
            config = {"base_url": base_url, "merchant_id": key, "mode": mode}
            credentials = {
                "access_code": f"AC{key}",
                "secure_secret": hashlib.sha256(key.encode()).hexdigest().upper(),
                "ama_user": "ama",
                "ama_password": f"pw-{key}",
            }
        credentials = values.pop("credentials", credentials)
        account = model_class(*args, config=values.pop("config", config), **values)
        account.seal_credentials(credentials)
        account.save()
        return account
