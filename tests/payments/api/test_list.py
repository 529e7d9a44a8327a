"""GET /transactions: pages that neither repeat nor lose rows, and every filter."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.money import Money
from payments.models import Transaction
from tests.factories import NOW, captured_transaction, new_transaction
from tests.support.api import Api, content, refusal

pytestmark = pytest.mark.django_db


def test_a_list_by_cursor_is_stable_while_rows_arrive(api: Api) -> None:
    account = api.merchant.provider_accounts.get(provider="migs")
    made = [
        new_transaction(account, now=NOW + timedelta(seconds=n // 3)).transaction.pk for n in range(10)
    ]  # three share each second
    seen: list[str] = []
    cursor = ""

    for page in range(20):
        answer = content(api.get(f"/transactions?limit=3{cursor}"))
        seen += [row["id"] for row in answer["data"]]
        new_transaction(account, now=NOW + timedelta(minutes=1 + page))  # arrives at the front
        if answer["nextCursor"] is None:
            break
        cursor = f"&cursor={answer['nextCursor']}"

    assert sorted(seen) == sorted(made)
    assert len(seen) == 10
    assert seen == [row.pk for row in Transaction.objects.filter(pk__in=made).order_by("-created_at", "-id")]


def test_a_full_last_page_has_no_next(api: Api) -> None:
    account = api.merchant.provider_accounts.get(provider="migs")
    for _ in range(2):
        new_transaction(account)

    assert content(api.get("/transactions?limit=2"))["nextCursor"] is None
    assert content(api.get("/transactions?limit=1"))["nextCursor"] is not None


@pytest.mark.parametrize(
    "query, expected",
    [
        ("", "dcba"),
        ("status=PENDING", "dba"),
        ("status=COMPLETED,PENDING", "dcba"),
        ("paymentTypeId=FPX", "b"),
        ("externalReference=order-a", "a"),
        ("externalReference=ORDER-A", ""),
        ("currencyCode=USD", "d"),
        ("amountMin=100", "cb"),
        ("amountMin=100.01", "b"),
        ("amountMax=100.00", "ca"),
        ("amountMin=100&currencyCode=USD", "d"),
        ("amountMin=100&currencyCode=ZZZ", ""),
        ("amountMin=50&amountMax=100", "ca"),
        ("createdFrom=2026-03-02T04:01:00Z", "dcb"),
        ("createdTo=2026-03-02T04:01:00Z", "a"),
        ("createdFrom=2026-03-02T12:01:00%2B08:00&createdTo=2026-03-02T04:02:00.000Z", "b"),
        ("paymentTypeId=none", ""),
    ],
)
def test_filters(api: Api, query: str, expected: str) -> None:
    fpx = api.merchant.provider_accounts.get(provider="fpx")
    migs = api.merchant.provider_accounts.get(provider="migs")
    made = [
        (fpx if name == "b" else migs, {"external_reference": f"order-{name}", "amount": amount})
        for name, amount in (
            ("a", Money(5_000, "MYR")),
            ("b", Money(10_001, "MYR")),
            ("c", Money(10_000, "MYR")),
            ("d", Money(20_000, "USD")),
        )
    ]
    for minute, (account, fields) in enumerate(made):
        make = captured_transaction if fields["external_reference"] == "order-c" else new_transaction
        make(account, now=NOW + timedelta(minutes=minute), **fields)

    found = content(api.get(f"/transactions?{query}"))["data"]

    assert "".join(row["externalReference"][-1] for row in found) == expected


@pytest.mark.parametrize(
    "query, name",
    [
        ("amountMin=100.01&amountMax=100", "amountMin"),
        ("createdFrom=2026-03-03T00:00:00Z&createdTo=2026-03-02T00:00:00Z", "createdFrom"),
    ],
)
def test_a_span_the_wrong_way_round_is_refused(api: Api, query: str, name: str) -> None:
    error = refusal(api.get(f"/transactions?{query}"), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == [name]
