"""Filters of GET /transactions. A filter that does not exist is refused, because ignoring it would show everything."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import BaseInFilter, CharFilter, ChoiceFilter, Filter, FilterSet

from common.errors import InvalidRequest
from common.money import InvalidAmount, Money, UnknownCurrency
from merchants.api.instants import EXPECTED, read_instant
from payments.models import Transaction
from payments.models._choices import choices
from payments.states import TransactionStatus

PAGING = frozenset({"limit", "cursor"})


class InstantField(forms.CharField):
    """RFC 3339 with its offset."""

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return read_instant(text)
        except ValueError as exc:
            raise forms.ValidationError(EXPECTED) from exc


class InstantFilter(Filter):
    field_class = InstantField


class StatusFilter(BaseInFilter, ChoiceFilter):
    """One status or several, separated by commas."""


class TransactionFilter(FilterSet):
    status = StatusFilter(choices=choices(TransactionStatus))
    paymentTypeId = CharFilter("method", lookup_expr="iexact", max_length=30)
    externalReference = CharFilter("external_reference", max_length=100)
    currencyCode = CharFilter("currency", max_length=3)
    amountMin = CharFilter(method="by_amount", max_length=20)
    amountMax = CharFilter(method="by_amount", max_length=20)
    createdFrom = InstantFilter("created_at", lookup_expr="gte")
    createdTo = InstantFilter("created_at", lookup_expr="lt")

    def by_amount(self, rows: QuerySet[Transaction], name: str, value: str) -> QuerySet[Transaction]:
        """Amounts compare within one currency only: the one asked for, else the merchant's own."""
        currency = self.form.cleaned_data["currencyCode"] or self.request.caller.currency
        try:
            minor = Money.parse(value, currency).minor
        except UnknownCurrency:
            return rows.none()
        except InvalidAmount as exc:
            raise InvalidRequest(f"Not right: {name}.", fields={name: [f"Send an amount in {currency}."]}) from exc
        lookup = "gte" if name == "amountMin" else "lte"
        return rows.filter(**{"currency": currency, f"amount_minor__{lookup}": minor})


def filtered(rows: QuerySet[Transaction], query: QueryDict, request: Any) -> QuerySet[Transaction]:
    """The rows that the query string asks for. Raises InvalidRequest."""
    asked = query.keys() - PAGING
    if not asked:
        return rows  # building a form costs more than the query
    unknown = asked - TransactionFilter.base_filters.keys()
    errors = {name[:60]: ["There is no such filter."] for name in unknown}
    errors |= {name: ["Send a value, or leave it out."] for name in asked - unknown if not str(query[name]).strip()}
    found = TransactionFilter(query, queryset=rows, request=request)
    errors |= {name: [str(sentence) for sentence in sentences] for name, sentences in found.form.errors.items()}
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(sorted(errors))}.", fields=errors)
    first, last = (found.form.cleaned_data[name] for name in ("createdFrom", "createdTo"))
    if first and last and first > last:
        raise InvalidRequest("Not right: createdFrom.", fields={"createdFrom": ["It is after createdTo."]})
    kept: QuerySet[Transaction] = found.qs
    least, most = (found.form.cleaned_data[name] for name in ("amountMin", "amountMax"))
    if least and most and Decimal(least) > Decimal(most):  # both have been read as amounts
        raise InvalidRequest("Not right: amountMin.", fields={"amountMin": ["It is above amountMax."]})
    return kept
