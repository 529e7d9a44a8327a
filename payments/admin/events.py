"""Provider events: what arrived, and what was made of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.console.base import ConsoleAdmin
from common.console.columns import column, reference, related, state, when
from common.console.filters import DayFilter
from payments.admin.filters import provider_filter
from payments.admin.search import ReferenceSearch
from payments.models import ProviderEvent


@column("body_text", "Body")
def body(event: ProviderEvent) -> Any:
    """The message as it came, up to 8 KiB of it."""
    return format_html('<pre class="cf-pre">{}</pre>', bytes(event.body)[:8192].decode(errors="replace") or "(empty)")


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "payment__transaction"
    own = ("id", "reference")
    list_display = (
        when("received_at", "Received"),
        "provider",
        "reference",
        state("state"),
        "arrivals",
        related("payment__transaction", "Transaction"),
        "method",
        "note",
    )
    list_filter = (("state", ChoicesDropdownFilter), provider_filter("provider"), ("received_at", DayFilter))
    list_select_related = ("payment__transaction",)
    ordering = ("-id",)
    details = (
        (
            None,
            (
                "provider",
                state("state"),
                reference("reference", "Reference"),
                related("payment__transaction", "Transaction"),
                related("provider_account", "Provider account"),
                "arrivals",
                "note",
            ),
        ),
        ("When", (when("received_at", "Received"), when("acted_at", "Acted on"), when("due_at", "Next look"))),
        ("The message", ("method", "content_type", "source_ip", "event_key", "query", body)),
    )

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).defer("body")
