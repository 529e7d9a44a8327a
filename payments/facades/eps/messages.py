"""What merchants send to `/eps`, read strictly: one reading per message, every field known, nothing repaired (contracts section 5).

Authenticity comes first, so somebody without the secrets learns only that the CHECKSUM does not fit, whether or not the merchant
exists. After that each problem is named by its field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from secrets import token_hex

from common.cards import contains_card_number
from common.errors import CardDataNotAllowed, InvalidRequest, Unauthorized
from merchants.selectors import EpsMerchant, eps_merchant
from payments.facades.eps.checksum import CHECKSUM, Secrets, verify
from payments.providers.forms import UnreadableForm, parse

TIMESTAMP_SECONDS = 300
TRANS_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")
AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,14})\.[0-9]{2}")
_TIMESTAMP = re.compile(r"[0-9]{10}")
_DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_PAGE = re.compile(r"[1-9][0-9]{0,5}")
_SANE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_NOBODY = Secrets(scheme="epic-v2", pass_phrase=token_hex())  # so that an unknown merchant takes as long as a known one
_REFUSAL = "MERCHANT_CODE or CHECKSUM is wrong."


def read_fields(data: bytes) -> dict[str, str]:
    """The fields of a form or query, each at most once. Raises InvalidRequest."""
    try:
        return parse(data)
    except UnreadableForm as exc:
        raise InvalidRequest(f"The fields cannot be read: {exc}.") from exc


def authenticate(fields: Mapping[str, str], *, joined: tuple[str, ...], now: datetime) -> EpsMerchant:
    """Who signed this message. Raises Unauthorized with one sentence for a wrong CHECKSUM and a merchant there is not."""
    merchant = eps_merchant(fields.get("MERCHANT_CODE", ""))
    genuine = verify(fields, _NOBODY if merchant is None else secrets_of(merchant), joined=joined)
    if merchant is None or not genuine:
        raise Unauthorized(_REFUSAL)
    if merchant.checksum_scheme != "epic-v1":
        _check_timestamp(fields.get("TIMESTAMP", ""), now)
    return merchant


def secrets_of(merchant: EpsMerchant) -> Secrets:
    return Secrets(merchant.checksum_scheme, merchant.pass_phrase, merchant.api_key)


def _check_timestamp(text: str, now: datetime) -> None:
    """epic-v2 only, where it is signed: neither old nor from the future."""
    if not _TIMESTAMP.fullmatch(text) or abs(int(text) - now.timestamp()) > TIMESTAMP_SECONDS:
        raise Unauthorized(f"TIMESTAMP is not within {TIMESTAMP_SECONDS} seconds of {int(now.timestamp())}.")


def update_of(fields: Mapping[str, str]) -> str:
    """The TRANS_ID that is asked about. Raises InvalidRequest."""
    check_fields(fields, required=("TRANS_ID", "MERCHANT_CODE", CHECKSUM), optional=("TIMESTAMP",))
    if not TRANS_ID.fullmatch(fields["TRANS_ID"]):
        raise invalid({"TRANS_ID": "1 to 50 letters, digits, - or _."})
    return fields["TRANS_ID"]


def reconcile_of(fields: Mapping[str, str]) -> tuple[date, int, bool]:
    """(day, page from 1, whether CSV is wanted). Raises InvalidRequest."""
    check_fields(fields, required=("MERCHANT_CODE", "DATE", CHECKSUM), optional=("PAGE", "FORMAT", "TIMESTAMP"))
    problems = {}
    day, page, form = None, fields.get("PAGE", "1"), fields.get("FORMAT", "json")
    if _DATE.fullmatch(fields["DATE"]):
        with suppress(ValueError):  # 30 February: named below
            day = date.fromisoformat(fields["DATE"])
    if day is None:
        problems["DATE"] = "A day such as 2026-03-02."
    if not _PAGE.fullmatch(page):
        problems["PAGE"] = "A number from 1."
    if form not in ("json", "csv"):
        problems["FORMAT"] = "csv or json."
    elif form == "csv" and "PAGE" in fields:
        problems["PAGE"] = "CSV has the whole day, without pages."
    if day is None or problems:
        raise invalid(problems)
    return day, int(page), form == "csv"


def check_fields(fields: Mapping[str, str], *, required: Collection[str], optional: Iterable[str]) -> None:
    """Every required field is there, no other than these is, and no card number is in any of them."""
    problems = {name: "This field is required." for name in required if not fields.get(name)}
    unknown = [name for name in fields if name not in {*required, *optional}]
    for name in unknown:
        problems[name if _SANE_NAME.fullmatch(name) else "(unreadable name)"] = "There is no such field."
    # CHECKSUM is random digits and letters, in which anything may be found.
    if any(contains_card_number(f"{name} {value}") for name, value in fields.items() if name != CHECKSUM):
        raise CardDataNotAllowed("A field contains a card number. Card numbers must not be sent to this address.")
    if problems:
        raise invalid(problems)


def invalid(problems: Mapping[str, str]) -> InvalidRequest:
    """One refusal that names every field which is wrong."""
    sentences = [f"{name}: {problem}" for name, problem in problems.items()]
    return InvalidRequest(" ".join(sentences)[:500], fields={name: [text] for name, text in problems.items()})
