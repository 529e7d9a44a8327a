"""MIGS's results, as fields. Pure, unsigned."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.books import Totals
from sandbox.clock import local
from sandbox.records import Entry, Kind, Verdict

CODES = {
    Verdict.APPROVED: ("0", "Approved"),
    Verdict.DECLINED: ("2", "Declined"),
    Verdict.INSUFFICIENT_FUNDS: ("5", "Insufficient Funds"),
    Verdict.CANCELLED: ("C", "Cancelled"),
    Verdict.EXPIRED: ("C", "The payer did not finish"),
    Verdict.ORIGINAL_UNKNOWN: ("7", "E5001: Invalid Original Transaction"),
    Verdict.REFUSED: ("7", "E5000"),
}
COMMANDS = {
    Kind.CHARGE: "pay",
    Kind.AUTHORISATION: "pay",
    Kind.CAPTURE: "capture",
    Kind.REFUND: "refund",
    Kind.VOID: "voidAuthorisation",
}


def result(merchant_id: str, entry: Entry) -> dict[str, str]:
    """What became of one transaction."""
    code, message = CODES[entry.verdict]
    return {
        "vpc_Command": COMMANDS[entry.kind],
        "vpc_Version": "1",
        "vpc_Locale": "en",
        "vpc_Merchant": merchant_id,
        "vpc_MerchTxnRef": entry.reference,
        "vpc_OrderInfo": entry.order_info,
        "vpc_Amount": str(entry.amount.minor),
        "vpc_Currency": entry.amount.currency,
        "vpc_TxnResponseCode": code,
        "vpc_AcqResponseCode": "00" if entry.approved else "05",
        "vpc_Message": f"{message}: {entry.reason}" if entry.reason else message,
        "vpc_TransactionNo": entry.number,
        "vpc_ReceiptNo": f"{local(entry.at):%y%m%d}{entry.id:06d}" if entry.approved else "",
        "vpc_AuthorizeId": f"{entry.id * 7919 % 1_000_000:06d}" if entry.approved else "",
        "vpc_BatchNo": f"{local(entry.at):%Y%m%d}",
        "vpc_Card": entry.instrument,
    }


def refused(question: Mapping[str, str], why: str) -> dict[str, str]:
    """A command that was not carried out; says nothing of any transaction."""
    return {
        "vpc_Command": question.get("vpc_Command", ""),
        "vpc_Version": "1",
        "vpc_Locale": "en",
        "vpc_Merchant": question.get("vpc_Merchant", ""),
        "vpc_MerchTxnRef": question.get("vpc_MerchTxnRef", ""),
        "vpc_Currency": question.get("vpc_Currency", ""),
        "vpc_TxnResponseCode": "7",
        "vpc_Message": why,
    }


def with_totals(fields: Mapping[str, str], totals: Totals) -> dict[str, str]:
    return {
        **fields,
        "vpc_AuthorisedAmount": str(totals.authorised.minor),
        "vpc_CapturedAmount": str(totals.captured.minor),
        "vpc_RefundedAmount": str(totals.refunded.minor),
    }
