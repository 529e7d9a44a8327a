"""Sixteen people refund 60 of a captured 100 at once: one of them gets it."""

from __future__ import annotations

import pytest

from common.changes import Actor
from common.errors import InvalidState
from common.money import Money
from payments.models import Operation, Refund, Transaction
from payments.services.refunds import refund_request
from tests.factories import NOW, ProviderAccountFactory, captured_transaction
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("repeat", range(20))
def test_refunds_at_once_never_exceed_what_was_captured(repeat):
    transaction = captured_transaction(ProviderAccountFactory())

    results = race(
        16,
        lambda n: refund_request(
            transaction_id=transaction.pk,
            amount=Money(6_000, "MYR"),
            reason="race",
            actor=Actor(f"operator:{n}"),
            now=NOW,
        ),
    )

    assert [type(r) for r in results if not isinstance(r, Refund)] == [InvalidState] * 15
    held = Transaction.objects.get(pk=transaction.pk)
    assert (held.amount_refund_pending_minor, held.version) == (6_000, 3)
    assert Operation.objects.filter(kind="REFUND").count() == Refund.objects.count() == 1
