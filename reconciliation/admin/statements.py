"""Statements and their lines, to read. The file itself stays in the database as it came."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, state, when
from common.console.filters import DayFilter
from common.console.search import ExactSearch
from reconciliation.admin.filters import ProviderFilter
from reconciliation.admin.statement_page import StatementPages
from reconciliation.models import Statement, StatementFile, StatementFileChunk, StatementLine


@column("sha256_hex", "SHA-256")
def sha256(statement: Statement) -> Any:
    return format_html('<span class="cf-wrap">{}</span>', bytes(statement.sha256).hex())


@admin.register(Statement)
class StatementAdmin(StatementPages, ConsoleAdmin):
    found_by = ("id",)
    empty_text = "No statement has come. Upload one, or wait for the nightly fetch."
    list_display = (
        day("day", "Day"),
        "provider",
        "provider_account",
        mode(),
        state("state"),
        "line_count",
        "new_line_count",
        "quarantined_count",
        when("received_at", "Received"),
    )
    list_filter = (ProviderFilter, ("state", ChoicesDropdownFilter), "live", ("day", RangeDateFilter))
    list_select_related = ("provider_account",)
    search_fields = ("=id", "=provider_account__account_key")
    search_help_text = "Statement or account key"
    ordering = ("-received_at",)
    details = (
        (
            None,
            (
                reference("id", "Statement"),
                "provider",
                related("provider_account", "Account"),
                mode(),
                day("day", "Day"),
            ),
        ),
        ("Read", (state("state"), state("controls", "Control totals"), sha256)),
        ("When", (when("received_at", "Received"), when("imported_at", "Imported"))),
    )


@admin.register(StatementFile)
class StatementFileAdmin(ConsoleAdmin):
    list_display = (related("statement", "Statement"), "name", "size")
    list_select_related = ("statement",)
    search_fields = ("=statement__id",)
    details = ((None, (related("statement", "Statement"), "name", "size")),)


@admin.register(StatementFileChunk)
class StatementFileChunkAdmin(ConsoleAdmin):
    list_display = (related("file", "File"), "number")
    list_select_related = ("file",)
    search_fields = ("=file__statement__id",)
    details = ((None, (related("file", "File"), "number")),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatementFileChunk]:
        return super().get_queryset(request).defer("compressed")  # type: ignore[no-any-return]


@admin.register(StatementLine)
class StatementLineAdmin(ExactSearch, ConsoleAdmin):
    found_by = ("provider_reference", "our_reference")
    list_display = (
        "provider_reference",
        when("at", "Time"),
        "type",
        "account_key",
        money("amount_minor", "Amount", sortable=True),
        money("fee_minor", "Fee"),
        "our_reference",
        "status_code",
    )
    list_filter = (ProviderFilter, ("type", ChoicesDropdownFilter), ("at", DayFilter))
    list_select_related = ("statement",)
    search_fields = exact = ("provider_reference", "our_reference")
    search_help_text = "Provider reference or our reference"
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("provider_reference", "Provider reference"),
                reference("our_reference", "Our reference"),
                "type",
                "occurrence",
                "status_code",
                when("at", "Time"),
            ),
        ),
        ("Amounts", (money("amount_minor", "Amount"), money("fee_minor", "Fee"), money("net_minor", "Net"))),
        (
            "From",
            (
                related("statement", "Statement"),
                "number",
                "account_key",
                related("provider_account", "Provider account"),
            ),
        ),
    )
