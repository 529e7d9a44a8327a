"""What reconciliation adds to other pages: a card of the dashboard."""

from __future__ import annotations

from django.urls import reverse

from common.console.panels import CARDS, Card
from reconciliation.models import Break, ReconciliationRun


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


CARDS.append((60, "reconciliation.view_break", last_reconciliation))
