"""MIGS's results, as fields. Pure, unsigned."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.books import Totals
from sandbox.clock import local
from sandbox.records import Entry, Kind, Order, Verdict

# vpc_TxnResponseCode, vpc_AcqResponseCode (the bank's own), vpc_Message
CODES = {
    Verdict.APPROVED: ("0", "00", "Approved"),
    Verdict.DECLINED: ("2", "05", "Declined"),
    Verdict.INSUFFICIENT_FUNDS: ("5", "51", "Insufficient funds"),
    Verdict.CANCELLED: ("C", "", "Cancelled"),
    Verdict.EXPIRED: ("C", "", "The payer did not finish"),
    Verdict.ORIGINAL_UNKNOWN: ("7", "", "E5001"),
    Verdict.REFUSED: ("7", "", "E5002"),
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
    code, bank_code, message = CODES[entry.verdict]
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
        "vpc_AcqResponseCode": bank_code,
        "vpc_Message": f"{message}: {entry.reason}" if entry.reason else message,
        "vpc_TransactionNo": entry.number,
        "vpc_ReceiptNo": f"{local(entry.at):%y%m%d}{entry.id:06d}" if entry.approved else "",
        "vpc_AuthorizeId": f"{entry.id * 7919 % 1_000_000:06d}" if entry.approved else "",
        "vpc_BatchNo": f"{local(entry.at):%Y%m%d}",
        "vpc_Card": entry.instrument,
    }


def pending(order: Order) -> dict[str, str]:
    """An order that its payer has not decided."""
    return {
        "vpc_Command": "pay",
        "vpc_Version": "1",
        "vpc_Locale": "en",
        "vpc_Merchant": order.account,
        "vpc_MerchTxnRef": order.reference,
        "vpc_OrderInfo": order.request.get("vpc_OrderInfo", ""),
        "vpc_Amount": str(order.amount.minor),
        "vpc_Currency": order.amount.currency,
        "vpc_TxnResponseCode": "P",
        "vpc_Message": "The payer has not finished",
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
