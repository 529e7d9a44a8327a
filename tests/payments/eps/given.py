"""Merchants of both schemes and their messages. CHECKSUM is computed here from the document's words, not with the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from django.test import Client

from common.models import AuditRecord, Fact
from merchants.models import Merchant
from merchants.selectors import forget_accounts, forget_merchants
from payments.models import Operation, Payment, Transaction
from tests.factories import MerchantFactory, ProviderAccountFactory

API_KEY, PASS_PHRASE = "eps-key-of-tests", "kata laluan ujian"
FORM = "application/x-www-form-urlencoded"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
JOINED = {
    "request": ("TRANS_ID", "PAYMENT_MODE", "AMOUNT", "MERCHANT_CODE"),
    "update": ("TRANS_ID", "MERCHANT_CODE"),
    "reconcile": ("MERCHANT_CODE", "DATE"),
    "response": ("TRANS_ID", "STATUS", "AMOUNT"),
}


def merchant_with(scheme: str = "epic-v2", *providers: str, **values: Any) -> Merchant:
    """A merchant with one account at each provider (FPX and MIGS unless named)."""
    merchant = MerchantFactory(checksum_scheme=scheme, eps_api_key=API_KEY, pass_phrase=PASS_PHRASE, **values)
    for provider in providers or ("fpx", "migs"):
        ProviderAccountFactory(merchant=merchant, provider=provider)
    forget_merchants()
    forget_accounts()
    return merchant


def epic_v1(text: str) -> str:
    key, iv = hashlib.sha256(API_KEY.encode()).digest(), hashlib.sha256(PASS_PHRASE.encode()).digest()[:16]
    missing = 16 - len(text.encode()) % 16
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return base64.b64encode(encryptor.update(text.encode() + bytes([missing]) * missing)).decode()


def epic_v2(fields: dict[str, str]) -> str:
    lines = [f"{name}={quote(value, safe='')}" for name, value in sorted(fields.items()) if name != "CHECKSUM"]
    return hmac.new(PASS_PHRASE.encode(), "\n".join(lines).encode(), "sha256").hexdigest()


def checksum_of(merchant: Merchant, message: str, fields: dict[str, str]) -> str:
    if merchant.checksum_scheme == "epic-v1":
        return epic_v1("".join(fields.get(name, "") for name in JOINED[message]))
    return epic_v2(fields)


def signed(merchant: Merchant, message: str, fields: dict[str, str]) -> dict[str, str]:
    """The fields with MERCHANT_CODE, TIMESTAMP (epic-v2) and CHECKSUM unless they are given."""
    fields = {"MERCHANT_CODE": merchant.code, **fields}
    if merchant.checksum_scheme == "epic-v2":
        fields.setdefault("TIMESTAMP", str(int(time.time())))
    fields.setdefault("CHECKSUM", checksum_of(merchant, message, fields))
    return fields


def request_fields(merchant: Merchant, **changes: str | None) -> dict[str, str]:
    """A signed /eps/request over 100.50 by FPX; a change to None leaves the field out."""
    fields: dict[str, str | None] = {"TRANS_ID": "TXN20260302001", "AMOUNT": "100.50", "PAYMENT_MODE": "fpx", **changes}
    return signed(merchant, "request", {name: value for name, value in fields.items() if value is not None})


def post(path: str, fields: dict[str, str], *, accept: str = "*/*", **headers: str) -> Any:
    """Post a form. The response is Django's test response."""
    return Client().post(f"/eps/{path}", urlencode(fields), content_type=FORM, headers={"Accept": accept, **headers})


def ask(merchant: Merchant, **changes: str | None) -> Any:
    return post("request", request_fields(merchant, **changes))


def nothing_was_written() -> bool:
    return not any(model.objects.exists() for model in (Transaction, Payment, Operation, Fact, AuditRecord))
