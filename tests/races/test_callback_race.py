"""32 copies and contradictions of one result arrive at once: one capture, one journal entry, every arrival counted."""

from __future__ import annotations

import pytest
from django.utils import timezone

from common.models import AuditRecord, Fact
from payments.models import JournalEntry, ProviderEvent, ReviewItem, Transaction
from tests.factories import ProviderAccountFactory, new_transaction, sale_of
from tests.payments.callbacks.messages import call_back, fpx_ac
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


def versions(transaction: Transaction) -> list[tuple[str, int]]:
    facts = list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("name", "sequence"))
    audits = AuditRecord.objects.filter(subject_id=transaction.pk).order_by("version").values_list("action", "version")
    assert list(audits) == facts
    return facts


@pytest.mark.parametrize("repeat", range(5))
def test_32_copies_of_a_success_capture_once(repeat):
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    fields = fpx_ac(account, operation)

    statuses = race(32, lambda n: call_back(fields).status_code)

    transaction, event = Transaction.objects.get(), ProviderEvent.objects.get()
    assert statuses == [200] * 32
    assert (transaction.status, transaction.amount_captured_minor) == ("COMPLETED", 10_000)
    assert versions(transaction) == [("transaction.created", 1), ("payment.captured", 2)]
    assert JournalEntry.objects.count() == 1
    assert event.arrivals == 32
    assert event.state == "ACTED"


@pytest.mark.parametrize("repeat", range(5))
def test_pending_and_success_in_any_order_capture_once(repeat):
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    messages = [fpx_ac(account, operation, fpx_debitAuthCode=code) for code in ("09", "00")]

    statuses = race(32, lambda n: call_back(messages[n % 2]).status_code)

    transaction = Transaction.objects.get()
    assert statuses == [200] * 32
    assert transaction.status == "COMPLETED"
    assert versions(transaction)[-1][0] == "payment.captured"
    assert [version for _, version in versions(transaction)] == list(range(1, transaction.version + 1))
    assert JournalEntry.objects.count() == 1
    assert sorted(ProviderEvent.objects.values_list("arrivals", flat=True)) == [16, 16]


@pytest.mark.parametrize("repeat", range(5))
def test_success_and_failure_at_once_keep_the_first_and_lose_no_money(repeat):
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    messages = [fpx_ac(account, operation, fpx_debitAuthCode=code) for code in ("00", "51")]

    statuses = race(32, lambda n: call_back(messages[n % 2]).status_code)

    transaction = Transaction.objects.get()
    assert statuses == [200] * 32
    assert JournalEntry.objects.count() == 1  # the money is in the books either way
    if transaction.status == "COMPLETED":
        assert versions(transaction) == [("transaction.created", 1), ("payment.captured", 2)]
        assert ReviewItem.objects.get().kind == "CONTRADICTION"  # the other one is a question, once
    else:
        assert versions(transaction) == [
            ("transaction.created", 1),
            ("payment.declined", 2),
            ("payment.late_success", 3),
        ]
        assert ReviewItem.objects.get().kind == "LATE_SUCCESS"
