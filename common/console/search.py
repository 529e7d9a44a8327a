"""Searching long lists by whole values."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest


class ExactSearch:
    """Search for a whole value, as typed or in one case, in any of `exact`, of the row or of what it refers to.

    One look-up for the row's own columns and one for each that it refers to: indexes find them, however long the list is, where a condition on
    all of them at once would read the list.
    """

    exact: tuple[str, ...] = ()

    def looked_up(self, forms: set[str]) -> list[Q]:
        """The look-ups of a value in these `forms`, each through indexes of its own."""
        own, wanted = Q(), []
        for field in self.exact:
            if "__" in field:
                wanted.append(Q(**{f"{field}__in": forms}))
            else:
                own |= Q(**{f"{field}__in": forms})
        return ([own] if own else []) + wanted

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = term.strip()
        if not term:
            return queryset, False
        forms = {term, term.lower(), term.upper()}
        rows = queryset.model._default_manager.order_by()
        first, *others = (rows.filter(each).values("pk") for each in self.looked_up(forms))
        return queryset.filter(pk__in=first.union(*others) if others else first), False
