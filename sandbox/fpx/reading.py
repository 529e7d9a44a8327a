"""FPX's messages from the seller: complete, signed by a seller we know, and well-formed, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.http import HttpRequest

from common.money import InvalidAmount, Money, UnknownCurrency
from sandbox.accounts import account_details
from sandbox.forms import BadForm, fields_of
from sandbox.fpx import keys

_ORDER = (
    "msgType msgToken sellerExId sellerExOrderNo sellerTxnTime sellerOrderNo sellerId sellerBankCode txnCurrency txnAmount"
    " buyerEmail buyerName buyerBankId buyerBankBranch buyerAccNo buyerId makerName buyerIban productDesc version"
)
_REFUND = (
    "msgType msgToken sellerExId sellerExOrderNo sellerTxnTime sellerId orgSellerExOrderNo orgFpxTxnId txnAmount txnCurrency"
    " version"
)
FIELDS = {
    message_type: frozenset(f"fpx_{name}" for name in names.split())
    for message_type, names in {
        "AR": _ORDER,
        "AE": _ORDER,
        "RF": _REFUND,
        "RE": _REFUND,
        "BE": "msgType msgToken sellerExId version",
    }.items()
}
_FORMS = {
    "fpx_msgToken": re.compile(r"01|02"),
    "fpx_version": re.compile(r"7\.0"),
    "fpx_sellerExOrderNo": re.compile(r"[\x21-\x7e]{1,40}"),
    "fpx_sellerTxnTime": re.compile(r"[0-9]{14}"),
    "fpx_sellerBankCode": re.compile(r"01"),
    "fpx_txnCurrency": re.compile(r"MYR"),
    "fpx_orgSellerExOrderNo": re.compile(r"[\x21-\x7e]{1,40}"),
}


class Refused(Exception):
    """Not a genuine, complete message of a seller we know; nothing was done."""


def message_of(request: HttpRequest, *types: str) -> tuple[dict[str, str], dict[str, str]]:
    """The fields of a genuine message of one of these types, and its seller's account. Raises Refused."""
    try:
        fields = fields_of(request)
    except BadForm as exc:
        raise Refused(f"The message cannot be read: {exc}.") from exc
    if fields.get("fpx_msgType") not in types:
        raise Refused("The message type does not belong here.")
    if fields.keys() - {"fpx_checkSum"} != FIELDS[fields["fpx_msgType"]]:
        raise Refused("Fields are missing, or there are some too many.")
    account = _seller(fields)
    if not keys.genuine(fields, public_key=account["publicKey"], hash_name=account["signatureHash"]):
        raise Refused("The checksum is wrong.")
    for name, form in _FORMS.items():
        if name in fields and not form.fullmatch(fields[name]):
            raise Refused(f"{name} cannot be read.")
    return fields, account


def _seller(fields: Mapping[str, str]) -> dict[str, str]:
    exchange_id = fields["fpx_sellerExId"]
    seller_id = fields.get("fpx_sellerId", f"SE{exchange_id[2:]}")  # BE names the exchange only
    try:
        account = account_details(provider="fpx", account_id=seller_id)
    except LookupError as exc:
        raise Refused("The seller is unknown.") from exc
    if account.get("exchangeId") != exchange_id:
        raise Refused("The seller does not belong to this exchange.")
    return account


def amount_of(fields: Mapping[str, str]) -> Money:
    """Raises Refused unless it is a positive amount with two decimals."""
    try:
        amount = Money.parse(fields["fpx_txnAmount"], fields["fpx_txnCurrency"])
    except (InvalidAmount, UnknownCurrency) as exc:
        raise Refused("The amount cannot be read.") from exc
    if amount.minor <= 0 or str(amount) != fields["fpx_txnAmount"]:
        raise Refused("The amount has to be positive, with two decimals.")
    return amount
