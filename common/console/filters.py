"""Filters that several lists have."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter


class OpenFilter(DropdownFilter):
    """What is open (`resolved_at` empty) unless asked for others: a queue shows what is left to do."""

    title = "state"
    parameter_name = "resolved"
    all_option: ClassVar[list[str]] = ["", "Open"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Resolved"), ("all", "Open and resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.exclude(resolved_at=None)
            case "all":
                return queryset
        return queryset.filter(resolved_at=None)
