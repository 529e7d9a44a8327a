"""Runs, matches and breaks, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, pretty, related, state, when
from common.console.filters import OpenFilter
from reconciliation.admin.filters import ProviderFilter
from reconciliation.models import Break, Match, ReconciliationRun


@column("our_money", "We say")
def ours(row: Break) -> Any:
    return html.money(row.our_minor, row.our_currency)


@column("their_money", "They say")
def theirs(row: Break) -> Any:
    return html.money(row.their_minor, row.their_currency)


@column("age", "Age", order="first_seen_at")
def age(row: Break) -> str:
    """In the classes of the reports: under a day, 1-3, 4-7, more than 7 days."""
    if row.resolved_at is not None:
        return "Resolved"
    days = (timezone.now() - row.first_seen_at).days
    return "< 1 day" if days < 1 else "1-3 days" if days <= 3 else "4-7 days" if days <= 7 else "> 7 days"


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ConsoleAdmin):
    list_display = (
        day("day", "Day"),
        "provider",
        mode(),
        "lines",
        "lines_matched",
        "operations",
        "operations_matched",
        "breaks_opened",
        "breaks_closed",
        when("ended_at", "Ended"),
    )
    list_filter = (ProviderFilter, "live", ("day", RangeDateFilter))
    search_fields = ("=id", "provider")
    ordering = ("-started_at",)
    details = (
        (None, ("provider", mode(), "day", "actor", when("started_at", "Started"), when("ended_at", "Ended"))),
        ("Lines of the statements", ("lines", "lines_matched", "lines_broken")),
        ("Our operations", ("operations", "operations_matched", "operations_broken", "operations_expected")),
        ("Breaks", ("breaks_opened", "breaks_closed", pretty("totals", "Totals in minor units"))),
    )


@admin.register(Match)
class MatchAdmin(ConsoleAdmin):
    list_display = (
        "id",
        related("line", "Statement line"),
        related("operation", "Operation"),
        related("operation__payment__transaction", "Transaction"),
        "rule",
    )
    list_filter = (("rule", ChoicesDropdownFilter),)
    list_select_related = ("line", "operation__payment__transaction")
    search_fields = ("=line__provider_reference", "=operation__reference", "=operation__payment__transaction__id")
    search_help_text = "Provider reference, our reference or transaction"
    ordering = ("-id",)
    details = (
        (
            None,
            (
                related("line", "Statement line"),
                related("operation", "Operation"),
                related("operation__payment__transaction", "Transaction"),
                "rule",
                related("run", "Run"),
            ),
        ),
    )


@admin.register(Break)
class BreakAdmin(ConsoleAdmin):
    list_display = (
        state("kind", "Kind"),
        day("day", "Day"),
        "provider",
        mode(),
        ours,
        theirs,
        related("operation__payment__transaction", "Transaction"),
        "cause",
        age,
    )
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter), ProviderFilter, "live", ("day", RangeDateFilter))
    list_select_related = ("operation__payment__transaction",)
    search_fields = (
        "=line__provider_reference",
        "=line__our_reference",
        "=operation__reference",
        "=operation__payment__transaction__id",
    )
    search_help_text = "Provider reference, our reference or transaction"
    ordering = ("first_seen_at", "id")
    details = (
        (None, (state("kind", "Kind"), "cause", ours, theirs, "provider", mode(), "day")),
        (
            "Items",
            (
                related("line", "Statement line"),
                related("operation", "Operation"),
                related("operation__payment__transaction", "Transaction"),
            ),
        ),
        (
            "When",
            (
                when("first_seen_at", "First seen"),
                when("last_seen_at", "Last seen"),
                when("resolved_at", "Resolved"),
                related("run", "Found by"),
                related("resolved_by_run", "Closed by"),
            ),
        ),
    )
