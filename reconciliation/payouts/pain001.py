"""Writing a customer credit transfer initiation, pain.001.001.09 (ISO 20022), for one account of ours and one currency. Pure.

The order of the elements is the schema's. The message, its payment information block and each transfer have ids of their own, at most 35
characters; a bank refuses a message id that it has seen, so a file may be sent again under the same one and never under another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

from common.money import Money

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_ID = re.compile(r"[A-Za-z0-9+?/:().,'-][A-Za-z0-9+?/:().,' -]{0,34}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")


class CannotPay(ValueError):
    """A transfer cannot be written; the text says why."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with an account. `account` is an IBAN or the bank's own number; `bic`, `bank` and `country` may be empty."""

    name: str
    account: str = field(repr=False)
    bic: str = ""
    bank: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    end_to_end_id: str
    amount: Money
    to: Party
    remittance: str  # what the receiver sees


def write(
    *, message_id: str, created_at: datetime, pay_on: date, debtor: Party, transfers: Sequence[CreditTransfer]
) -> bytes:
    """The file. Raises CannotPay: no transfers, several currencies, an amount of zero or less, an id that repeats or a party that is not whole."""
    _refuse(message_id, debtor, transfers)
    currency = transfers[0].amount.currency
    total = str(Money(sum(transfer.amount.minor for transfer in transfers), currency))
    root = ET.Element("Document", xmlns=NAMESPACE)
    initiation = ET.SubElement(root, "CstmrCdtTrfInitn")
    header = ET.SubElement(initiation, "GrpHdr")
    _text(header, "MsgId", message_id)
    _text(header, "CreDtTm", created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    _text(header, "NbOfTxs", str(len(transfers)))
    _text(header, "CtrlSum", total)
    _text(ET.SubElement(header, "InitgPty"), "Nm", _plain(debtor.name, 140))
    block = ET.SubElement(initiation, "PmtInf")
    _text(block, "PmtInfId", message_id)
    _text(block, "PmtMtd", "TRF")
    _text(block, "BtchBookg", "false")  # an entry for each transfer: that is what proves it
    _text(block, "NbOfTxs", str(len(transfers)))
    _text(block, "CtrlSum", total)
    _text(ET.SubElement(block, "ReqdExctnDt"), "Dt", pay_on.isoformat())
    _text(ET.SubElement(block, "Dbtr"), "Nm", _plain(debtor.name, 140))
    _account(ET.SubElement(block, "DbtrAcct"), debtor.account, currency)
    _agent(ET.SubElement(block, "DbtrAgt"), debtor)
    for transfer in transfers:
        _transfer(ET.SubElement(block, "CdtTrfTxInf"), transfer)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _transfer(into: ET.Element, transfer: CreditTransfer) -> None:
    _text(ET.SubElement(into, "PmtId"), "EndToEndId", transfer.end_to_end_id)
    amount = ET.SubElement(ET.SubElement(into, "Amt"), "InstdAmt", Ccy=transfer.amount.currency)
    amount.text = str(transfer.amount)
    _agent(ET.SubElement(into, "CdtrAgt"), transfer.to)
    creditor = ET.SubElement(into, "Cdtr")
    _text(creditor, "Nm", _plain(transfer.to.name, 140))
    if transfer.to.country:
        _text(ET.SubElement(creditor, "PstlAdr"), "Ctry", transfer.to.country)
    _account(ET.SubElement(into, "CdtrAcct"), transfer.to.account)
    _text(ET.SubElement(into, "RmtInf"), "Ustrd", _plain(transfer.remittance, 140))


def _account(into: ET.Element, account: str, currency: str = "") -> None:
    number = ET.SubElement(into, "Id")
    if is_iban(account):
        _text(number, "IBAN", account)
    else:
        _text(ET.SubElement(number, "Othr"), "Id", account)
    if currency:
        _text(into, "Ccy", currency)


def _agent(into: ET.Element, party: Party) -> None:
    institution = ET.SubElement(into, "FinInstnId")
    if party.bic:
        _text(institution, "BICFI", party.bic)
    elif party.bank:
        _text(institution, "Nm", _plain(party.bank, 140))
    else:
        _text(ET.SubElement(institution, "Othr"), "Id", "NOTPROVIDED")


def _refuse(message_id: str, debtor: Party, transfers: Sequence[CreditTransfer]) -> None:
    if not transfers:
        raise CannotPay("there is no transfer in it")
    if len({transfer.amount.currency for transfer in transfers}) > 1:
        raise CannotPay("the transfers are in several currencies")
    ids = [transfer.end_to_end_id for transfer in transfers]
    if len(set(ids)) < len(ids):
        raise CannotPay("an end-to-end id repeats")
    for identifier in (message_id, *ids):
        if not _ID.fullmatch(identifier) or "//" in identifier or identifier.startswith("/"):
            raise CannotPay(f"{identifier!r} is no id that a bank takes")
    for transfer in transfers:
        if transfer.amount.minor <= 0:
            raise CannotPay(f"{transfer.end_to_end_id} pays {transfer.amount}")
        refuse_party(transfer.to)
    refuse_party(debtor)


def refuse_party(party: Party) -> None:
    """Raises CannotPay if a bank could not pay the party."""
    if not _plain(party.name, 140):
        raise CannotPay("the account has no holder's name")
    if not re.fullmatch(r"[A-Za-z0-9/-]{4,34}", party.account):
        raise CannotPay("the account number is not 4 to 34 letters and digits")
    if _IBAN.fullmatch(party.account) and party.account[:2] in _IBAN_COUNTRIES and not is_iban(party.account):
        raise CannotPay("the IBAN's check digits are wrong")
    if party.bic and not _BIC.fullmatch(party.bic):
        raise CannotPay("the BIC is not 8 or 11 capital letters and digits")
    if party.country and not re.fullmatch(r"[A-Z]{2}", party.country):
        raise CannotPay("the country is not two capital letters")


_IBAN_COUNTRIES = frozenset(
    [
        "AD",
        "AE",
        "AL",
        "AT",
        "AZ",
        "BA",
        "BE",
        "BG",
        "BH",
        "BR",
        "BY",
        "CH",
        "CR",
        "CY",
        "CZ",
        "DE",
        "DK",
        "DO",
        "EE",
        "EG",
        "ES",
        "FI",
        "FO",
        "FR",
        "GB",
        "GE",
        "GI",
        "GL",
        "GR",
        "GT",
        "HR",
        "HU",
        "IE",
        "IL",
        "IQ",
        "IS",
        "IT",
        "JO",
        "KW",
        "KZ",
        "LB",
        "LI",
        "LT",
        "LU",
        "LV",
        "LY",
        "MC",
        "MD",
        "ME",
        "MK",
        "MR",
        "MT",
        "MU",
        "NL",
        "NO",
        "PK",
        "PL",
        "PS",
        "PT",
        "QA",
        "RO",
        "RS",
        "SA",
        "SC",
        "SE",
        "SI",
        "SK",
        "SM",
        "ST",
        "SV",
        "TL",
        "TN",
        "TR",
        "UA",
        "VA",
        "VG",
        "XK",
    ]
)


def is_iban(account: str) -> bool:
    """Whether the check digits are right (ISO 13616, MOD 97-10)."""
    if not _IBAN.fullmatch(account):
        return False
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97 == 1


def _plain(text: str, most: int) -> str:
    """One line, composed letters, no control characters, at most `most` characters."""
    shown = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return " ".join(unicodedata.normalize("NFC", shown).split())[:most]


def _text(into: ET.Element, name: str, text: str) -> None:
    ET.SubElement(into, name).text = text
