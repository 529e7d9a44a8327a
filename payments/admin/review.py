"""The queue of open questions: what no rule may decide, oldest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.timesince import timesince
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, pretty, related, state, when
from common.console.filters import OpenFilter
from payments.admin.search import ReferenceSearch
from payments.models import ReviewItem


def open_questions(request: HttpRequest) -> str:
    """How many wait, for the navigation; nothing when none does."""
    waiting = ReviewItem.objects.filter(resolved_at=None)[:100].count()
    return str(waiting) if waiting else ""


@column("age", "Waiting for", order="opened_at")
def age(item: ReviewItem) -> Any:
    return "Resolved" if item.resolved_at else timesince(item.opened_at, depth=1)


@column("question", "Question")
def question(item: ReviewItem) -> Any:
    return html.link(html.page_url(item.payment.transaction), item.summary) if item.payment else item.summary


kind = state("kind", "Kind")


@admin.register(ReviewItem)
class ReviewItemAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "payment__transaction"
    list_display = (
        kind,
        question,
        related("payment__transaction__merchant", "Merchant"),
        "payment",
        age,
        when("opened_at", "Opened"),
    )
    list_display_links = (kind,)
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("payment__transaction__merchant",)
    ordering = ("opened_at",)
    details = (
        (
            None,
            (
                kind,
                "summary",
                related("payment__transaction", "Transaction"),
                related("operation", "Operation"),
                when("opened_at", "Opened"),
            ),
        ),
        (None, (pretty("details", "Figures"),)),
        ("Decision", ("resolution", "resolved_by", when("resolved_at", "Resolved"))),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Conflicts and open questions"} | (extra_context or {}))
