"""One settlement, whole: its net, how that comes about, what it is made of, and how it is paid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from common.console import html
from reconciliation.documents.content import Content, Summary, line_type
from reconciliation.models import Payout, PayoutState, Settlement, SettlementLine

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class SettlementPage:
    found: Settlement
    figures: Sequence[tuple[str, Any]]
    calculation: Any
    by_method: Any
    by_day: Any
    lines: Any
    payouts: Sequence[Payout]


def settlement_page(found: Settlement) -> SettlementPage:
    """All of one settlement's page."""
    content = Content.of(found)

    def money(minor: int) -> Any:
        return html.money(minor, found.currency)

    parts = content.parts()
    return SettlementPage(
        found=found,
        figures=[(part.name, money(part.minor)) for part in parts if not part.of and part.minor],
        calculation=html.table(
            ("", ""),
            [
                *((f"of which {part.name}" if part.of else part.name, money(part.minor)) for part in parts),
                (format_html("<strong>{}</strong>", "Net"), format_html("<strong>{}</strong>", money(found.net_minor))),
            ],
            short=True,
        ),
        by_method=_summaries(content.by_method(), "Payment type", money),
        by_day=_summaries(content.by_day(), "Day", money),
        lines=_lines(found, money),
        payouts=list(found.payouts.exclude(state=PayoutState.CANCELLED)),
    )


def _summaries(found: Sequence[Summary], first: str, money: Callable[[int], Any]) -> Any:
    amounts = {
        "Gross": [each.gross_minor for each in found],
        "Given back": [-each.refund_minor for each in found],
        "Disputes": [-each.dispute_minor for each in found],
        "Fees": [-each.fee_minor for each in found],
        "Adjusted": [each.adjustment_minor for each in found],
        "Net": [each.net_minor for each in found],
    }
    shown = {head: minors for head, minors in amounts.items() if any(minors) or head in ("Gross", "Net")}
    return html.table(
        (first, "Payments", "Refunds", *shown),
        [
            (
                format_html('<span class="cf-nowrap">{}</span>', each.name),
                each.payments,
                each.refunds,
                *(money(minors[number]) for minors in shown.values()),
            )
            for number, each in enumerate(found)
        ],
    )


def _lines(settlement: Settlement, money: Callable[[int], Any]) -> Any:
    """The first of them, and the way to all."""
    rows = settlement.lines.select_related("entry__transaction").order_by("booked_at", "entry")[:_SHOWN]
    table = html.table(
        ("Booked", "What", "Transaction", "Amount", "Fee", "Net"),
        [
            (
                html.moment(line.booked_at),
                line_type(line.entry.fact_name).capitalize(),
                _transaction(line),
                money(line.net_minor + line.fee_minor),
                money(-line.fee_minor) if line.fee_minor else html.EMPTY,
                money(line.net_minor),
            )
            for line in rows
        ],
    )
    all_of_them = f"{reverse('admin:reconciliation_settlementline_changelist')}?q={settlement.pk}"
    return format_html("{}<p>{}</p>", table, html.link(all_of_them, f"All {settlement.line_count:,} lines"))


def _transaction(line: SettlementLine) -> Any:
    transaction = line.entry.transaction
    if transaction is None:
        return html.EMPTY
    return html.link(html.page_url(transaction), transaction.external_reference or transaction.pk)
