"""MIGS (Virtual Payment Client): our words to `vpc_` fields and back. Pure; docs/provider-wire.md is the source.

Amounts are minor units. Only a success carries an amount, and a success whose amount cannot be read exactly is UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from common.money import Money, UnknownCurrency, exponent
from payments.providers.base import Kind, OperationRequest, Outcome, ProviderResult
from payments.providers.forms import clean, redacted
from payments.providers.migs.codes import meaning
from payments.providers.migs.signature import HASH, HASH_TYPE

COMMANDS = {Kind.CAPTURE: "capture", Kind.REFUND: "refund", Kind.VOID: "voidAuthorisation"}
PAY_KINDS = {"purchase": Kind.SALE, "authorise": Kind.AUTHORIZE}  # what `pay` does, by the account's mode

_SECRETS = frozenset({HASH, HASH_TYPE, "vpc_AccessCode", "vpc_User", "vpc_Password"})
_MINOR_UNITS = re.compile(r"0|[1-9][0-9]{0,17}")


def pay(request: OperationRequest, config: Mapping[str, str], credentials: Mapping[str, str]) -> dict[str, str]:
    """The order that the payer's browser carries. Unsigned."""
    return {
        "vpc_Version": "1",
        "vpc_Command": "pay",
        "vpc_AccessCode": credentials["access_code"],
        "vpc_Merchant": config["merchant_id"],
        "vpc_MerchTxnRef": request.reference,
        "vpc_OrderInfo": clean(request.description, limit=34, forbidden="&") or request.reference[:34],
        "vpc_Amount": str(request.amount.minor),
        "vpc_Currency": request.amount.currency,
        "vpc_Locale": "en",
        "vpc_ReturnURL": request.return_url,
    }


def query(request: OperationRequest, config: Mapping[str, str], credentials: Mapping[str, str]) -> dict[str, str]:
    """queryDR: what became of our reference. Unsigned."""
    return {
        "vpc_Version": "1",
        "vpc_Command": "queryDR",
        "vpc_AccessCode": credentials["access_code"],
        "vpc_Merchant": config["merchant_id"],
        "vpc_MerchTxnRef": request.reference,
        "vpc_User": credentials["ama_user"],
        "vpc_Password": credentials["ama_password"],
    }


def follow_up(request: OperationRequest, config: Mapping[str, str], credentials: Mapping[str, str]) -> dict[str, str]:
    """capture, refund or voidAuthorisation of an earlier transaction. Unsigned."""
    return {
        **query(request, config, credentials),
        "vpc_Command": COMMANDS[request.kind],
        "vpc_TransNo": request.original_provider_reference,
        "vpc_Amount": str(request.amount.minor),
        "vpc_Currency": request.amount.currency,
    }


def answers(reply: Mapping[str, str], request: OperationRequest, config: Mapping[str, str]) -> bool:
    """Whether a reply speaks of the operation that was asked about; "no such transaction" needs no currency."""
    if (reply.get("vpc_Merchant"), reply.get("vpc_MerchTxnRef")) != (config["merchant_id"], request.reference):
        return False
    return reply.get("vpc_DRExists") == "N" or reply.get("vpc_Currency") == request.amount.currency


def kind_of(fields: Mapping[str, str], config: Mapping[str, str]) -> Kind:
    """Which kind of operation an inbound result speaks of."""
    commands = {command: kind for kind, command in COMMANDS.items()}
    return commands.get(fields.get("vpc_Command", ""), PAY_KINDS[config["mode"]])


def result(fields: Mapping[str, str]) -> ProviderResult:
    """What a verified result says."""
    code = fields.get("vpc_TxnResponseCode", "")
    outcome, failure_code, reason = meaning(code)
    amount = None
    if outcome is Outcome.SUCCEEDED:
        amount = _amount(fields)
        if amount is None:
            outcome, reason = Outcome.UNKNOWN, "unreadable_amount"
    return ProviderResult(
        outcome,
        code=code,
        reason=reason or fields.get("vpc_Message", ""),
        failure_code=failure_code,
        amount=amount,
        provider_reference=fields.get("vpc_TransactionNo", ""),
        approval_code=fields.get("vpc_AuthorizeId", ""),
        bank_reference=fields.get("vpc_ReceiptNo", ""),
        raw=redacted(fields, prefix="vpc_", secrets=_SECRETS),
    )


def query_result(fields: Mapping[str, str]) -> ProviderResult:
    """What a verified queryDR answer says: the transaction's result, if there is exactly one."""
    raw = redacted(fields, prefix="vpc_", secrets=_SECRETS)
    match fields.get("vpc_DRExists"), fields.get("vpc_FoundMultipleDRs", "N"):
        case "N", _:
            return ProviderResult(Outcome.NOT_FOUND, reason=fields.get("vpc_Message", ""), raw=raw)
        case "Y", "N":
            return result(fields)
        case "Y", _:
            return ProviderResult(Outcome.UNKNOWN, reason="several_records", raw=raw)
        case _:  # the query itself was refused (password, parameters): it says nothing of the transaction
            code = fields.get("vpc_TxnResponseCode", "")
            return ProviderResult(Outcome.UNKNOWN, code=code, reason="query_refused", raw=raw)


def _amount(fields: Mapping[str, str]) -> Money | None:
    text, currency = fields.get("vpc_Amount", ""), fields.get("vpc_Currency", "")
    try:
        exponent(currency)
    except UnknownCurrency:
        return None
    return Money(int(text), currency) if _MINOR_UNITS.fullmatch(text) else None
