"""A hint (the message of an account that is confirmed by asking) arrives while a look-up is under way: somebody asks once more."""

from __future__ import annotations

import threading
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.utils import timezone

from common.changes import Actor
from common.errors import InvalidState
from merchants.models import ProviderAccount
from merchants.selectors import forget_accounts
from payments.models import Operation, ProviderEvent, Transaction
from payments.providers.base import Outcome, ProviderResult
from payments.services import schedule
from payments.services.advance import Effect, payment_advance
from payments.services.cancellations import transaction_cancel
from payments.services.operations import operation_look_up
from tests.factories import PROVIDER, ProviderAccountFactory, new_transaction, sale_of
from tests.payments.callbacks.messages import call_back, fpx_ac, migs_result
from tests.providers.odd_server import Connection, odd_server, reply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("late", [False, True])  # after the payer's time as well: nobody would ask again by himself
def test_a_hint_during_a_look_up_is_looked_up_at_once(late: bool):
    asked, hinted = threading.Event(), threading.Event()

    def answer(peer: Connection) -> None:
        asked.set()
        hinted.wait(20)
        peer.hang_up()

    with odd_server(answer) as server:
        account: ProviderAccount = ProviderAccountFactory(base_url=f"{server.base_url}/fpx", confirm_events=True)
        begun = timezone.now() - timedelta(hours=2 if late else 0)
        operation = sale_of(new_transaction(account, now=begun).transaction)
        forget_accounts()
        effects: list[Effect | None] = []

        def look_up() -> None:
            try:
                effects.append(operation_look_up(operation_id=operation.pk, now=timezone.now()))
            finally:
                connection.close()

        thread = threading.Thread(target=look_up)
        thread.start()
        assert asked.wait(20)
        assert call_back(fpx_ac(account, operation)).status_code == 200
        hinted.set()
        thread.join(20)

    operation.refresh_from_db()
    assert effects == [Effect.WAITING]
    assert (operation.state, operation.look_ups) == ("PENDING", 1)
    assert operation.due_at is not None
    assert operation.due_at <= timezone.now()  # the next sweep asks
    assert ProviderEvent.objects.get().state == "ACTED"


def test_not_found_does_not_end_what_a_hint_has_reached():
    now = timezone.now()
    transaction = new_transaction(ProviderAccountFactory(confirm_events=True), now=now - timedelta(hours=2)).transaction
    operation = sale_of(transaction)
    claimed_until = schedule.lease_end(now)
    Operation.objects.filter(pk=operation.pk).update(due_at=now)  # the hint, after the claim
    said = ProviderResult(Outcome.NOT_FOUND)

    effect = payment_advance(
        operation_id=operation.pk, result=said, actor=PROVIDER, now=now, claimed_until=claimed_until
    )

    operation.refresh_from_db()
    assert (effect, Transaction.objects.get().status, operation.due_at) == (Effect.WAITING, "PENDING", now)
    Operation.objects.filter(pk=operation.pk).update(due_at=claimed_until)  # the next look-up, no hint since
    payment_advance(operation_id=operation.pk, result=said, actor=PROVIDER, now=now, claimed_until=claimed_until)
    assert Transaction.objects.get().status == "EXPIRED"


@pytest.mark.parametrize(
    "confirm", [True, False]
)  # a hint; or a message that says nothing of the outcome yet, which is only a hint too
def test_a_hint_between_the_answer_and_the_withdrawal_is_not_cancelled_away(confirm: bool):
    """The provider says that it does not know the payment; before we cancel it, its message that the payer has paid is here."""
    begun, hinted = threading.Event(), threading.Event()

    def answer(peer: Connection) -> None:
        begun.set()
        assert hinted.wait(20)
        unknown = migs_result(account, operation, vpc_TxnResponseCode="?", vpc_DRExists="N")
        peer.send(reply(urlencode(unknown).encode()))

    with odd_server(answer) as server:
        account: ProviderAccount = ProviderAccountFactory(
            provider="migs", base_url=f"{server.base_url}/migs", confirm_events=confirm
        )
        transaction = new_transaction(account, now=timezone.now()).transaction
        operation = sale_of(transaction)
        forget_accounts()
        refused: list[Exception] = []

        def cancel() -> None:
            try:
                transaction_cancel(transaction_id=transaction.pk, actor=Actor("merchant:race"), now=timezone.now())
            except InvalidState as exc:
                refused.append(exc)
            finally:
                connection.close()

        thread = threading.Thread(target=cancel)
        thread.start()
        assert begun.wait(20)
        code = "0" if confirm else "?"
        assert call_back(migs_result(account, operation, vpc_TxnResponseCode=code)).status_code == 200
        hinted.set()
        thread.join(20)

    operation.refresh_from_db()
    transaction.refresh_from_db()
    [exc] = refused
    assert str(exc) == "The provider has just sent word of this payment. Try again when the outcome is known."
    assert (transaction.status, operation.ended_at) == ("PENDING", None)
    assert operation.due_at is not None
    assert operation.due_at <= timezone.now()  # the next sweep asks
