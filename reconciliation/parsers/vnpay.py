"""VNPay's daily table, CSV or XLSX (docs/provider-wire.md, Statements). Amounts and times are written as in VNPay's messages."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from reconciliation.parsers.base import LineProblem
from reconciliation.parsers.table import Columns, Format

_HUNDREDFOLD = re.compile(r"-?[1-9][0-9]{0,14}|0")
_COMPACT = re.compile(r"[0-9]{14}")


def _amount(text: str, currency: str) -> int:
    """The amount times a hundred, without a point."""
    if not _HUNDREDFOLD.fullmatch(text):
        raise LineProblem(f"{text!r} is not an amount times 100 like 1000000")
    return int(text)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """`yyyyMMddHHmmss` of VNPay's clock (GMT+7)."""
    try:
        if _COMPACT.fullmatch(text):
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        pass
    raise LineProblem(f"{text!r} is not a time like 20260302120000")


FORMAT = Format(
    name="VNPAY",
    zone=ZoneInfo("Asia/Ho_Chi_Minh"),
    header=(
        "vnp_Command",
        "vnp_TmnCode",
        "vnp_TransactionNo",
        "vnp_TxnRef",
        "vnp_PayDate",
        "vnp_BankCode",
        "vnp_CurrCode",
        "vnp_Amount",
        "vnp_Fee",
        "vnp_Net",
        "vnp_ResponseCode",
    ),
    columns=Columns(
        type="vnp_Command",
        account_key="vnp_TmnCode",
        provider_reference="vnp_TransactionNo",
        our_reference="vnp_TxnRef",
        at="vnp_PayDate",
        currency="vnp_CurrCode",
        amount="vnp_Amount",
        fee="vnp_Fee",
        net="vnp_Net",
        status_code="vnp_ResponseCode",
    ),
    types={"pay": "PAYMENT", "refund": "REFUND"},
    currencies=frozenset({"VND"}),
    status_code=re.compile(r"[0-9]{2}"),
    amount=_amount,
    moment=_moment,
)
