"""Payments at the real sandbox: a payer decides, and we learn the outcome by looking it up."""

from __future__ import annotations

from typing import Any

import requests
from django.utils import timezone

from common.changes import Actor
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation
from payments.services.operations import operation_look_up, operation_run
from payments.services.refunds import refund_request
from tests.factories import ProviderAccountFactory, new_transaction, sale_of
from tests.factories.merchants import rsa_pair

NOWHERE = "http://127.0.0.1:1/"


def open_shop(sandbox_url: str, provider: str) -> ProviderAccount:
    """An account that the sandbox handed out."""
    if provider == "fpx":
        given = _post(
            f"{sandbox_url}/_accounts/fpx",
            {"publicKey": rsa_pair("ours")[1], "signatureHash": "sha256", "directUrl": NOWHERE, "indirectUrl": NOWHERE},
        )
        return ProviderAccountFactory(
            account_key=given["sellerId"],
            config={
                "base_url": sandbox_url,
                "exchange_id": given["exchangeId"],
                "seller_id": given["sellerId"],
                "signature_hash": "sha256",
            },
            credentials={"private_key": rsa_pair("ours")[0], "exchange_public_key": given["publicKey"]},
        )
    given = _post(f"{sandbox_url}/_accounts/migs", {"notifyUrl": NOWHERE, "mode": "purchase"})
    return ProviderAccountFactory(
        provider="migs",
        account_key=given["merchantId"],
        config={"base_url": sandbox_url, "merchant_id": given["merchantId"], "mode": "purchase"},
        credentials={
            "access_code": given["accessCode"],
            "secure_secret": given["secureSecret"],
            "ama_user": given["amaUser"],
            "ama_password": given["amaPassword"],
        },
    )


def pay(
    account: ProviderAccount, sandbox_url: str, minor: int, *, decision: str = "approve", told: bool = True
) -> Operation:
    """A payment of `minor` sen; `told=False`: we have not learned yet what became of it."""
    created = new_transaction(
        account,
        now=timezone.now(),
        amount=Money(minor, "MYR"),
        bank_code="MERA0101" if account.provider == "fpx" else "",
    )
    _post(f"{sandbox_url}/_payer", {"nextAction": created.payment.next_action, "decision": decision})
    sale = sale_of(created.transaction)
    if told:
        operation_look_up(operation_id=sale.pk, now=timezone.now())
        sale.refresh_from_db()
    return sale


def refund(sale: Operation, minor: int) -> Operation:
    asked = refund_request(
        transaction_id=sale.payment.transaction_id,
        amount=Money(minor, "MYR"),
        reason="test",
        actor=Actor("operator:test"),
        now=timezone.now(),
    )
    operation_run(operation_id=asked.operation.pk, now=timezone.now())
    asked.operation.refresh_from_db()
    return asked.operation


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    response = requests.post(url, json=body, timeout=30)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
