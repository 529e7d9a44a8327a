"""Items of either side as rows of a table: what they are, their page, their amount as the comparison signs it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from common.console import html
from payments.models import Operation
from reconciliation.models import BankLine, Payout, Remittance, StatementLine
from reconciliation.services.claims import signed

HEADS = ("Item", "Reference", "Amount")
SHOWN = 20

Row = tuple[Any, Any, Any]


def item_rows(
    *,
    lines: Collection[int] = (),
    operations: Collection[str] = (),
    bank_lines: Collection[int] = (),
    remittances: Collection[str] = (),
    payouts: Collection[str] = (),
) -> list[Row]:
    """The first twenty of each kind, by their keys, and how many more there are."""
    rows: list[Row] = []
    for line in StatementLine.objects.filter(pk__in=lines).order_by("pk")[:SHOWN]:
        rows.append(_row("Their line", line, line.provider_reference, line.amount_minor))
    rows += _more("Their lines", lines)
    for operation in Operation.objects.filter(pk__in=operations).order_by("pk")[:SHOWN]:
        rows.append(_row("Our operation", operation, operation.reference, signed(operation)))
    rows += _more("Our operations", operations)
    for bank_line in BankLine.objects.filter(pk__in=bank_lines).order_by("pk")[:SHOWN]:
        rows.append(_row("Bank line", bank_line, bank_line.reference, bank_line.amount_minor))
    rows += _more("Bank lines", bank_lines)
    for remittance in Remittance.objects.filter(pk__in=remittances).order_by("pk")[:SHOWN]:
        name = f"{remittance.provider} {remittance.account_key} {remittance.day:%-d %b %Y}"
        rows.append(_row("Remittance", remittance, name, remittance.net_minor))
    rows += _more("Remittances", remittances)
    for payout in Payout.objects.filter(pk__in=payouts).order_by("pk")[:SHOWN]:
        rows.append(_row("Payout", payout, payout.end_to_end_id, -payout.amount_minor))
    return rows + _more("Payouts", payouts)


def _more(what: str, keys: Collection[Any]) -> list[Row]:
    return [(what, f"{len(keys) - SHOWN:,} more", html.EMPTY)] if len(keys) > SHOWN else []


def _row(what: str, item: Any, name: str, minor: int) -> Row:
    return what, html.link(html.page_url(item), name), html.money(minor, item.currency)
