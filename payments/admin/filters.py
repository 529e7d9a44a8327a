"""Filters by what the code knows: providers, payment types, facts."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from common.console.filters import choice_filter
from payments.models import Payment
from payments.providers.registry import PROVIDERS
from payments.states import MOVES, TRANSFER_MOVES
from payments.transfer_types import TRANSFER_TYPES

METHODS = sorted({method for provider in PROVIDERS.values() for method in provider.methods} | TRANSFER_TYPES.keys())

FACTS = sorted(
    {move.fact for move in MOVES.values()} | {fact for _, fact in TRANSFER_MOVES.values()} | {"account.deposited"}
)

MethodFilter = choice_filter("method", "method", METHODS)
FactFilter = choice_filter("fact", "fact_name", FACTS)


class TransactionProviderFilter(choice_filter("provider", "pk", sorted(PROVIDERS))):  # type: ignore[misc]
    """Transactions with an attempt at the provider, each once however many attempts it has."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        attempts = Payment.objects.filter(provider_account__provider=self.value())
        return queryset.filter(pk__in=attempts.values("transaction_id"))


def provider_filter(path: str) -> type[DropdownFilter]:
    """By provider, at `path` of the row."""
    return choice_filter("provider", path, sorted(PROVIDERS))
