"""Balances: always the sum of the postings, never a number kept beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db.models import Sum

from common.money import Money
from payments.models import LedgerAccount, Posting


def balance(account: LedgerAccount, *, at: datetime | None = None) -> Money:
    """Debits less credits of the account, now or as it was at `at`."""
    postings = Posting.objects.filter(account=account)
    if at is not None:
        postings = postings.filter(entry__booked_at__lte=at)
    return Money(postings.aggregate(total=Sum("amount_minor"))["total"] or 0, account.currency)


def balances_at(codes: Collection[str], at: datetime) -> Mapping[str, int]:
    """Debits less credits of each account as they were at `at`, in minor units; an account without postings is not in it."""
    postings = Posting.objects.filter(account__in=codes, entry__booked_at__lte=at)
    return dict(postings.values_list("account").annotate(total=Sum("amount_minor")))
