"""What the providers send, signed here as docs/provider-wire.md says and not with the code under test."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.test import Client
from django.utils import timezone

from merchants.models import ProviderAccount
from payments.models import Operation, ProviderEvent, Transaction
from tests.factories import ProviderAccountFactory, new_transaction, sale_of
from tests.factories.merchants import rsa_pair

FORM = "application/x-www-form-urlencoded"


def fpx_ac(
    account: ProviderAccount, operation: Operation | str, *, sign_with: str = "exchange", **changes: str
) -> dict[str, str]:
    """An AC message: approved, over the operation's own amount unless changed."""
    reference = operation if isinstance(operation, str) else operation.reference
    fields = {
        "fpx_buyerBankBranch": "SEREMBAN",
        "fpx_buyerBankId": "TEST0001",
        "fpx_buyerIban": "",
        "fpx_buyerId": "",
        "fpx_buyerName": "NUR AISYAH",
        "fpx_creditAuthCode": "00",
        "fpx_creditAuthNo": "9988776655",
        "fpx_debitAuthCode": "00",
        "fpx_debitAuthNo": "1234567890",
        "fpx_fpxTxnId": "2603021200000001",
        "fpx_fpxTxnTime": "20260302120105",
        "fpx_makerName": "",
        "fpx_msgToken": "01",
        "fpx_msgType": "AC",
        "fpx_sellerExId": account.config["exchange_id"],
        "fpx_sellerExOrderNo": reference,
        "fpx_sellerId": account.config["seller_id"],
        "fpx_sellerOrderNo": reference,
        "fpx_sellerTxnTime": "20260302120000",
        "fpx_txnAmount": "100.00" if isinstance(operation, str) else str(operation.amount),
        "fpx_txnCurrency": "MYR",
        **changes,
    }
    text = "|".join(fields[name] for name in sorted(fields))
    key = serialization.load_pem_private_key(rsa_pair(sign_with)[0].encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return {**fields, "fpx_checkSum": key.sign(text.encode(), PKCS1v15(), hashes.SHA256()).hex().upper()}


def migs_result(account: ProviderAccount, operation: Operation, *, secret: str = "", **changes: str) -> dict[str, str]:
    """A result message: approved, over the operation's own amount unless changed."""
    fields = {
        "vpc_Command": "pay",
        "vpc_Version": "1",
        "vpc_Locale": "en",
        "vpc_Merchant": account.account_key,
        "vpc_MerchTxnRef": operation.reference,
        "vpc_OrderInfo": "order",
        "vpc_Amount": str(operation.amount_minor),
        "vpc_Currency": "MYR",
        "vpc_TxnResponseCode": "0",
        "vpc_AcqResponseCode": "00",
        "vpc_Message": "Approved",
        "vpc_TransactionNo": "2090000123",
        "vpc_ReceiptNo": "603021234567",
        "vpc_AuthorizeId": "A12345",
        "vpc_BatchNo": "20260302",
        "vpc_Card": "VC",
        **changes,
    }
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name])
    key = bytes.fromhex(secret or account.open_credentials()["secure_secret"])
    digest = hmac.new(key, text.encode(), hashlib.sha256).hexdigest().upper()
    return {**fields, "vpc_SecureHash": digest, "vpc_SecureHashType": "SHA256"}


def call_back(fields: dict[str, str] | bytes, *, content_type: str = FORM, **extra: Any) -> Any:
    """The provider posts to us."""
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    return Client().generic("POST", "/eps/callback", body, CONTENT_TYPE=content_type, **extra)


def unpaid(provider: str = "fpx") -> tuple[ProviderAccount, Operation]:
    """An account and the operation of a payment of 100.00 on it that the payer has not made yet."""
    account = ProviderAccountFactory(provider=provider)
    return account, sale_of(new_transaction(account, now=timezone.now()).transaction)


def untouched() -> bool:
    """The one transaction is as it was created, and no message was believed."""
    transaction = Transaction.objects.get()
    believed = ProviderEvent.objects.exclude(state="REJECTED")
    return (transaction.status, transaction.version) == ("PENDING", 1) and not believed.exists()
