"""The merchant cancels while the payer pays: CANCELLED without a capture, or COMPLETED; never both, and no money is lost."""

from __future__ import annotations

import pytest
from django.utils import timezone

from common.books import Asked, verify
from common.changes import Actor
from common.errors import InvalidState
from common.models import Fact
from demo.onboarding import open_migs
from payments.models import JournalEntry, ReviewItem, Transaction
from payments.services.cancellations import transaction_cancel
from tests.factories import MerchantFactory, new_transaction, sale_of, settle
from tests.support.race import race
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("repeat", range(8))
def test_cancel_and_callback_at_once_have_one_outcome(sandbox: SandboxProcess, repeat: int) -> None:
    account = open_migs(MerchantFactory(), sandbox_url=sandbox.url, base_url="http://127.0.0.1:1", mode="purchase")
    transaction = new_transaction(account, now=timezone.now()).transaction
    operation = sale_of(transaction)

    def act(number: int) -> object:
        if number % 4 == 0:
            return settle(operation, now=timezone.now())
        return transaction_cancel(transaction_id=transaction.pk, actor=Actor("merchant:race"), now=timezone.now())

    results = race(12, act)

    transaction.refresh_from_db()
    cancelled = [result for result in results if isinstance(result, Transaction)]
    facts = list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("name", flat=True))
    assert all(isinstance(result, InvalidState) for result in results if isinstance(result, Exception))
    assert JournalEntry.objects.count() == 1  # the money came once, and is in the books
    assert [found.violations for _, found in verify(Asked(now=timezone.now())) if found.violations] == []
    if transaction.status == "COMPLETED":
        assert (cancelled, transaction.amount_captured_minor) == ([], 10_000)
        assert facts == ["transaction.created", "payment.captured"]
        assert not ReviewItem.objects.exists()
    else:
        assert (transaction.status, transaction.amount_captured_minor, len(cancelled)) == ("CANCELLED", 0, 1)
        assert facts == ["transaction.created", "payment.cancelled", "payment.late_success"]
        assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
