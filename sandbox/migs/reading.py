"""MIGS's messages from the merchant: signed by a merchant we know, and well-formed, or refused."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from common.money import Money, UnknownCurrency, exponent
from sandbox.accounts import account_details
from sandbox.migs.hashing import genuine

_AMOUNT = re.compile(r"[1-9][0-9]{0,14}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,40}")


class Refused(Exception):
    """The message is not carried out; the sentence goes into vpc_Message."""


def account_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The account of a genuine message with a reference. Raises Refused."""
    try:
        account = account_details(provider="migs", account_id=fields.get("vpc_Merchant", ""))
    except LookupError as exc:
        raise Refused("E5008: Merchant is unknown") from exc
    if fields.get("vpc_SecureHashType") != "SHA256" or not genuine(fields, account["secureSecret"]):
        raise Refused("E5009: Secure hash is wrong")
    if not same(fields.get("vpc_AccessCode", ""), account["accessCode"]):
        raise Refused("E5010: Access code is wrong")
    if fields.get("vpc_Version") != "1" or not _REFERENCE.fullmatch(fields.get("vpc_MerchTxnRef", "")):
        raise Refused("E5000: Version or merchant reference is invalid")
    return account


def user_check(fields: Mapping[str, str], account: Mapping[str, str]) -> None:
    """Raises Refused unless the message carries the account's user and password."""
    user = same(fields.get("vpc_User", ""), account["amaUser"])
    if not same(fields.get("vpc_Password", ""), account["amaPassword"]) or not user:
        raise Refused("E5014: User or password is wrong")


def amount_of(fields: Mapping[str, str]) -> Money:
    text, currency = fields.get("vpc_Amount", ""), fields.get("vpc_Currency", "")
    try:
        exponent(currency)
    except UnknownCurrency as exc:
        raise Refused("E5011: Currency is unknown") from exc
    if not _AMOUNT.fullmatch(text):
        raise Refused("E5012: Amount is invalid")
    return Money(int(text), currency)


def return_url_check(fields: Mapping[str, str]) -> None:
    """Raises Refused unless vpc_ReturnURL is an http(s) address."""
    try:
        parts = urlsplit(fields.get("vpc_ReturnURL", ""))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise Refused("E5013: Return address is invalid")


def same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
