"""Filters by what the code knows, and of the break queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from reconciliation.models import Source

QUEUES = [
    ("mine", "Mine"),
    ("unassigned", "Unassigned"),
    ("overdue", "Overdue"),
    ("carried", "Carried forward"),
]
AGES = [("0", "< 1 day"), ("1", "1-3 days"), ("4", "4-7 days"), ("8", "> 7 days")]
_ENDS = {"0": 1, "1": 4, "4": 8, "8": None}


class ProviderFilter(DropdownFilter):
    """By the source: a provider or a bank."""

    title = "source"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Source.objects.order_by("-side", "code").values_list("code", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(provider=self.value()) if self.value() else queryset


class QueueFilter(DropdownFilter):
    """Whose, and how urgent."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return QUEUES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "mine":
                return queryset.filter(owner=request.user)
            case "unassigned":
                return queryset.filter(owner=None)
            case "overdue":
                return queryset.filter(due_on__lt=timezone.localdate(), resolved_at=None)
            case "carried":
                return queryset.exclude(carried_from=None)
        return queryset


class AgeFilter(DropdownFilter):
    """By the classes of age, in whole days since it was first seen."""

    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return AGES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in _ENDS:
            return queryset
        now, end = timezone.now(), _ENDS[self.value()]
        queryset = queryset.filter(first_seen_at__lte=now - timedelta(days=int(self.value())))
        return queryset if end is None else queryset.filter(first_seen_at__gt=now - timedelta(days=end))


class AboutFilter(DropdownFilter):
    """What a break is about."""

    title = "about"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("payments", "Payments"), ("bank", "Remittances and bank lines"), ("payouts", "Payouts")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "payments":
                return queryset.filter(bank_line=None, remittance=None, payout=None)
            case "bank":
                return queryset.filter(line=None, operation=None, payout=None)
            case "payouts":
                return queryset.exclude(payout=None)
        return queryset
