"""Filters that several lists have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.utils import parse_date_str


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


class DayFilter(RangeDateFilter):
    """From a day to a day of the operator's own zone, both included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup, moment in (("from", "gte", time.min), ("to", "lte", time.max)):
            day = parse_date_str(self.used_parameters.get(f"{self.parameter_name}_{end}") or "")
            if day is not None:
                at = timezone.make_aware(datetime.combine(day, moment))
                queryset = queryset.filter(**{f"{self.field_path}__{lookup}": at})
        return queryset


def choice_filter(name: str, path: str, choices: Iterable[str]) -> type[DropdownFilter]:
    """A filter by one of `choices`, given here so that no query has to collect them."""
    listed = [(choice, choice) for choice in choices]

    class ChoiceFilter(DropdownFilter):
        title = name
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return listed

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{path: self.value()}) if self.value() else queryset

    return ChoiceFilter
