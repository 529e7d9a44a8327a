"""The test amounts that make a provider misbehave, through the real processes (contracts section 7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from common.models import Fact
from payments.models import Operation, ProviderEvent, ReviewItem, Transaction
from tests.faults.installation import Installation
from tests.faults.oracle import assert_sound, ended, provider_books
from tests.faults.shop import Shop

PAID = ["transaction.created", "payment.captured"]


@pytest.mark.parametrize("method", ["fpx", "migs"])
def test_every_odd_amount_ends_as_its_meaning_demands(installation: Installation, shop: Shop, method: str):
    orders = {
        units: shop.create(door="api", method=method, amount=f"{units}.00", reference=f"of-{units}")
        for units in range(4, 10)
    }
    pages = {units: shop.send_payer(order) for units, order in orders.items()}
    rows = {
        units: Transaction.objects.get(merchant=shop.merchant, external_reference=f"of-{units}") for units in orders
    }
    installation.until(lambda: open_units(rows) == [5], "only 5.00 is open")

    assert (pages[4], pages[5]) == (504, 500)
    assert statuses(rows) == {
        4: "COMPLETED",
        5: "PENDING",
        6: "COMPLETED",
        7: "COMPLETED",
        8: "COMPLETED",
        9: "PROCESSING",
    }

    # 5.00 never reached the provider: it ends when the payer's time is over (given here, not slept), and is never charged.
    Transaction.objects.filter(pk=rows[5].pk).update(expires_at=timezone.now() - timedelta(minutes=5))
    installation.until(lambda: ended(shop), "an end of everything")

    facts = {units: list(facts_of(row)) for units, row in rows.items()}
    assert facts == {
        4: PAID,
        5: ["transaction.created", "payment.expired"],
        6: PAID,
        7: PAID,
        8: PAID,
        9: ["transaction.created", "payment.conflicted"],
    }
    assert events(rows[4]) == []  # nobody told us: it was looked up
    assert opening(rows[4]).look_ups >= 1
    assert events(rows[5]) == []
    assert sum(event.arrivals for event in events(rows[6])) >= 3
    assert {event.state for event in events(rows[7])} == {"ACTED", "IGNORED"}
    assert {event.state for event in events(rows[8])} >= {"ACTED"}
    conflict = ReviewItem.objects.get(payment__transaction__merchant=shop.merchant, kind="CONFLICT")
    assert (conflict.kind, conflict.payment.transaction_id) == ("CONFLICT", rows[9].pk)
    assert (conflict.details["asked"], conflict.details["providerSaid"]) == ("9.00", "10.00")
    books = provider_books(shop)
    charged = {
        units: books[reference]["amount"]
        for units, row in rows.items()
        if (reference := opening(row).reference) in books
    }
    assert charged == {4: "4.00", 6: "6.00", 7: "7.00", 8: "8.00", 9: "10.00"}
    assert_sound(shop)


def statuses(rows: dict[int, Transaction]) -> dict[int, str]:
    for row in rows.values():
        row.refresh_from_db()
    return {units: row.status for units, row in rows.items()}


def open_units(rows: dict[int, Transaction]) -> list[int]:
    return [units for units, row in rows.items() if opening(row).due_at is not None]


def opening(row: Transaction) -> Operation:
    return Operation.objects.get(payment__transaction=row)


def events(row: Transaction) -> list[ProviderEvent]:
    return list(ProviderEvent.objects.filter(payment__transaction=row))


def facts_of(row: Transaction) -> list[str]:
    return list(Fact.objects.filter(subject_id=row.pk).order_by("sequence").values_list("name", flat=True))
