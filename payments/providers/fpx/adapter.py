"""FPX 7.0, Malaysian bank transfer: the payer's browser carries the order to FPX; enquiries and refunds go straight.

`Account.config`: base_url, exchange_id, seller_id, account_key (= seller_id), signature_hash (sha1 or sha256).
`Account.credentials`: private_key (PEM, ours), exchange_public_key (PEM).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import date

from payments.providers.base import (
    BadSignature,
    BankStatus,
    InboundMessage,
    Kind,
    NotSupported,
    OperationRequest,
    Outcome,
    Provider,
    ProviderError,
    ProviderResult,
    Redirect,
    Report,
)
from payments.providers.forms import UnreadableForm, parse
from payments.providers.fpx import mapping, signature
from payments.providers.http import NoReply, exchange, statement_file


class Fpx(Provider):
    """Payment type `fpx`: B2C, or B2B1 where the request says business_banking. Takes money at once, so no capture."""

    code = "fpx"
    methods = frozenset({"fpx"})
    currencies = frozenset({"MYR"})
    supports = frozenset({Kind.SALE, Kind.REFUND})
    lists_banks = True

    def redirect(self, request: OperationRequest) -> Redirect:
        if request.kind is not Kind.SALE:
            raise NotSupported(f"fpx has no {request.kind}")
        order = self._signed(mapping.payment("AR", request, self.account.config))
        return Redirect("POST", self._url("seller2DReceiver.jsp"), order)

    def send(self, request: OperationRequest) -> ProviderResult:
        if request.kind is not Kind.REFUND:
            raise NotSupported(f"fpx sends no {request.kind}")
        message = mapping.refund("RF", request, self.account.config)
        return self._result("sellerRefund.jsp", message, mapping.RC, request)

    def look_up(self, request: OperationRequest) -> ProviderResult:
        if request.kind is Kind.REFUND:
            message = mapping.refund("RE", request, self.account.config)
            return self._result("sellerRefund.jsp", message, mapping.RC, request, looking_up=True)
        message = mapping.payment("AE", request, self.account.config)
        return self._result("sellerNVPTxnStatus.jsp", message, mapping.AC, request, looking_up=True)

    @staticmethod
    def claims(fields: Mapping[str, str]) -> bool:
        return "fpx_msgType" in fields

    @staticmethod
    def account_key(fields: Mapping[str, str]) -> str:
        return fields.get("fpx_sellerId", "")

    def read(self, message: InboundMessage) -> Report:
        try:
            fields = parse(message.body)
        except UnreadableForm as exc:
            raise BadSignature(f"unreadable: {exc}") from exc
        self._verify(fields, mapping.AC)
        if not mapping.names_account(fields, self.account.config):
            raise BadSignature("the message is for another account")
        return Report(
            reference=fields["fpx_sellerExOrderNo"],
            kind=Kind.SALE,
            result=mapping.result(fields),
            event_key=hashlib.sha256(signature.signed_text(fields)).hexdigest(),
        )

    def banks(self, *, business: bool = False) -> list[BankStatus]:
        question = mapping.bank_list(business=business, config=self.account.config)
        reply = self._exchange("RetrieveBankList", question, mapping.BC)
        if (reply["fpx_sellerExId"], reply["fpx_msgToken"]) != (question["fpx_sellerExId"], question["fpx_msgToken"]):
            raise ProviderError("FPX answered with another bank list")
        try:
            return mapping.banks(reply["fpx_bankList"])
        except (ValueError, KeyError) as exc:
            raise ProviderError("FPX's bank list cannot be read") from exc

    def statement(self, day: date) -> bytes:
        return statement_file(
            self.session,
            f"{self.account.config['base_url']}/fpx/statements/{day.isoformat()}",
            {"seller": self.account.config["seller_id"]},
            timeout=self.timeout,
        )

    def _url(self, page: str) -> str:
        return f"{self.account.config['base_url']}/FPXMain/{page}"

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        return signature.sign(
            fields,
            private_key=self.account.credentials["private_key"],
            hash_name=self.account.config["signature_hash"],
        )

    def _verify(self, fields: Mapping[str, str], names: Collection[str]) -> None:
        signature.verify(
            fields,
            names=names,
            public_key=self.account.credentials["exchange_public_key"],
            hash_name=self.account.config["signature_hash"],
        )

    def _exchange(self, page: str, fields: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
        return exchange(
            self.session,
            self._url(page),
            self._signed(fields),
            timeout=self.timeout,
            verify=lambda reply: self._verify(reply, names),
        )

    def _result(
        self,
        page: str,
        message: Mapping[str, str],
        names: Collection[str],
        request: OperationRequest,
        *,
        looking_up: bool = False,
    ) -> ProviderResult:
        try:
            reply = self._exchange(page, message, names)
        except NoReply as exc:
            return ProviderResult(Outcome.UNKNOWN, reason=exc.reason, raw=exc.raw)
        told = mapping.result(reply, looking_up=looking_up)
        if mapping.names_account(reply, self.account.config) and mapping.answers(reply, request):
            return told
        return ProviderResult(Outcome.UNKNOWN, code=told.code, reason="mismatched_reply", raw=told.raw)
