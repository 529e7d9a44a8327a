"""Searching long lists by whole values."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest


class ExactSearch:
    """Search for a whole value in any of `exact`: an index finds it, however long the list is."""

    exact: tuple[str, ...] = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = Q()
        for field in self.exact if term.strip() else ():
            wanted |= Q(**{field: term.strip()})
        return queryset.filter(wanted), False
