"""What reconciliation adds to other pages: a card of the dashboard."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone

from common.console.panels import CARDS, TRANSACTION_PAGE, Card, Part
from payments.models import Transaction
from reconciliation.models import Break, ReconciliationRun
from reconciliation.whereabouts import Link, Step, ways_of

STEPS = {
    Step.CAPTURED: "Paid by the payer",
    Step.ON_STATEMENT: "On the provider's statement",
    Step.AT_BANK: "On our bank account",
    Step.SETTLED: "Settled",
    Step.PAID_OUT: "Paid out to the merchant",
}


def last_reconciliation() -> Card:
    """The last comparison that ended, and what is open."""
    last = ReconciliationRun.objects.filter(ended_at__isnull=False).order_by("-ended_at").first()
    open_ = Break.objects.filter(resolved_at=None).count()
    return Card(
        title="Open breaks",
        value=str(open_),
        note=f"Last comparison: {last.provider.upper()}, {last.day:%-d %b %Y}."
        if last
        else "Nothing was compared yet.",
        url=reverse("admin:reconciliation_break_changelist"),
        tone="warning" if open_ else "success" if last else "neutral",
    )


def whereabouts(transaction: Transaction) -> dict[str, Any]:
    """The payment's way to the merchant; nothing before it is captured."""
    way = ways_of([transaction.pk], today=timezone.localdate()).get(transaction.pk)
    return {"way": way, "rows": [(STEPS[link.step], link, link_url(link)) for link in way.links] if way else []}


def link_url(link: Link) -> str:
    """The console page of the row that proves a link; "" where none does."""
    return reverse(f"admin:reconciliation_{link.what}_change", args=[link.id]) if link.id else ""


TRANSACTION_PAGE.append(
    Part(
        permission="reconciliation.view_settlement",
        order=5,
        template="admin/reconciliation/whereabouts.html",
        load=whereabouts,
    )
)
CARDS.append((60, "reconciliation.view_break", last_reconciliation))
