"""FPX's messages to the seller: AC (a payment), RC (a refund), BC (the bank list). Pure, unsigned."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.clock import compact
from sandbox.fpx.banks import banks_of
from sandbox.records import Entry, Verdict

CODES = {
    Verdict.APPROVED: "00",
    Verdict.DECLINED: "57",
    Verdict.INSUFFICIENT_FUNDS: "51",
    Verdict.CANCELLED: "1C",
    Verdict.EXPIRED: "1A",
    Verdict.BANK_UNKNOWN: "31",
    Verdict.BANK_OFFLINE: "90",
    Verdict.ORIGINAL_UNKNOWN: "12",  # not 76: an RE could not tell it from a refund that is not there
    Verdict.REFUSED: "48",
}
PENDING, NOT_FOUND = "09", "76"


def ac(order: Mapping[str, str], entry: Entry | None, *, undecided: str = PENDING) -> dict[str, str]:
    """What became of the order with these AR (or AE) fields; `undecided` is the code where there is no entry."""
    code = CODES[entry.verdict] if entry else undecided
    paid = entry is not None and entry.approved
    return {
        "fpx_buyerBankBranch": order.get("fpx_buyerBankBranch", ""),
        "fpx_buyerBankId": entry.instrument if entry and entry.instrument else order.get("fpx_buyerBankId", ""),
        "fpx_buyerIban": order.get("fpx_buyerIban", ""),
        "fpx_buyerId": order.get("fpx_buyerId", ""),
        "fpx_buyerName": order.get("fpx_buyerName", ""),
        "fpx_creditAuthCode": "00" if paid else "",
        "fpx_creditAuthNo": entry.number[-10:] if paid and entry else "",
        "fpx_debitAuthCode": code,
        "fpx_debitAuthNo": entry.number[-10:] if entry else "",
        "fpx_fpxTxnId": entry.number if entry else "",
        "fpx_fpxTxnTime": compact(entry.at) if entry else "",
        "fpx_makerName": order.get("fpx_makerName", ""),
        "fpx_msgToken": order["fpx_msgToken"],
        "fpx_msgType": "AC",
        "fpx_sellerExId": order["fpx_sellerExId"],
        "fpx_sellerExOrderNo": order["fpx_sellerExOrderNo"],
        "fpx_sellerId": order["fpx_sellerId"],
        "fpx_sellerOrderNo": order["fpx_sellerOrderNo"],
        "fpx_sellerTxnTime": order["fpx_sellerTxnTime"],
        "fpx_txnAmount": str(entry.amount) if entry else order["fpx_txnAmount"],
        "fpx_txnCurrency": order["fpx_txnCurrency"],
    }


def rc(question: Mapping[str, str], entry: Entry | None) -> dict[str, str]:
    """What became of a refund."""
    return {
        "fpx_debitAuthCode": CODES[entry.verdict] if entry else NOT_FOUND,
        "fpx_fpxTxnId": entry.number if entry else "",
        "fpx_fpxTxnTime": compact(entry.at) if entry else "",
        "fpx_msgToken": question["fpx_msgToken"],
        "fpx_msgType": "RC",
        "fpx_sellerExId": question["fpx_sellerExId"],
        "fpx_sellerExOrderNo": question["fpx_sellerExOrderNo"],
        "fpx_sellerId": question["fpx_sellerId"],
        "fpx_txnAmount": str(entry.amount) if entry else question["fpx_txnAmount"],
        "fpx_txnCurrency": question["fpx_txnCurrency"],
    }


def bc(question: Mapping[str, str]) -> dict[str, str]:
    banks = banks_of(question["fpx_msgToken"])
    return {
        "fpx_bankList": ",".join(f"{code}~{'A' if bank.online else 'B'}" for code, bank in banks.items()),
        "fpx_msgToken": question["fpx_msgToken"],
        "fpx_msgType": "BC",
        "fpx_sellerExId": question["fpx_sellerExId"],
    }
