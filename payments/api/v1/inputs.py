"""Bodies of the money endpoints into commands. What is wrong is named field by field; nothing is guessed, rounded or ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from common.errors import UnsupportedCurrency
from common.money import Money, UnknownCurrency, exponent
from merchants.api.fields import MAX_METADATA_BYTES, Fields
from merchants.api.parsing import NumberLiteral
from merchants.caller import Caller
from payments.selectors import account_row, banks_online, known_methods
from payments.services.transactions import NewTransaction
from payments.services.transfers import NewTransfer
from payments.transfer_types import TRANSFER_TYPES

AUTOMATIC, MANUAL = "automatic", "manual"
_OF_PROVIDERS = ("returnUrl", "bankCode", "customer", "capture")
_BANK_CODE = re.compile(r"[A-Za-z0-9_]{1,20}")
_PHONE = re.compile(r"\+?[0-9 ()-]{3,30}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def read_new_transaction(body: dict[str, Any], caller: Caller) -> NewTransaction:
    """The body of POST /transactions; without a method its payer chooses. Raises InvalidRequest, UnsupportedCurrency."""
    fields = Fields(body)
    method = "" if _leaves_choice(body) else _method(fields)
    currency = _currency(fields, caller.currency)
    amount = fields.amount("amount", currency, required=True)
    customer = fields.object("customer")
    new = NewTransaction(
        merchant_id=caller.merchant_id,
        live=caller.live,
        channel="api",
        method=method,
        amount=amount or Money(0, currency),  # only where finish() refuses
        external_reference=fields.reference("externalReference"),
        description=fields.text("description", maximum=255),
        metadata=_metadata(fields),
        payer_name=customer.text("name", maximum=120),
        payer_email=_email(customer),
        payer_phone=_phone(customer),
        return_url=_return_url(fields),
        bank_code=_bank_code(fields, method),
        manual_capture=fields.choice("capture", (AUTOMATIC, MANUAL), default=AUTOMATIC) == MANUAL,
    )
    for name in ("fromAccountId", "toAccountId"):
        if fields.take(name) is not None:
            fields.refuse(name, f"Accounts are for book transfers, not for {method or 'this payment type'}.")
    customer.close()
    fields.finish()
    return new


def _leaves_choice(body: dict[str, Any]) -> bool:
    """A return address and no method: the payer chooses on our page."""
    return body.get("paymentTypeId") is None and body.get("returnUrl") is not None


def asks_for_transfer(body: dict[str, Any]) -> bool:
    method = body.get("paymentTypeId")
    return type(method) is str and method.strip().lower() in TRANSFER_TYPES


def read_new_transfer(body: dict[str, Any], caller: Caller) -> NewTransfer:
    """The same body for a book transfer; the currency is the paying account's unless given.

    Raises InvalidRequest, UnsupportedCurrency, NotFound (no such paying account).
    """
    fields = Fields(body)
    method = fields.text("paymentTypeId", maximum=30, required=True).lower()
    from_account_id = fields.text("fromAccountId", maximum=40, required=True)
    currency = _currency(fields, "")
    if not currency:
        currency = account_row(caller, from_account_id, "currency").currency if from_account_id else caller.currency
    amount = fields.amount("amount", currency, required=True)
    new = NewTransfer(
        merchant_id=caller.merchant_id,
        live=caller.live,
        method=method,
        from_account_id=from_account_id,
        to_account_id=fields.text("toAccountId", maximum=40, required=True),
        amount=amount or Money(0, currency),  # only where finish() refuses
        external_reference=fields.reference("externalReference"),
        description=fields.text("description", maximum=255),
        metadata=_metadata(fields),
    )
    for name in _OF_PROVIDERS:
        if fields.take(name) is not None:
            fields.refuse(name, f"This is for payments through a provider, not for {method}.")
    fields.finish()
    return new


@dataclass(frozen=True, slots=True)
class NewRefund:
    """The body of POST /transactions/{id}/refunds; `amount` None refunds all that is left."""

    amount: Money | None
    reason: str


def read_new_refund(body: dict[str, Any], *, currency: str) -> NewRefund:
    """Raises InvalidRequest."""
    fields = Fields(body)
    new = NewRefund(fields.amount("amount", currency), fields.text("reason", maximum=255, required=True))
    fields.finish()
    return new


def _method(fields: Fields) -> str:
    method = fields.text("paymentTypeId", maximum=30, required=True).lower()
    if method and method not in known_methods():
        fields.refuse("paymentTypeId", f"{method[:30]} is not available. Choose from GET /payment-types.")
        return ""
    return method


def _currency(fields: Fields, default: str) -> str:
    currency = fields.take("currencyCode")
    if currency is None:
        return default
    if type(currency) is not str:
        fields.refuse("currencyCode", "Send a string.")
        return default
    try:
        exponent(currency)
    except UnknownCurrency as exc:
        raise UnsupportedCurrency(
            "Send currencyCode as one of the ISO 4217 codes in GET /payment-types.", currencyCode=currency[:10]
        ) from exc
    return currency


def _email(customer: Fields) -> str:
    email = customer.text("email", maximum=254)
    try:
        if email:
            validate_email(email)
    except ValidationError:
        customer.refuse("email", "Send an e-mail address.")
    return email


def _phone(customer: Fields) -> str:
    phone = customer.text("phone", maximum=30)
    if phone and not _PHONE.fullmatch(phone):
        customer.refuse("phone", "Send a telephone number such as +60 12-345 6789.")
    return phone


def _bank_code(fields: Fields, method: str) -> str:
    code = fields.text("bankCode", maximum=20)
    if code and not method:
        fields.refuse("bankCode", "A bank is chosen with its paymentTypeId, or by the payer on our page.")
    if not code or not method:
        return code
    if not _BANK_CODE.fullmatch(code):
        fields.refuse("bankCode", "Send a code of GET /banks.")
    elif banks := banks_online(method):
        if code not in banks:
            fields.refuse("bankCode", "There is no such bank. Choose from GET /banks.")
        elif not banks[code]:
            fields.refuse("bankCode", "This bank is offline at the moment. Choose another.")
    return code


def _return_url(fields: Fields) -> str:
    """https, or http to this machine where we ourselves are on http (the demo and tests)."""
    url = fields.text("returnUrl", maximum=2000)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fine = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and "\\" not in url
        local = settings.PUBLIC_BASE_URL.startswith("http://") and parts.hostname in _LOOPBACK
    except ValueError:
        fine = local = False
        parts = urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and local)
    if not (fine and secure and url.isascii() and url.isprintable() and " " not in url):
        fields.refuse("returnUrl", "Send an https address in ASCII, without user name or password.")
    return url


def _metadata(fields: Fields) -> dict[str, Any]:
    """A JSON object of the merchant's own. Its numbers have to mean the same to every reader of JSON."""
    given = fields.take("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict):
        fields.refuse("metadata", "Send a JSON object.")
        return {}
    if len(orjson.dumps(given)) > MAX_METADATA_BYTES:
        fields.refuse("metadata", f"At most {MAX_METADATA_BYTES // 1024} KiB.")
        return {}
    try:
        kept: dict[str, Any] = _plain(given)
    except ValueError:
        fields.refuse("metadata", "Send numbers of more than 15 digits as strings.")
        return {}
    return kept


def _plain(value: Any) -> Any:
    """Number literals to numbers. Raises ValueError for one that would change."""
    if isinstance(value, NumberLiteral):
        number = float(value)  # metadata is not money
        if Decimal(repr(number)) != Decimal(value) or abs(number) >= 1e15:
            raise ValueError(value)
        return int(value) if value.lstrip("-").isdigit() else number
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
