"""`POST /eps/request`: from the fields of an authentic message to what the merchant asks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from common.money import InvalidAmount, Money
from merchants.models.merchant import ChecksumScheme
from merchants.selectors import EpsMerchant, active_accounts
from payments.facades.eps.checksum import CHECKSUM
from payments.facades.eps.messages import AMOUNT, TRANS_ID, check_fields, invalid
from payments.models.transaction import Channel
from payments.providers.base import Kind
from payments.providers.registry import provider_class
from payments.routing.route import kinds
from payments.services.transactions import NewTransaction

REQUIRED = ("TRANS_ID", "AMOUNT", "MERCHANT_CODE", "PAYMENT_MODE", CHECKSUM)
OPTIONAL = ("RESPONSE_URL", "BANK_CODE", "EMAIL", "CUST_NAME", "CUST_PHONE", "TIMESTAMP")
_MODES = {"fpx": ("fpx", False), "fpx1": ("fpx", True), "migs": ("migs", False)}  # method, business banking
_BANK = re.compile(r"[A-Z0-9]{0,20}")
_PHONE = re.compile(r"[+0-9 ()-]{0,30}")
_URL = re.compile(r"[!-~]{1,2000}")  # printable ASCII without spaces


def payment_request(fields: Mapping[str, str], merchant: EpsMerchant) -> NewTransaction:
    """Raises InvalidRequest that names every field which is wrong, CardDataNotAllowed."""
    check_fields(fields, required=(*REQUIRED, *merchant.extra_fields), optional=OPTIONAL)
    problems: dict[str, str] = {}
    if not TRANS_ID.fullmatch(fields["TRANS_ID"]):
        problems["TRANS_ID"] = "1 to 50 letters, digits, - or _."
    amount = _amount(fields["AMOUNT"], merchant.currency)
    if amount is None:
        problems["AMOUNT"] = "More than zero, with exactly two decimals and no leading zero, such as 100.50."
    mode = _MODES.get(fields["PAYMENT_MODE"])
    if mode is None:
        problems["PAYMENT_MODE"] = "fpx, fpx1 or migs."
    elif fields["PAYMENT_MODE"] == "fpx1" and merchant.checksum_scheme == ChecksumScheme.EPIC_V1:
        problems["PAYMENT_MODE"] = "fpx1 needs a merchant who signs with epic-v2."
    if not _BANK.fullmatch(fields.get("BANK_CODE", "")):
        problems["BANK_CODE"] = "A code of the bank list, such as MB2U0227."
    if not _is_return_address(fields.get("RESPONSE_URL", ""), live=merchant.live):
        problems["RESPONSE_URL"] = "An https:// address of at most 2000 characters, without user name."
    if not _is_email(fields.get("EMAIL", "")):
        problems["EMAIL"] = "An e-mail address."
    if not _PHONE.fullmatch(fields.get("CUST_PHONE", "")):
        problems["CUST_PHONE"] = "At most 30 digits, spaces and + ( ) -."
    texts = {name: _plain(fields.get(name, "")) for name in ("CUST_NAME", *merchant.extra_fields)}
    problems |= {name: "At most 100 characters." for name, text in texts.items() if len(text) > 100}
    problems |= {name: "This field is required." for name in merchant.extra_fields if not texts[name].strip()}
    if problems or amount is None or mode is None:
        raise invalid(problems)
    method, business = mode
    return NewTransaction(
        merchant_id=merchant.id,
        live=merchant.live,
        channel=Channel.EPS,
        method=method,
        amount=amount,
        external_reference=fields["TRANS_ID"],
        extra_fields={name: texts[name] for name in merchant.extra_fields},
        payer_name=texts["CUST_NAME"],
        payer_email=fields.get("EMAIL", ""),
        payer_phone=fields.get("CUST_PHONE", ""),
        return_url=fields.get("RESPONSE_URL", ""),
        bank_code=fields.get("BANK_CODE", ""),
        business_banking=business,
        manual_capture=_is_captured_later(merchant, method),
    )


def _amount(text: str, currency: str) -> Money | None:
    try:
        amount = Money.parse(text, currency) if AMOUNT.fullmatch(text) else None
    except InvalidAmount:  # the currency has no two decimals
        return None
    return amount if amount is not None and amount.minor > 0 else None


def _is_return_address(text: str, *, live: bool) -> bool:
    """The payer's browser is sent there, not we: so any host, but nothing that runs in our page or hides who it is."""
    if not text:
        return True
    try:
        parts = urlsplit(text) if _URL.fullmatch(text) else None
        usable = parts is not None and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that make no sense
        return False
    return usable and parts is not None and "@" not in parts.netloc and parts.scheme in _schemes(live)


def _schemes(live: bool) -> tuple[str, ...]:
    return ("https",) if live else ("https", "http")


def _is_email(text: str) -> bool:
    try:
        validate_email(text or "nobody@example.com")
    except ValidationError:
        return False
    return len(text) <= 254


def _plain(text: str) -> str:
    """Free text in composed form, without invisible characters (text direction, zero width) that would deceive a reader."""
    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cc", "Cf", "Co"))


def _is_captured_later(merchant: EpsMerchant, method: str) -> bool:
    """EPS has no word for it: what the merchant's first account for the method does decides."""
    accounts = active_accounts(merchant.id, live=merchant.live)
    first = next((account for account in accounts if method in provider_class(account.provider).methods), None)
    return first is not None and Kind.AUTHORIZE in kinds(first)
