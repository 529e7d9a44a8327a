"""Reading a payment message: pain.001.001.03 or .09 (ISO 20022)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from common.money import InvalidAmount, Money
from sandbox.bank.books import Order
from sandbox.bank.records import ACCOUNTS, CURRENCY

_VERSIONS = tuple(f"{{urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}}}" for version in ("03", "09"))


class BadMessage(Exception):
    """What is wrong with the message, for its sender."""


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str
    orders: dict[str, list[Order]]  # by debtor account


def read(body: bytes) -> Message:
    """Raises BadMessage."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as exc:
        raise BadMessage(f"not well-formed XML: {exc}") from exc
    namespace = next((name for name in _VERSIONS if root.tag == f"{name}Document"), None)
    if namespace is None:
        raise BadMessage("not a pain.001.001.03 or .09 document")
    reader = _Reader(namespace)
    message_id = reader.text(root, "CstmrCdtTrfInitn/GrpHdr/MsgId")
    stated = reader.text(root, "CstmrCdtTrfInitn/GrpHdr/NbOfTxs")
    if not message_id:
        raise BadMessage("GrpHdr/MsgId is missing")
    orders: dict[str, list[Order]] = {}
    for block in reader.all(root, "CstmrCdtTrfInitn/PmtInf"):
        account = reader.text(block, "DbtrAcct/Id/Othr/Id") or reader.text(block, "DbtrAcct/Id/IBAN")
        if account not in ACCOUNTS:
            raise BadMessage(f"DbtrAcct {account!r} is not an account here")
        orders.setdefault(account, []).extend(reader.order(each) for each in reader.all(block, "CdtTrfTxInf"))
    if stated != str(sum(map(len, orders.values()))):
        raise BadMessage(f"GrpHdr/NbOfTxs says {stated!r}")
    return Message(message_id, orders)


class _Reader:
    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def _path(self, path: str) -> str:
        return "/".join(self._namespace + name for name in path.split("/"))

    def text(self, element: Element, path: str) -> str:
        return (element.findtext(self._path(path)) or "").strip()

    def all(self, element: Element, path: str) -> list[Element]:
        return element.findall(self._path(path))

    def order(self, element: Element) -> Order:
        end_to_end_id = self.text(element, "PmtId/EndToEndId")
        amount = element.find(self._path("Amt/InstdAmt"))
        if not 1 <= len(end_to_end_id) <= 35:
            raise BadMessage(f"EndToEndId {end_to_end_id!r}")
        if amount is None or amount.get("Ccy") != CURRENCY:
            raise BadMessage(f"{end_to_end_id}: the account pays in {CURRENCY}")
        try:
            money = Money.parse((amount.text or "").strip(), CURRENCY)
        except InvalidAmount as exc:
            raise BadMessage(f"{end_to_end_id}: InstdAmt {amount.text!r}") from exc
        if money.minor == 0:
            raise BadMessage(f"{end_to_end_id}: nothing to pay")
        return Order(
            end_to_end_id=end_to_end_id,
            amount=money,
            creditor=self.text(element, "Cdtr/Nm"),
            narrative=self.text(element, "RmtInf/Ustrd"),
        )
