"""Merchants with their own cryptography, written from docs/provider-wire.md alone: neither the sandbox's nor the adapters'."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sandbox.receiver import Receiver

HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> str:
    return (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def new_reference() -> str:
    return uuid.uuid4().hex[:20]


def nvp(response: requests.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return dict(parse_qsl(response.text, keep_blank_values=True, strict_parsing=True))


@dataclass(frozen=True)
class Merchant:
    """What both kinds of merchants do at the sandbox."""

    url: str
    receiver: Receiver
    account: dict[str, str]
    provider: str = ""

    def books(self, **filters: str) -> list[dict[str, str]]:
        answer = requests.get(f"{self.url}/_books/{self.provider}", params=filters, timeout=10)
        assert answer.status_code == 200
        entries: list[dict[str, str]] = answer.json()["entries"]
        return entries

    def booked(self, reference: str) -> list[tuple[str, str, str]]:
        return [(entry["kind"], entry["amount"], entry["status"]) for entry in self.books(reference=reference)]

    def payer(self, action: dict[str, Any], decision: str = "approve") -> requests.Response:
        body = {"nextAction": {"type": "redirect", **action}, "decision": decision}
        return requests.post(f"{self.url}/_payer", json=body, timeout=60)


class FpxSeller(Merchant):
    @classmethod
    def open(cls, url: str, receiver: Receiver, hash_name: str = "sha1") -> FpxSeller:
        body = {"directUrl": f"{receiver.url}/direct", "indirectUrl": f"{receiver.url}/return"}
        body |= {"publicKey": public_pem(), "signatureHash": hash_name}
        answer = requests.post(f"{url}/_accounts/fpx", json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        return cls(url, receiver, {**answer.json(), "hash": hash_name}, "fpx")

    def signed(self, fields: dict[str, str]) -> dict[str, str]:
        names = sorted(f"fpx_{name}" for name in fields)
        text = "|".join(fields[name.removeprefix("fpx_")] for name in names).encode()
        checksum = private_key().sign(text, padding.PKCS1v15(), HASHES[self.account["hash"]]())
        return {**{f"fpx_{k}": v for k, v in fields.items()}, "fpx_checkSum": checksum.hex().upper()}

    def read(self, message: dict[str, str]) -> dict[str, str]:
        """The fields of a message that the exchange signed, without prefix and checksum. Raises InvalidSignature."""
        key = serialization.load_pem_public_key(self.account["publicKey"].encode())
        assert isinstance(key, rsa.RSAPublicKey)
        assert re.fullmatch(r"[0-9A-F]{512}", message["fpx_checkSum"])
        fields = {k: v for k, v in message.items() if k != "fpx_checkSum"}
        text = "|".join(fields[name] for name in sorted(fields)).encode()
        key.verify(bytes.fromhex(message["fpx_checkSum"]), text, padding.PKCS1v15(), HASHES[self.account["hash"]]())
        return {k.removeprefix("fpx_"): v for k, v in fields.items()}

    def order(self, amount: str = "150.00", **changes: str) -> dict[str, str]:
        """AR's fields, unsigned and without prefix."""
        reference = new_reference()
        fields = {
            "msgType": "AR",
            "msgToken": "01",
            "sellerExId": self.account["exchangeId"],
            "sellerExOrderNo": reference,
            "sellerTxnTime": "20260131093000",
            "sellerOrderNo": reference,
            "sellerId": self.account["sellerId"],
            "sellerBankCode": "01",
            "txnCurrency": "MYR",
            "txnAmount": amount,
            "buyerEmail": "payer@example.com",
            "buyerName": "Aisyah & Söhne",
            "buyerBankId": "MERA0101",
            "buyerBankBranch": "",
            "buyerAccNo": "",
            "buyerId": "",
            "makerName": "",
            "buyerIban": "",
            "productDesc": "Licence <renewal>",
            "version": "7.0",
        }
        return fields | changes

    def action(self, fields: dict[str, str]) -> dict[str, Any]:
        return {
            "method": "POST",
            "url": f"{self.url}/FPXMain/seller2DReceiver.jsp",
            "fields": self.signed(fields),
        }

    def post(self, page: str, fields: dict[str, str]) -> requests.Response:
        return requests.post(f"{self.url}/FPXMain/{page}", data=self.signed(fields), timeout=20)

    def pay(self, amount: str = "150.00", decision: str = "approve", **changes: str) -> dict[str, str]:
        """Let a payer decide an order; returns its fields."""
        fields = self.order(amount, **changes)
        answer = self.payer(self.action(fields), decision)
        assert answer.status_code == 200, answer.text
        return fields

    def enquire(self, fields: dict[str, str]) -> dict[str, str]:
        return self.read(nvp(self.post("sellerNVPTxnStatus.jsp", {**fields, "msgType": "AE"})))

    def refund_of(self, order: dict[str, str], amount: str, **changes: str) -> dict[str, str]:
        """RF's fields, unsigned and without prefix."""
        common = ("msgToken", "sellerExId", "sellerTxnTime", "sellerId", "txnCurrency", "version")
        fields = {name: order[name] for name in common}
        fields |= {"msgType": "RF", "sellerExOrderNo": new_reference(), "txnAmount": amount}
        return fields | {"orgSellerExOrderNo": order["sellerExOrderNo"], "orgFpxTxnId": ""} | changes

    def refund(self, fields: dict[str, str]) -> dict[str, str]:
        return self.read(nvp(self.post("sellerRefund.jsp", fields)))


