"""Finding a payment by whatever reference a person has in hand.

A reference is matched whole against each column that an index serves; the e-mail address by its beginning. A merchant's code finds all of
that merchant's. Every list that belongs to transactions is searched the same way.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from merchants.models import Merchant
from payments.models import Operation, Payment, Refund, Transaction

HELP = "Any reference, e-mail or merchant code"


def transactions_by_reference(term: str) -> QuerySet[Any]:
    """Ids of the transactions that `term` names: a union, so that each column's own index is used."""
    forms = {term, term.lower(), term.upper()}
    payments = Payment.objects.filter(
        Q(pk__in=forms)
        | Q(payment_trans_id__in=forms)
        | Q(provider_reference__in=forms)
        | Q(bank_reference__in=forms)
        | Q(approval_code__in=forms)
    )
    operations = Operation.objects.filter(Q(pk__in=forms) | Q(reference__in=forms) | Q(provider_reference__in=forms))
    transactions = Transaction.objects.filter(
        Q(pk__in=forms) | Q(external_reference__in=forms) | Q(payer_email__istartswith=term)
    )
    return transactions.values("pk").union(
        payments.values("transaction_id"),
        operations.values("payment__transaction_id"),
        Refund.objects.filter(pk__in=forms).values("transaction_id"),
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
        found = Q(**{f"{self.transaction_path}__in": transactions_by_reference(term)})
        for field in self.own:
            found |= Q(**{field: term})
        return queryset.filter(found), False
