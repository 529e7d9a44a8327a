"""Filters of GET /settlements. A filter that does not exist is refused, because ignoring it would show everything."""

from __future__ import annotations

from django.db.models import QuerySet
from django.forms import DateField
from django.http import QueryDict
from django_filters import BaseInFilter, CharFilter, ChoiceFilter, Filter, FilterSet

from common.errors import InvalidRequest
from reconciliation.models import Settlement, SettlementState

PAGING = frozenset({"limit", "cursor"})


class _Day(DateField):
    default_error_messages = {"invalid": "Send a day such as 2026-03-02."}


class DayFilter(Filter):
    field_class = _Day


class StatusFilter(BaseInFilter, ChoiceFilter):
    """One status or several, separated by commas."""


class SettlementFilter(FilterSet):
    status = StatusFilter("state", choices=SettlementState.choices)
    currencyCode = CharFilter("currency", max_length=3)
    dateFrom = DayFilter("day", lookup_expr="gte", input_formats=["%Y-%m-%d"])
    dateTo = DayFilter("day", lookup_expr="lte", input_formats=["%Y-%m-%d"])


def filtered(rows: QuerySet[Settlement], query: QueryDict) -> QuerySet[Settlement]:
    """The settlements that the query string asks for. Raises InvalidRequest."""
    asked = query.keys() - PAGING
    errors = {name[:60]: ["There is no such filter."] for name in asked - SettlementFilter.base_filters.keys()}
    errors |= {
        name: ["Send a value, or leave it out."] for name in asked - errors.keys() if not str(query[name]).strip()
    }
    found = SettlementFilter(query, queryset=rows)
    errors |= {name: [str(sentence) for sentence in sentences] for name, sentences in found.form.errors.items()}
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(sorted(errors))}.", fields=errors)
    if all(found.form.cleaned_data[name] for name in ("dateFrom", "dateTo")):
        first, last = (found.form.cleaned_data[name] for name in ("dateFrom", "dateTo"))
        if first > last:
            raise InvalidRequest("Not right: dateFrom.", fields={"dateFrom": ["It is after dateTo."]})
    rows_found: QuerySet[Settlement] = found.qs
    return rows_found
