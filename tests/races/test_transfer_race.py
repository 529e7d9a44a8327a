"""Many transfers at once: no overdraft, no deadlock, nothing settled twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from common.errors import InsufficientFunds
from payments.models import Account, Transaction
from payments.services.transfer_batch import transfer_batch_run
from tests.factories import NOW, MerchantFactory, new_account, new_transfer
from tests.payments.verify.books import wrong
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("method", ["rtp", "ach_credit"])
def test_an_account_is_drained_and_not_overdrawn(method: str) -> None:
    merchant = MerchantFactory()
    payer, payee = new_account(merchant, 10_000), new_account(merchant)

    results = race(32, lambda n: new_transfer(payer, payee, 700, method=method))

    made = [result for result in results if isinstance(result, Transaction)]
    assert [type(result) for result in results if result not in made] == [InsufficientFunds] * 18
    assert len(made) == Transaction.objects.count() == 14  # of 700 out of 10,000
    payer.refresh_from_db()
    assert (payer.available.minor, payer.version) == (200, 2 + 14)
    assert wrong() == {}


def test_transfers_in_both_directions_do_not_deadlock() -> None:
    merchant = MerchantFactory()
    one, other = new_account(merchant, 100_000), new_account(merchant, 100_000)

    def back_and_forth(number: int) -> int:
        sides = (one, other) if number % 2 else (other, one)
        for _ in range(10):
            new_transfer(*sides, number + 1)
        return number

    results = race(16, back_and_forth)

    assert results == list(range(16))
    assert Transaction.objects.filter(status="COMPLETED").count() == 160
    one.refresh_from_db()
    assert one.balance_minor == 100_000 + 10 * (sum(range(1, 17, 2)) - sum(range(2, 18, 2)))
    assert wrong() == {}


def test_a_reference_that_races_is_one_transfer() -> None:
    merchant = MerchantFactory()
    payer, payee = new_account(merchant, 10_000), new_account(merchant)

    results = race(16, lambda n: new_transfer(payer, payee, 9_000, external_reference="ONE").pk)

    assert len(set(results)) == Transaction.objects.count() == 1
    payer.refresh_from_db()
    assert payer.balance_minor == 1_000


def test_batches_at_once_settle_each_transfer_once_while_others_spend() -> None:
    merchant = MerchantFactory()
    payer, payee = new_account(merchant, 10_000), new_account(merchant)
    for number in range(20):
        new_transfer(payer, payee, 100, method=("ach_credit", "ach_debit")[number % 2])
    later = NOW + timedelta(minutes=1)

    def act(number: int) -> int:
        if number < 6:
            return sum(transfer_batch_run(now=later).values())
        return bool(new_transfer(payee, payer, 1, method="ach_credit", now=later + timedelta(1)) if number == 6 else 0)

    results = race(8, act)
    settled = sum(result for result in results[:6])

    assert [
        result for result in results if isinstance(result, Exception) and not isinstance(result, InsufficientFunds)
    ] == []
    assert settled == 20
    assert set(Transaction.objects.filter(from_account=payer).values_list("status", "version")) == {("COMPLETED", 2)}
    assert Account.objects.get(pk=payer.pk).balance_minor == 8_000
    assert wrong() == {}


def test_a_run_that_died_is_taken_up_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    merchant = MerchantFactory()
    payer, payee = new_account(merchant, 1_000), new_account(merchant)
    for _ in range(4):
        new_transfer(payer, payee, 100, method="ach_credit")
    later, left = NOW + timedelta(minutes=1), threading.Semaphore(2)

    def dies(name: str) -> None:
        if name == "transfer_batch.before_write" and not left.acquire(blocking=False):
            raise KeyboardInterrupt  # as a process that ends: nothing catches it

    monkeypatch.setattr("payments.services.transfer_batch.crashpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        transfer_batch_run(now=later)
    assert Transaction.objects.filter(status="COMPLETED").count() == 2
    assert wrong() == {}
    monkeypatch.undo()

    assert transfer_batch_run(now=later) == {"COMPLETED": 2}

    payer.refresh_from_db()
    assert (payer.balance_minor, payer.held_minor) == (600, 0)
    assert wrong() == {}
