"""Lines that could not be read: as they stand in the file, and why."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.console.base import ConsoleAdmin
from common.console.columns import pretty, related, state, when
from reconciliation.models import QuarantinedLine


@admin.register(QuarantinedLine)
class QuarantinedLineAdmin(ConsoleAdmin):
    list_display = (
        related("statement", "Statement"),
        "number",
        "reason",
        state("state"),
        when("created_at", "Came", sortable=True),
    )
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("statement",)
    search_fields = ("=statement__id",)
    search_help_text = "Statement"
    ordering = ("-id",)
    details = (
        (None, (related("statement", "Statement"), "number", "reason", state("state"))),
        ("As it came", (pretty("cells", "Columns"),)),
        (
            "Put right",
            (
                pretty("fixed_cells", "Columns"),
                "fixed_by",
                when("decided_at", "When"),
                related("line", "Line"),
                related("bank_line", "Bank line"),
                related("proposal", "Discarded by"),
            ),
        ),
    )
