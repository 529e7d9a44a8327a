"""MIGS, card gateway (Virtual Payment Client, 3-party): card data goes from the payer's browser to the gateway, never to us.

`Account.config`: base_url, merchant_id, account_key (= merchant_id), mode (purchase: `pay` takes the money at once, SALE;
authorise: `pay` reserves it, AUTHORIZE).
`Account.credentials`: access_code, secure_secret (hexadecimal), ama_user, ama_password.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date

from payments.providers.base import (
    BadSignature,
    InboundMessage,
    Kind,
    NotSupported,
    OperationRequest,
    Outcome,
    Provider,
    ProviderResult,
    Redirect,
    Report,
)
from payments.providers.forms import UnreadableForm, parse
from payments.providers.http import NoReply, exchange, statement_file
from payments.providers.migs import mapping, signature


class Migs(Provider):
    """Payment type `migs`. A repeated reference answers with the first one's result, so every try is safe."""

    code = "migs"
    methods = frozenset({"migs"})
    currencies = frozenset({"MYR", "USD", "SGD", "EUR", "GBP", "AUD"})
    supports = frozenset({Kind.SALE, Kind.AUTHORIZE, Kind.CAPTURE, Kind.VOID, Kind.REFUND})
    several_captures = True

    def redirect(self, request: OperationRequest) -> Redirect:
        if request.kind is not mapping.PAY_KINDS[self.account.config["mode"]]:
            raise NotSupported(f"this migs account has no {request.kind}")
        order = self._signed(mapping.pay(request, self.account.config, self.account.credentials))
        return Redirect("POST", self._url("vpcpay"), order)

    def send(self, request: OperationRequest) -> ProviderResult:
        if request.kind not in mapping.COMMANDS:
            raise NotSupported(f"migs sends no {request.kind}")
        message = mapping.follow_up(request, self.account.config, self.account.credentials)
        return self._result(message, request, mapping.result)

    def look_up(self, request: OperationRequest) -> ProviderResult:
        message = mapping.query(request, self.account.config, self.account.credentials)
        return self._result(message, request, mapping.query_result)

    @staticmethod
    def claims(fields: Mapping[str, str]) -> bool:
        return "vpc_MerchTxnRef" in fields

    @staticmethod
    def account_key(fields: Mapping[str, str]) -> str:
        return fields.get("vpc_Merchant", "")

    def read(self, message: InboundMessage) -> Report:
        try:
            fields = parse(message.query.encode("ascii") if message.method == "GET" else message.body)
        except (UnreadableForm, UnicodeEncodeError) as exc:
            raise BadSignature(f"unreadable: {exc}") from exc
        self._verify(fields)
        if fields.get("vpc_Merchant") != self.account.config["merchant_id"]:
            raise BadSignature("the message is for another account")
        return Report(
            reference=fields.get("vpc_MerchTxnRef", ""),
            kind=mapping.kind_of(fields, self.account.config),
            result=mapping.result(fields),
            event_key=hashlib.sha256(signature.signed_text(fields)).hexdigest(),
        )

    def statement(self, day: date) -> bytes:
        return statement_file(
            self.session,
            f"{self.account.config['base_url']}/migs/statements/{day.isoformat()}",
            {"merchant": self.account.config["merchant_id"]},
            timeout=self.timeout,
        )

    def _url(self, page: str) -> str:
        return f"{self.account.config['base_url']}/{page}"

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        return signature.sign(fields, secret=self.account.credentials["secure_secret"])

    def _verify(self, fields: Mapping[str, str]) -> None:
        signature.verify(fields, secret=self.account.credentials["secure_secret"])

    def _result(
        self,
        message: Mapping[str, str],
        request: OperationRequest,
        translate: Callable[[Mapping[str, str]], ProviderResult],
    ) -> ProviderResult:
        try:
            reply = exchange(
                self.session, self._url("vpcdps"), self._signed(message), timeout=self.timeout, verify=self._verify
            )
        except NoReply as exc:
            return ProviderResult(Outcome.UNKNOWN, reason=exc.reason, raw=exc.raw)
        told = translate(reply)
        if mapping.answers(reply, request, self.account.config):
            return told
        return ProviderResult(Outcome.UNKNOWN, code=told.code, reason="mismatched_reply", raw=told.raw)
