"""Runs and matches, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, related, when
from common.console.search import ExactSearch
from reconciliation.admin.filters import ProviderFilter
from reconciliation.models import Match, ReconciliationRun


def _of(name: str, label: str) -> Any:
    """How many of them were matched."""

    @column(f"{name}_share", label)
    def read(run: ReconciliationRun) -> Any:
        share = f"{getattr(run, f'{name}_matched'):,} of {getattr(run, name):,}"
        return format_html('<span class="cf-nowrap">{}</span>', share)

    return read


@column("breaks_change", "Breaks")
def breaks(run: ReconciliationRun) -> str:
    return f"{run.breaks_opened:,} opened, {run.breaks_closed:,} closed"


@column("totals_table", "Amounts")
def totals(run: ReconciliationRun) -> Any:
    rows = [
        (name.replace("_", " ").capitalize(), html.money(minor, currency))
        for currency, sums in sorted(run.totals.items())
        for name, minor in sorted(sums.items())
    ]
    return html.table(("", ""), rows, short=True) if rows else html.EMPTY


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ConsoleAdmin):
    found_by = ("id",)
    empty_text = "Nothing has been compared yet. The nightly job compares the last finished day; a day's page of Day close does it now."
    list_display = (
        day("day", "Day"),
        "provider",
        mode(),
        _of("lines", "Lines matched"),
        _of("operations", "Ours matched"),
        breaks,
        when("ended_at", "Ended"),
    )
    list_filter = (ProviderFilter, "live", ("day", RangeDateFilter))
    search_fields = ("=id", "provider")
    ordering = ("-started_at",)
    details = (
        (
            None,
            ("provider", mode(), day("day", "Day"), "actor", when("started_at", "Started"), when("ended_at", "Ended")),
        ),
        ("Lines of the statements", ("lines", "lines_matched", "lines_broken")),
        ("Our operations", ("operations", "operations_matched", "operations_broken", "operations_expected")),
        ("Breaks", ("breaks_opened", "breaks_closed", totals)),
    )


@admin.register(Match)
class MatchAdmin(ExactSearch, ConsoleAdmin):
    empty_text = "Nothing is matched yet."
    list_display = (
        "id",
        related("line", "Statement line"),
        related("operation", "Operation"),
        related("operation__payment__transaction", "Transaction"),
        "rule",
    )
    list_filter = (("rule", ChoicesDropdownFilter),)
    list_select_related = ("line", "operation__payment__transaction")
    search_fields = exact = ("line__provider_reference", "operation__reference", "operation__payment__transaction__id")
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
                related("group", "Why: its group"),
            ),
        ),
    )
