"""AMK's daily CSV (docs/provider-wire.md, Statements). KHQR writes riel without decimals."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from reconciliation.parsers.base import LineProblem
from reconciliation.parsers.table import Columns, Format, hundredths

_WHOLE = re.compile(r"-?[1-9][0-9]{0,12}|0")


def _amount(text: str, currency: str) -> int:
    if currency != "KHR":
        return hundredths(text)
    if not _WHOLE.fullmatch(text):
        raise LineProblem(f"{text!r} is not an amount of riel like 41000")
    return int(text) * 100


FORMAT = Format(
    name="AMK",
    zone=ZoneInfo("Asia/Phnom_Penh"),
    header=(
        "txn_type",
        "merchant_id",
        "bank_transaction_id",
        "tx_id",
        "txn_time",
        "terminal_id",
        "currency",
        "amount",
        "fee",
        "net",
        "status",
    ),
    columns=Columns(
        type="txn_type",
        account_key="merchant_id",
        provider_reference="bank_transaction_id",
        our_reference="tx_id",
        at="txn_time",
        currency="currency",
        amount="amount",
        fee="fee",
        net="net",
        status_code="status",
    ),
    types={"PAYMENT": "PAYMENT", "REFUND": "REFUND"},
    currencies=frozenset({"KHR", "USD"}),
    status_code=re.compile(r"[A-Z]{2,10}"),
    amount=_amount,
)
