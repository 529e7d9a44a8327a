"""Closings and reopenings of days, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console.base import ConsoleAdmin
from common.console.columns import day, mode, pretty, related, state, when
from reconciliation.admin.filters import ProviderFilter
from reconciliation.models import DayClose


@admin.register(DayClose)
class DayCloseAdmin(ConsoleAdmin):
    list_display = (
        day("day", "Day"),
        "provider",
        mode(),
        state("state"),
        "is_clean",
        "carried",
        "actor",
        when("at", "When"),
        related("proposal", "Signed"),
    )
    list_filter = (ProviderFilter, ("state", ChoicesDropdownFilter), "live", ("day", RangeDateFilter))
    list_select_related = ("proposal",)
    search_fields = ("=id", "=actor")
    ordering = ("-at",)
    details = (
        (None, ("provider", mode(), day("day", "Day"), "number", state("state"), "is_clean", "carried")),
        ("Who", ("actor", "reason", when("at", "When"), related("proposal", "Signed"))),
        (None, (pretty("figures", "Figures in minor units"),)),
    )
