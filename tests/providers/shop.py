"""A merchant at the sandbox: its adapter, its callback address, and a look into the provider's own books."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests

from common.money import Money
from payments.providers.base import Account, InboundMessage, Kind, OperationRequest, Provider, Report
from payments.providers.registry import provider_class
from payments.providers.session import open_session
from tests.providers import given
from tests.providers.listener import Listener

PATIENCE_SECONDS = 30  # for a callback
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Shop:
    sandbox_url: str
    provider: Provider
    listener: Listener

    def order(self, kind: Kind, amount: str = "150.00", **changes: Any) -> OperationRequest:
        """A new operation with a reference of its own."""
        fresh = OperationRequest(
            kind=kind,
            reference=f"OP{datetime.now(UTC):%H%M%S%f}{next(_numbers):04}",
            amount=Money.parse(amount, "MYR"),
            at=datetime.now(UTC),
            description="Licence renewal & permit | 2025",
            return_url=f"{self.listener.url}/return",
            payer_name="Nur Aisyah",
            payer_email="payer@example.com",
        )
        return replace(fresh, **changes)

    def impatient(self) -> Provider:
        """Its adapter, with one second for a reply."""
        return type(self.provider)(self.provider.account, open_session(), (1.0, 1.0))

    def visit(self, request: OperationRequest, decision: str = "approve") -> None:
        """The payer's browser goes where `redirect` sends it, and decides."""
        redirect = self.provider.redirect(request)
        action = {
            "type": "redirect",
            "method": redirect.method,
            "url": redirect.url,
            "fields": dict(redirect.fields),
        }
        answer = requests.post(
            f"{self.sandbox_url}/_payer", json={"nextAction": action, "decision": decision}, timeout=60
        )
        answer.raise_for_status()

    def paid(self, kind: Kind, amount: str = "150.00", **changes: Any) -> tuple[OperationRequest, Report]:
        """An order that the payer has approved, and what the provider's callback said of it."""
        request = self.order(kind, amount, **changes)
        self.visit(request)
        return request, self.read(self.called_back())

    def follow_up(self, kind: Kind, amount: str, original: OperationRequest, report: Report) -> OperationRequest:
        return self.order(
            kind,
            amount,
            original_reference=original.reference,
            original_provider_reference=report.result.provider_reference,
            original_at=original.at,
        )

    def called_back(self) -> InboundMessage:
        return self.listener.direct.get(timeout=PATIENCE_SECONDS)

    def returned(self) -> InboundMessage:
        return self.listener.returned.get(timeout=PATIENCE_SECONDS)

    def read(self, message: InboundMessage) -> Report:
        return self.provider.read(message)

    def books(self, request: OperationRequest) -> list[tuple[str, str, str]]:
        """What the provider has under our reference: (kind, amount, status) of each entry."""
        answer = requests.get(f"{self.sandbox_url}/_books/{self.provider.code}", timeout=10)
        answer.raise_for_status()
        return [
            (entry["kind"], str(entry["amount"]), entry["status"])
            for entry in answer.json()["entries"]
            if entry["reference"] == request.reference
        ]

    def fault(self, fault: str, value: float | None = None, seconds: int = 30) -> None:
        """Let the whole provider misbehave; "none" ends it."""
        answer = requests.post(
            f"{self.sandbox_url}/_control/{self.provider.code}",
            json={"fault": fault, "value": value, "seconds": seconds},
            timeout=10,
        )
        answer.raise_for_status()


def open_shop(
    code: str,
    sandbox_url: str,
    listener: Listener,
    *,
    mode: str = "purchase",
    signature_hash: str = "sha1",
) -> Shop:
    """Open an account at the sandbox, as a merchant does with the provider's paper forms."""
    if code == "fpx":
        account = _fpx_account(sandbox_url, listener, signature_hash)
    else:
        account = _migs_account(sandbox_url, listener, mode)
    return Shop(sandbox_url, provider_class(code)(account, open_session(), (5.0, 20.0)), listener)


def _opened(sandbox_url: str, code: str, body: dict[str, str]) -> dict[str, str]:
    answer = requests.post(f"{sandbox_url}/_accounts/{code}", json=body, timeout=30)
    answer.raise_for_status()
    opened: dict[str, str] = answer.json()
    return opened


def _fpx_account(sandbox_url: str, listener: Listener, signature_hash: str) -> Account:
    opened = _opened(
        sandbox_url,
        "fpx",
        {
            "publicKey": given.public_pem(given.rsa_key("seller")),
            "directUrl": f"{listener.url}/direct",
            "indirectUrl": f"{listener.url}/return",
            "signatureHash": signature_hash,
        },
    )
    return Account(
        id="fpx-shop",
        config={
            "base_url": sandbox_url,
            "exchange_id": opened["exchangeId"],
            "seller_id": opened["sellerId"],
            "account_key": opened["sellerId"],
            "signature_hash": signature_hash,
        },
        credentials={
            "private_key": given.private_pem(given.rsa_key("seller")),
            "exchange_public_key": opened["publicKey"],
        },
    )


def _migs_account(sandbox_url: str, listener: Listener, mode: str) -> Account:
    opened = _opened(sandbox_url, "migs", {"notifyUrl": f"{listener.url}/direct", "mode": mode})
    return Account(
        id="migs-shop",
        config={
            "base_url": sandbox_url,
            "merchant_id": opened["merchantId"],
            "account_key": opened["merchantId"],
            "mode": mode,
        },
        credentials={
            "access_code": opened["accessCode"],
            "secure_secret": opened["secureSecret"],
            "ama_user": opened["amaUser"],
            "ama_password": opened["amaPassword"],
        },
    )
