"""What always raises is tried ever more rarely, reaches a person after six times, blocks nothing, and closes its question by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from common.errors import InvalidState
from payments.models import Operation, ProviderEvent, ReviewItem
from payments.models.provider_event import EventState
from payments.services.recovery import sweep
from payments.states import Decision
from tests.factories import ProviderAccountFactory, new_transaction, sale_of, settle
from tests.payments.deciding import decided
from tests.payments.verify.books import wrong

pytestmark = pytest.mark.django_db(transaction=True)


def stuck_operation() -> Operation:
    """Its account's credentials cannot be opened: asking raises each time."""
    account = ProviderAccountFactory()
    operation = sale_of(new_transaction(account, now=timezone.now()).transaction)
    account.credentials_sealed = "not sealed by us"
    account.save()
    return operation


def sweeps(row: Operation | ProviderEvent, times: int) -> list[datetime]:
    """Sweep whenever the row is due; returns the times at which it was."""
    at = []
    for _ in range(times):
        row.refresh_from_db()
        assert row.due_at is not None
        at.append(row.due_at)
        due = row.due_at
        sweep(clock=lambda due=due: due)
    row.refresh_from_db()
    return at


def test_an_operation_that_cannot_be_asked_reaches_a_person_and_is_not_forgotten():
    operation = stuck_operation()

    sweeps(operation, 5)
    assert not ReviewItem.objects.exists()
    at = sweeps(operation, 3)

    item = ReviewItem.objects.get()
    assert (item.kind, item.operation_id, operation.failures) == ("STUCK", operation.pk, 8)
    assert item.summary == "Asking the provider has failed 6 times: CannotOpen."
    assert [later - earlier for earlier, later in pairwise(at)] == [
        timedelta(minutes=32),
        timedelta(hours=1),
    ]
    assert operation.due_at == at[-1] + timedelta(hours=1)


def test_others_are_looked_at_all_the_same():
    operation = stuck_operation()
    other = sale_of(new_transaction(ProviderAccountFactory(), now=timezone.now()).transaction)

    sweep(clock=lambda: timezone.now() + timedelta(minutes=1))

    operation.refresh_from_db()
    other.refresh_from_db()
    assert (operation.failures, other.look_ups, other.failures) == (1, 1, 0)


def test_its_question_closes_when_the_outcome_is_known():
    operation = stuck_operation()
    sweeps(operation, 6)

    settle(operation, now=timezone.now())

    item = ReviewItem.objects.get()
    assert (item.state, item.decision, item.proposal_id) == ("CLOSED", "ANSWERED", None)
    assert wrong() == {}


def test_one_that_works_again_starts_counting_anew():
    operation = stuck_operation()
    sweeps(operation, 5)
    account = operation.payment.provider_account
    account.seal_credentials(ProviderAccountFactory().open_credentials())
    account.save()

    sweeps(operation, 1)

    assert (operation.failures, ReviewItem.objects.count()) == (1, 0)


def unreadable(*, reference: str = "") -> ProviderEvent:
    now = timezone.now()
    return ProviderEvent.objects.create(
        id="pev_1",
        provider="migs",
        provider_account=ProviderAccountFactory(provider="migs"),
        state=EventState.RECEIVED,
        event_key="key-1",
        reference=reference,
        method="POST",
        body=b"vpc_Merchant=forged",
        due_at=now,
        received_at=now,
    )


def test_a_message_that_cannot_be_read_reaches_a_person_and_can_be_put_aside():
    event = unreadable()
    sweeps(event, 6)

    item = ReviewItem.objects.get()
    assert (item.kind, item.event_id, item.operation_id) == ("STUCK", event.pk, None)
    assert item.summary.startswith("Reading this message has failed 6 times: ")
    with pytest.raises(InvalidState):
        decided(item, Decision.ACCEPT)
    decided(item, Decision.GIVE_UP)

    event.refresh_from_db()
    assert (event.state, event.due_at) == ("IGNORED", None)
