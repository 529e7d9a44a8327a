"""FPX 7.0: our words to FPX's message fields and back. Pure; docs/provider-wire.md is the source.

Only a success carries an amount, and a success whose amount cannot be read exactly is no success but UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from common.money import InvalidAmount, Money, UnknownCurrency
from payments.providers.base import BankStatus, OperationRequest, Outcome, ProviderResult
from payments.providers.forms import clean, redacted
from payments.providers.fpx.banks import BANK_NAMES
from payments.providers.fpx.codes import meaning
from payments.providers.fpx.signature import CHECKSUM

MALAYSIA = timezone(timedelta(hours=8))  # Asia/Kuala_Lumpur, without daylight saving since 1981
VERSION = "7.0"

# The fields of the messages that come to us, all of them, without the checksum.
AC = frozenset(
    {
        "fpx_buyerBankBranch",
        "fpx_buyerBankId",
        "fpx_buyerIban",
        "fpx_buyerId",
        "fpx_buyerName",
        "fpx_creditAuthCode",
        "fpx_creditAuthNo",
        "fpx_debitAuthCode",
        "fpx_debitAuthNo",
        "fpx_fpxTxnId",
        "fpx_fpxTxnTime",
        "fpx_makerName",
        "fpx_msgToken",
        "fpx_msgType",
        "fpx_sellerExId",
        "fpx_sellerExOrderNo",
        "fpx_sellerId",
        "fpx_sellerOrderNo",
        "fpx_sellerTxnTime",
        "fpx_txnAmount",
        "fpx_txnCurrency",
    }
)
RC = frozenset(
    {
        "fpx_debitAuthCode",
        "fpx_fpxTxnId",
        "fpx_fpxTxnTime",
        "fpx_msgToken",
        "fpx_msgType",
        "fpx_sellerExId",
        "fpx_sellerExOrderNo",
        "fpx_sellerId",
        "fpx_txnAmount",
        "fpx_txnCurrency",
    }
)
BC = frozenset(
    {
        "fpx_bankList",
        "fpx_msgToken",
        "fpx_msgType",
        "fpx_sellerExId",
    }
)


def wire_time(at: datetime) -> str:
    return at.astimezone(MALAYSIA).strftime("%Y%m%d%H%M%S")


def payment(message_type: str, request: OperationRequest, config: Mapping[str, str]) -> dict[str, str]:
    """AR, which the payer's browser carries, or AE, the enquiry with the same fields. Unsigned."""
    return {
        "fpx_msgType": message_type,
        "fpx_msgToken": token(business=request.business_banking),
        "fpx_sellerExId": config["exchange_id"],
        "fpx_sellerExOrderNo": request.reference,
        "fpx_sellerTxnTime": wire_time(request.at),
        "fpx_sellerOrderNo": request.reference,
        "fpx_sellerId": config["seller_id"],
        "fpx_sellerBankCode": "01",
        "fpx_txnCurrency": request.amount.currency,
        "fpx_txnAmount": str(request.amount),
        "fpx_buyerEmail": clean(request.payer_email, limit=50, forbidden="|"),
        "fpx_buyerName": clean(request.payer_name, limit=40, forbidden="|"),
        "fpx_buyerBankId": request.bank_code,
        "fpx_buyerBankBranch": "",
        "fpx_buyerAccNo": "",
        "fpx_buyerId": "",
        "fpx_makerName": "",
        "fpx_buyerIban": "",
        "fpx_productDesc": clean(request.description, limit=30, forbidden="|"),
        "fpx_version": VERSION,
    }


def refund(message_type: str, request: OperationRequest, config: Mapping[str, str]) -> dict[str, str]:
    """RF, which refunds, or RE, which asks for the refund's state. Unsigned."""
    return {
        "fpx_msgType": message_type,
        "fpx_msgToken": token(business=request.business_banking),
        "fpx_sellerExId": config["exchange_id"],
        "fpx_sellerExOrderNo": request.reference,
        "fpx_sellerTxnTime": wire_time(request.at),
        "fpx_sellerId": config["seller_id"],
        "fpx_orgSellerExOrderNo": request.original_reference,
        "fpx_orgFpxTxnId": request.original_provider_reference,
        "fpx_txnAmount": str(request.amount),
        "fpx_txnCurrency": request.amount.currency,
        "fpx_version": VERSION,
    }


def bank_list(*, business: bool, config: Mapping[str, str]) -> dict[str, str]:
    """BE, the question for the bank list. Unsigned."""
    return {
        "fpx_msgType": "BE",
        "fpx_msgToken": token(business=business),
        "fpx_sellerExId": config["exchange_id"],
        "fpx_version": VERSION,
    }


def token(*, business: bool) -> str:
    return "02" if business else "01"


def names_account(fields: Mapping[str, str], config: Mapping[str, str]) -> bool:
    """Whether an AC or RC speaks of this account."""
    return (fields["fpx_sellerExId"], fields["fpx_sellerId"]) == (config["exchange_id"], config["seller_id"])


def answers(reply: Mapping[str, str], request: OperationRequest) -> bool:
    """Whether an AC or RC speaks of the operation that was asked about."""
    asked = (request.reference, request.amount.currency)
    return (reply["fpx_sellerExOrderNo"], reply["fpx_txnCurrency"]) == asked


def result(fields: Mapping[str, str], *, looking_up: bool = False) -> ProviderResult:
    """What a verified AC or RC says."""
    code = fields["fpx_debitAuthCode"]
    outcome, failure_code, reason = meaning(code, looking_up=looking_up)
    amount = None
    if outcome is Outcome.SUCCEEDED:
        try:
            amount = Money.parse(fields["fpx_txnAmount"], fields["fpx_txnCurrency"])
        except (InvalidAmount, UnknownCurrency):
            outcome, reason = Outcome.UNKNOWN, "unreadable_amount"
    return ProviderResult(
        outcome,
        code=code,
        reason=reason,
        failure_code=failure_code,
        amount=amount,
        provider_reference=fields["fpx_fpxTxnId"],
        approval_code=fields.get("fpx_debitAuthNo", ""),
        bank_reference=fields.get("fpx_creditAuthNo", ""),
        raw=redacted(fields, prefix="fpx_", secrets={CHECKSUM}),
    )


def banks(text: str) -> list[BankStatus]:
    """`CODE~A,CODE~B` (A online, B offline). Raises ValueError on anything else."""
    found = []
    for item in filter(None, text.split(",")):
        code, status = item.split("~")
        found.append(BankStatus(code, BANK_NAMES.get(code, code), online={"A": True, "B": False}[status]))
    return found
