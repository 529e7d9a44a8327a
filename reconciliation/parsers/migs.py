"""MIGS's daily CSV (docs/provider-wire.md, Statements). A capture is listed, the authorisation before it is not."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from reconciliation.parsers.table import Columns, Format

FORMAT = Format(
    name="MIGS",
    zone=ZoneInfo("Asia/Kuala_Lumpur"),
    header=(
        "TYPE",
        "MERCHANT_ID",
        "TRANSACTION_NO",
        "MERCH_TXN_REF",
        "ORDER_INFO",
        "TIME",
        "CARD_TYPE",
        "CURRENCY",
        "GROSS",
        "MDR",
        "NET",
        "RESPONSE_CODE",
    ),
    columns=Columns(
        type="TYPE",
        account_key="MERCHANT_ID",
        provider_reference="TRANSACTION_NO",
        our_reference="MERCH_TXN_REF",
        at="TIME",
        currency="CURRENCY",
        amount="GROSS",
        fee="MDR",
        net="NET",
        status_code="RESPONSE_CODE",
    ),
    types={
        "PURCHASE": "PAYMENT",
        "CAPTURE": "PAYMENT",
        "REFUND": "REFUND",
        "CHARGEBACK": "CHARGEBACK",
        "REPRESENTMENT": "REVERSAL",
        "FEE": "FEE",
        "ADJUSTMENT": "ADJUSTMENT",
    },
    currencies=frozenset({"MYR", "USD", "SGD", "EUR", "GBP", "AUD"}),
    status_code=re.compile(r"[0-9A-Z?]"),
)
