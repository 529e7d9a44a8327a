"""Finding a payment by whatever reference a person has in hand.

A reference is matched whole against each column that an index serves; the e-mail address by its beginning. A merchant's code finds all of
that merchant's. Every list that belongs to transactions is searched the same way.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from merchants.models import Merchant
from payments.models import Operation, Payment, Refund, Transaction

HELP = "Any reference, e-mail or merchant code"

# What may be typed, and the way from there to the transaction.
_COLUMNS: tuple[tuple[type[Model], tuple[str, ...], str], ...] = (
    (Transaction, ("pk", "external_reference"), "pk"),
    (
        Payment,
        ("pk", "payment_trans_id", "provider_reference", "bank_reference", "approval_code"),
        "transaction_id",
    ),
    (Operation, ("pk", "reference", "provider_reference"), "payment__transaction_id"),
    (Refund, ("pk",), "transaction_id"),
)


def transactions_by_reference(term: str) -> QuerySet[Any]:
    """Ids of the transactions that `term` names: a union of one look-up a column, so that each has an index of its own."""
    forms = {term, term.lower(), term.upper()}
    by_email = Transaction.objects.filter(payer_email__istartswith=term).exclude(payer_email="").values("pk")
    return by_email.union(
        *(
            model._default_manager.filter(**{f"{column}__in": forms}).values(way)
            for model, columns, way in _COLUMNS
            for column in columns
        )
    )


class ReferenceSearch:
    """For lists whose rows belong to a transaction, at `transaction_path`. `own` are columns of the row itself."""

    transaction_path: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    search_fields = ("id",)  # shows the search box; get_search_results decides
    search_help_text = HELP

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = term.strip()
        if not term:
            return queryset, False
        merchant = Merchant.objects.filter(code=term.upper()).first()
        if merchant is not None:
            path = "merchant" if self.transaction_path == "pk" else f"{self.transaction_path}__merchant"
            return queryset.filter(**{path: merchant}), False
        of_transactions = Q(**{f"{self.transaction_path}__in": transactions_by_reference(term)})
        if not self.own:
            return queryset.filter(of_transactions), False
        rows = queryset.model._default_manager.order_by()
        found = rows.filter(of_transactions).values("pk")
        others = (rows.filter(**{field: term}).values("pk") for field in self.own)
        return queryset.filter(pk__in=found.union(*others)), False
