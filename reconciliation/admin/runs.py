"""Runs and matches, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console.base import ConsoleAdmin
from common.console.columns import day, mode, pretty, related, when
from reconciliation.admin.filters import ProviderFilter
from reconciliation.models import Match, ReconciliationRun


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
