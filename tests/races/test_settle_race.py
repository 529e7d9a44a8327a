"""Settling the same merchant at the same time, while payments are captured: each entry is settled once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments.models import Posting
from payments.models.ledger import AccountKind
from reconciliation.models import Settlement, SettlementLine
from reconciliation.services.settle import books, settle_book
from tests.factories import NOW, captured_transaction
from tests.payments.verify.books import wrong
from tests.reconciliation.test_settle import ACTOR, AFTER, DAY, LATER_ASKED, agreed, priced
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_at_once_settle_once() -> None:
    account = priced()
    agreed(account.merchant, reserve_basis_points=500, reserve_days=1)
    for _ in range(5):
        captured_transaction(account)
    [book] = books()

    def act(number: int) -> object:
        if number % 4 == 3:  # somebody pays meanwhile
            return captured_transaction(account, now=NOW + timedelta(minutes=number))
        return settle_book(book, day=DAY + timedelta(days=number % 3), actor=ACTOR, now=AFTER + timedelta(days=3))

    results = race(16, act)

    assert not [each for each in results if isinstance(each, Exception)]
    settle_book(book, day=DAY + timedelta(days=4), actor=ACTOR, now=AFTER + timedelta(days=5))
    entries = Posting.objects.filter(account__kind=AccountKind.MERCHANT_PAYABLE, entry__fact_name="payment.captured")
    assert SettlementLine.objects.count() == entries.values("entry").distinct().count() == 9
    assert len(set(Settlement.objects.values_list("day", flat=True))) == Settlement.objects.count()
    assert wrong(LATER_ASKED) == {}