class MigsMerchant(Merchant):
    @classmethod
    def open(cls, url: str, receiver: Receiver, mode: str = "purchase") -> MigsMerchant:
        body = {"notifyUrl": f"{receiver.url}/direct", "mode": mode}
        answer = requests.post(f"{url}/_accounts/migs", json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        return cls(url, receiver, answer.json(), "migs")

    def hash_of(self, fields: dict[str, str]) -> str:
        left_out = {"vpc_SecureHash", "vpc_SecureHashType"}
        text = "&".join(f"{k}={fields[k]}" for k in sorted(fields) if k not in left_out and fields[k])
        return hmac.new(bytes.fromhex(self.account["secureSecret"]), text.encode(), hashlib.sha256).hexdigest().upper()

    def signed(self, fields: dict[str, str]) -> dict[str, str]:
        return {**fields, "vpc_SecureHash": self.hash_of(fields), "vpc_SecureHashType": "SHA256"}

    def read(self, message: dict[str, str]) -> dict[str, str]:
        """The fields of a message that the gateway signed, without prefix."""
        assert message["vpc_SecureHash"] == self.hash_of(message)
        assert message["vpc_SecureHashType"] == "SHA256"
        return {k.removeprefix("vpc_"): v for k, v in message.items()}

    def order(self, amount: str = "15000", **changes: str) -> dict[str, str]:
        fields = {
            "vpc_Version": "1",
            "vpc_Command": "pay",
            "vpc_AccessCode": self.account["accessCode"],
            "vpc_Merchant": self.account["merchantId"],
            "vpc_MerchTxnRef": new_reference(),
            "vpc_OrderInfo": "Licence + permit",
            "vpc_Amount": amount,
            "vpc_Currency": "MYR",
            "vpc_Locale": "en",
            "vpc_ReturnURL": f"{self.receiver.url}/return?shop=1",
        }
        return fields | changes

    def action(self, fields: dict[str, str], method: str = "POST") -> dict[str, Any]:
        return {"method": method, "url": f"{self.url}/vpcpay", "fields": self.signed(fields)}

    def pay(self, amount: str = "15000", decision: str = "approve", **changes: str) -> dict[str, str]:
        """Let a payer decide an order; returns its fields."""
        fields = self.order(amount, **changes)
        answer = self.payer(self.action(fields), decision)
        assert answer.status_code == 200, answer.text
        return fields

    def command(self, command: str, reference: str = "", **fields: str) -> dict[str, str]:
        """Fields of a vpcdps message, unsigned."""
        return {
            "vpc_Version": "1",
            "vpc_Command": command,
            "vpc_AccessCode": self.account["accessCode"],
            "vpc_Merchant": self.account["merchantId"],
            "vpc_MerchTxnRef": reference or new_reference(),
            "vpc_User": self.account["amaUser"],
            "vpc_Password": self.account["amaPassword"],
            **{f"vpc_{k}": v for k, v in fields.items()},
        }

    def post(self, fields: dict[str, str]) -> requests.Response:
        return requests.post(f"{self.url}/vpcdps", data=self.signed(fields), timeout=20)

    def send(self, command: str, reference: str = "", **fields: str) -> dict[str, str]:
        """Send a command; returns the verified answer without prefix."""
        return self.read(nvp(self.post(self.command(command, reference, **fields))))

    def act(self, command: str, number: str, amount: str, currency: str = "MYR", reference: str = "") -> dict[str, str]:
        return self.send(command, reference, TransNo=number, Amount=amount, Currency=currency)
