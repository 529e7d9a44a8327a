"""FPX's daily CSV (docs/provider-wire.md, Statements). STATUS is the debitAuthCode."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from reconciliation.parsers.table import Columns, Format

FORMAT = Format(
    name="FPX",
    zone=ZoneInfo("Asia/Kuala_Lumpur"),
    header=(
        "TXN_TYPE",
        "SELLER_ID",
        "FPX_TXN_ID",
        "SELLER_EX_ORDER_NO",
        "TXN_TIME",
        "BUYER_BANK",
        "CURRENCY",
        "AMOUNT",
        "FEE",
        "NET",
        "STATUS",
    ),
    columns=Columns(
        type="TXN_TYPE",
        account_key="SELLER_ID",
        provider_reference="FPX_TXN_ID",
        our_reference="SELLER_EX_ORDER_NO",
        at="TXN_TIME",
        currency="CURRENCY",
        amount="AMOUNT",
        fee="FEE",
        net="NET",
        status_code="STATUS",
    ),
    types={"PAYMENT": "PAYMENT", "REFUND": "REFUND"},
    currencies=frozenset({"MYR"}),
    status_code=re.compile(r"[0-9A-Z]{2}"),
)
