"""A callback, look-ups and the end of the payer's time at once: whoever comes first, the money is booked once and where it belongs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.models import AuditRecord, Fact
from payments.models import JournalEntry, Posting, ReviewItem
from payments.providers.base import Outcome
from payments.services.operations import operation_look_up
from tests.factories import NOW, ProviderAccountFactory, new_transaction, sale_of, settle
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)

TOO_LATE = NOW + timedelta(hours=2)


@pytest.mark.parametrize("repeat", range(10))
def test_callback_look_up_and_expiry_at_once_book_the_money_once(repeat: int):
    transaction = new_transaction(ProviderAccountFactory()).transaction  # at a closed port: its look-ups learn nothing
    operation = sale_of(transaction)

    def act(number: int) -> object:
        if number % 3 == 0:
            return settle(operation, Outcome.SUCCEEDED, now=TOO_LATE)  # the callback
        if number % 3 == 1:
            return operation_look_up(operation_id=operation.pk, now=TOO_LATE)
        return settle(operation, Outcome.NOT_FOUND, now=TOO_LATE)  # the last look-up, after the payer's time

    results = race(18, act)

    assert [result for result in results if isinstance(result, Exception)] == []
    transaction.refresh_from_db()
    facts = list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("name", "sequence"))
    audit = AuditRecord.objects.filter(subject_id=transaction.pk).order_by("version").values_list("action", "version")
    assert list(audit) == facts
    assert JournalEntry.objects.count() == 1
    booked = {code.split(":")[0]: amount for code, amount in Posting.objects.values_list("account_id", "amount_minor")}
    if transaction.status == "COMPLETED":
        assert facts == [("transaction.created", 1), ("payment.captured", 2)]
        assert booked == {"provider_receivable": 10_000, "merchant_payable": -10_000}
        assert not ReviewItem.objects.exists()
    else:
        assert transaction.status == "EXPIRED"
        assert facts == [("transaction.created", 1), ("payment.expired", 2), ("payment.late_success", 3)]
        assert booked == {"provider_receivable": 10_000, "suspense": -10_000}
        assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
