"""Several workers and sweeps on the same operations: each is sent once, whoever comes first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.utils import timezone

from common.changes import Actor
from common.money import Money
from demo.onboarding import open_migs
from merchants.models import ProviderAccount
from payments.models import JournalEntry, Operation, ProviderEvent, Refund, Transaction
from payments.models.provider_event import EventState
from payments.providers.base import Kind
from payments.services.operations import operation_look_up, operation_run
from payments.services.recovery import sweep
from payments.services.refunds import refund_request
from tests.factories import MerchantFactory, ProviderAccountFactory, captured_transaction, new_transaction, sale_of
from tests.support.race import race
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = Actor("operator:race")
NOBODY = "http://127.0.0.1:1"  # where callbacks and the payer's browser come to nothing: only we ask


@pytest.fixture
def account(sandbox: SandboxProcess) -> ProviderAccount:
    """A card account at the real sandbox."""
    return open_migs(MerchantFactory(), sandbox_url=sandbox.url, base_url=NOBODY, mode="purchase")


def refund(transaction: Transaction, minor: int) -> Operation:
    row = refund_request(
        transaction_id=transaction.pk, amount=Money(minor, "MYR"), reason="race", actor=ACTOR, now=timezone.now()
    )
    return Operation.objects.get(refund=row)


def sent(sandbox: SandboxProcess) -> int:
    """How many commands the card gateway has received."""
    return Path(sandbox.data_dir / "log").read_text().count("POST /vpcdps")


@pytest.mark.parametrize("repeat", range(3))
def test_two_workers_and_a_sweep_refund_once(sandbox: SandboxProcess, account: ProviderAccount, repeat: int):
    created = new_transaction(account, now=timezone.now())
    payer = {"nextAction": created.payment.next_action, "decision": "approve"}
    requests.post(f"{sandbox.url}/_payer", json=payer, timeout=30).raise_for_status()
    operation_look_up(operation_id=sale_of(created.transaction).pk, now=timezone.now())
    operation = refund(created.transaction, 2_500)
    before = sent(sandbox)

    def act(number: int) -> None:
        if number < 2:
            operation_run(operation_id=operation.pk, now=timezone.now())
        else:
            sweep(clock=timezone.now)

    results = race(3, act)

    assert [result for result in results if isinstance(result, Exception)] == []
    operation.refresh_from_db()
    created.transaction.refresh_from_db()
    assert (operation.state, operation.sends, operation.look_ups) == ("SUCCEEDED", 1, 0)
    assert sent(sandbox) == before + 1
    assert (created.transaction.status, created.transaction.amount_refunded_minor) == ("PARTIALLY_REFUNDED", 2_500)
    assert JournalEntry.objects.filter(fact_name="refund.completed").count() == 1
    entries = requests.get(f"{sandbox.url}/_books/migs", params={"reference": operation.reference}, timeout=10).json()
    assert [(entry["kind"], entry["amount"]) for entry in entries["entries"]] == [("refund", "25.00")]


def test_sweeps_at_once_share_the_work(sandbox: SandboxProcess, account: ProviderAccount):
    transaction = captured_transaction(
        account
    )  # the gateway knows nothing of it, so it answers each refund with an error
    for _ in range(12):
        refund(transaction, 100)
    before = sent(sandbox)

    looked_at = race(4, lambda _: sweep(clock=timezone.now, limit=5))
    looked_at += [sweep(clock=timezone.now)]

    assert sum(looked_at) == 12
    assert sent(sandbox) == before + 12
    # An error is no refusal: what became of them is believed from the gateway's books only.
    assert set(Operation.objects.filter(kind=Kind.REFUND).values_list("state", "sends")) == {("UNKNOWN", 1)}
    transaction.refresh_from_db()
    assert transaction.amount_refund_pending_minor == 1_200
    assert sweep(clock=lambda: timezone.now() + timedelta(minutes=1)) == 12
    assert set(Operation.objects.filter(kind=Kind.REFUND).values_list("state", "sends")) == {("DECLINED", 1)}
    transaction.refresh_from_db()
    assert (transaction.amount_refund_pending_minor, transaction.amount_refunded_minor) == (0, 0)
    assert Refund.objects.filter(state="FAILED").count() == 12


def test_a_stored_message_that_cannot_be_read_does_not_stop_the_sweep():
    accounts = [ProviderAccountFactory(provider="migs") for _ in range(2)]
    now = timezone.now()
    for number, account in enumerate(accounts):
        ProviderEvent.objects.create(
            id=f"pev_{number}",
            provider="migs",
            provider_account=account,
            state=EventState.RECEIVED,
            event_key=f"key-{number}",
            method="POST",
            body=b"vpc_Merchant=forged",
            due_at=now - timedelta(seconds=2 - number),
            received_at=now,
        )

    assert sweep(clock=lambda: now) == 2

    # Both were tried, and both come back; neither raised.
    assert list(ProviderEvent.objects.filter(due_at__gt=now).values_list("state", flat=True)) == ["RECEIVED"] * 2
