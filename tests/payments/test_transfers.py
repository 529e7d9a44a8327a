"""A book transfer moves its money whole or not at all, and says so once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from common.changes import Actor
from common.errors import (
    DuplicatePayment,
    InsufficientFunds,
    InvalidAccountStatus,
    InvalidRequest,
    InvalidState,
    NotFound,
    UnsupportedCurrency,
)
from common.models import AuditRecord, Fact
from common.money import Money
from payments.models import Account, Payment, Posting, Refund, Transaction
from payments.services.accounts import account_deposit, account_move
from payments.services.refunds import refund_request
from payments.services.transfer_batch import transfer_batch_run
from payments.states import AccountStatus
from tests.factories import NOW, MerchantFactory, new_account, new_transfer
from tests.payments.verify.books import wrong
from tests.support.databases import what_was_asked_may_change

pytestmark = pytest.mark.django_db
OPERATOR = Actor("operator:aisha")
LATER = NOW + timedelta(minutes=1)


def balances(*accounts: Account) -> list[tuple[int, int]]:
    """Available and held of each."""
    for account in accounts:
        account.refresh_from_db()
    return [(account.available.minor, account.held_minor) for account in accounts]


def facts(subject: str) -> list[tuple[int, str]]:
    return list(Fact.objects.filter(subject_id=subject).order_by("sequence").values_list("sequence", "name"))


@pytest.fixture
def accounts() -> tuple[Account, Account]:
    """One with 1,000.00 USD and an empty one, of the same merchant."""
    merchant = MerchantFactory()
    return new_account(merchant, 100_000), new_account(merchant)


@pytest.mark.parametrize("method", ["rtp", "wire_domestic"])
def test_it_completes_at_once(accounts: tuple[Account, Account], method: str) -> None:
    payer, payee = accounts

    made = new_transfer(payer, payee, 40_050, method=method)

    assert (made.status, made.amount_captured_minor, made.version) == ("COMPLETED", 40_050, 2)
    assert balances(payer, payee) == [(59_950, 0), (40_050, 0)]
    assert facts(made.pk) == [(1, "transaction.created"), (2, "transfer.completed")]
    assert facts(payer.pk) == [(1, "account.opened"), (2, "account.deposited"), (3, "account.balance_changed")]
    assert facts(payee.pk) == [(1, "account.opened"), (2, "account.balance_changed")]
    told = Fact.objects.get(subject_id=payer.pk, sequence=3).payload
    assert told == {
        "accountId": payer.pk,
        "status": "ACTIVE",
        "availableBalance": "599.50",
        "pendingBalance": "0.00",
        "currencyCode": "USD",
        "transactionId": made.pk,
    }
    legs = Posting.objects.filter(entry__transaction=made).values_list("account_id", "amount_minor")
    assert set(legs) == {(payer.ledger_account_id, 40_050), (payee.ledger_account_id, -40_050)}
    assert not Payment.objects.exists()
    assert wrong() == {}


def test_a_credit_holds_its_money_until_the_batch(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts

    made = new_transfer(payer, payee, 70_000, method="ach_credit")
    held = balances(payer, payee)
    with pytest.raises(InsufficientFunds):
        new_transfer(payer, payee, 30_001)
    books_while_waiting = wrong()
    ended = transfer_batch_run(now=LATER)

    assert (made.status, made.amount_captured_minor) == ("PENDING", 0)
    assert held == [(30_000, 70_000), (0, 0)]
    assert ended == {"COMPLETED": 1}
    assert balances(payer, payee) == [(30_000, 0), (70_000, 0)]
    assert facts(made.pk) == [(1, "transaction.created"), (2, "transfer.completed")]
    assert len(facts(payer.pk)) == 4  # opened, deposited, held, taken
    assert (books_while_waiting, wrong()) == ({}, {})


def test_a_debit_collects_when_the_batch_runs(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts

    made = new_transfer(payer, payee, 100_000, method="ach_debit")
    waiting = balances(payer, payee)
    transfer_batch_run(now=LATER)

    made.refresh_from_db()
    assert waiting == [(100_000, 0), (0, 0)]
    assert (made.status, made.amount_captured_minor) == ("COMPLETED", 100_000)
    assert balances(payer, payee) == [(0, 0), (100_000, 0)]
    assert wrong() == {}


def test_a_debit_that_finds_no_money_fails(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts
    first = new_transfer(payer, payee, 60_000, method="ach_debit")
    second = new_transfer(payer, payee, 60_000, method="ach_debit", now=NOW + timedelta(seconds=1))

    ended = transfer_batch_run(now=LATER)

    first.refresh_from_db()
    second.refresh_from_db()
    assert ended == {"COMPLETED": 1, "FAILED": 1}
    assert [first.status, second.status] == ["COMPLETED", "FAILED"]
    assert (second.failure_code, second.amount_captured_minor) == ("INSUFFICIENT_FUNDS", 0)
    assert facts(second.pk) == [(1, "transaction.created"), (2, "transfer.failed")]
    assert balances(payer, payee) == [(40_000, 0), (60_000, 0)]
    assert wrong() == {}


def test_a_credit_to_an_account_that_was_frozen_meanwhile_gives_the_money_back(
    accounts: tuple[Account, Account],
) -> None:
    payer, payee = accounts
    made = new_transfer(payer, payee, 70_000, method="ach_credit")
    account_move(account_id=payee.pk, to=AccountStatus.FROZEN, actor=OPERATOR, reason="court order", now=NOW)

    transfer_batch_run(now=LATER)

    made.refresh_from_db()
    assert (made.status, made.failure_code) == ("FAILED", "INVALID_ACCOUNT_STATUS")
    assert balances(payer, payee) == [(100_000, 0), (0, 0)]
    assert wrong() == {}


def test_the_batch_is_over_when_it_ran(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts
    new_transfer(payer, payee, 1, method="ach_credit")
    new_transfer(payer, payee, 1, method="ach_credit", now=LATER + timedelta(seconds=1))

    runs = [dict(transfer_batch_run(now=LATER)) for _ in range(2)]

    assert runs == [{"COMPLETED": 1}, {}]  # what was asked for after the run began waits for the next
    assert balances(payer, payee) == [(99_998, 1), (1, 0)]


def test_one_transfer_that_cannot_be_settled_does_not_stop_the_others(
    accounts: tuple[Account, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, payee = accounts
    stuck = new_transfer(payer, payee, 5, method="ach_credit")
    with what_was_asked_may_change("transaction"):
        Transaction.objects.filter(pk=stuck.pk).update(method="no_such_type")
    other = new_transfer(payer, payee, 7, method="ach_credit", now=NOW + timedelta(seconds=1))

    assert transfer_batch_run(now=LATER) == {"COMPLETED": 1}

    other.refresh_from_db()
    stuck.refresh_from_db()
    assert (other.status, stuck.status) == ("COMPLETED", "PENDING")


@pytest.mark.parametrize(
    "minor, changes, error",
    [
        (100_001, {}, InsufficientFunds),
        (100_001, {"method": "ach_credit"}, InsufficientFunds),
        (1, {"to_account_id": "acc_nobody"}, NotFound),
        (1, {"from_account_id": "acc_nobody"}, NotFound),
        (1, {"to_account_id": "theirs"}, NotFound),
        (1, {"to_account_id": "ours_live"}, NotFound),
        (1, {"to_account_id": "euros"}, UnsupportedCurrency),
        (1, {"amount": Money(1, "EUR")}, UnsupportedCurrency),
        (1, {"to_account_id": "frozen"}, InvalidAccountStatus),
        (1, {"from_account_id": "frozen"}, InvalidAccountStatus),
        (1, {"to_account_id": "closed", "method": "ach_debit"}, InvalidAccountStatus),
        (1, {"to_account_id": "payer"}, InvalidRequest),
    ],
)
def test_a_refusal_leaves_nothing_behind(
    accounts: tuple[Account, Account], minor: int, changes: dict[str, object], error: type[Exception]
) -> None:
    payer, payee = accounts
    new_account(account_id="theirs")
    new_account(payer.merchant, account_id="ours_live", live=True)
    new_account(payer.merchant, account_id="euros", currency="EUR")
    for name, status in (("frozen", AccountStatus.FROZEN), ("closed", AccountStatus.CLOSED)):
        new_account(payer.merchant, account_id=name)
        account_move(account_id=name, to=status, actor=OPERATOR, reason="test", now=NOW)
    changes = {name: payer.pk if value == "payer" else value for name, value in changes.items()}
    before = Fact.objects.count(), AuditRecord.objects.count(), Posting.objects.count()

    with pytest.raises(error):
        new_transfer(payer, payee, minor, **changes)

    assert not Transaction.objects.exists()
    assert (Fact.objects.count(), AuditRecord.objects.count(), Posting.objects.count()) == before
    assert balances(payer, payee) == [(100_000, 0), (0, 0)]


def test_insufficient_funds_says_how_much_there_is(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts

    with pytest.raises(InsufficientFunds) as refused:
        new_transfer(payer, payee, 100_001)

    assert refused.value.details == {
        "accountId": payer.pk,
        "requestedAmount": Money(100_001, "USD"),
        "availableBalance": Money(100_000, "USD"),
    }


def test_a_repeated_reference_is_the_same_transfer_even_when_the_money_is_gone(
    accounts: tuple[Account, Account],
) -> None:
    payer, payee = accounts
    first = new_transfer(payer, payee, 60_000, external_reference="INV-1")

    again = new_transfer(payer, payee, 60_000, external_reference="INV-1")  # 400.00 is left: it would be refused
    with pytest.raises(DuplicatePayment):
        new_transfer(payer, payee, 60_001, external_reference="INV-1")
    with pytest.raises(DuplicatePayment):
        new_transfer(payer, payee, 1, external_reference="INV-1")

    assert again.pk == first.pk
    assert balances(payer, payee) == [(40_000, 0), (60_000, 0)]


def test_a_transfer_is_given_back_at_once_in_parts(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts
    made = new_transfer(payer, payee, 60_000)

    part = refund_request(transaction_id=made.pk, amount=Money(20_000, "USD"), reason="r", actor=OPERATOR, now=LATER)
    made.refresh_from_db()
    status = made.status
    refund_request(transaction_id=made.pk, amount=None, reason="rest", actor=OPERATOR, now=LATER)

    made.refresh_from_db()
    assert (part.state, part.payment_id, status, made.status) == ("SUCCEEDED", None, "PARTIALLY_REFUNDED", "REFUNDED")
    assert balances(payer, payee) == [(100_000, 0), (0, 0)]
    assert [name for _, name in facts(made.pk)][2:] == ["refund.created", "refund.completed"] * 2
    assert wrong() == {}


def test_what_was_spent_is_not_given_back(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts
    third = new_account(payer.merchant)
    made = new_transfer(payer, payee, 60_000)
    waiting = new_transfer(payer, payee, 1, method="ach_credit")
    new_transfer(payee, third, 50_000)

    for pk, minor, error in (
        (made.pk, 10_001, InsufficientFunds),
        (made.pk, 60_001, InvalidState),
        (waiting.pk, 1, InvalidState),
    ):
        with pytest.raises(error):
            refund_request(transaction_id=pk, amount=Money(minor, "USD"), reason="r", actor=OPERATOR, now=LATER)

    assert not Refund.objects.exists()
    assert balances(payer, payee, third) == [(39_999, 1), (10_000, 0), (50_000, 0)]
    assert wrong() == {}


def test_accounts_move_as_listed() -> None:
    account = new_account(minor=100)

    with pytest.raises(InvalidState):
        account_move(account_id=account.pk, to=AccountStatus.CLOSED, actor=OPERATOR, reason="r", now=NOW)
    account_move(account_id=account.pk, to=AccountStatus.FROZEN, actor=OPERATOR, reason="r", now=NOW)
    account_move(account_id=account.pk, to=AccountStatus.ACTIVE, actor=OPERATOR, reason="r", now=NOW)
    with pytest.raises(InvalidState):
        account_move(account_id=account.pk, to=AccountStatus.ACTIVE, actor=OPERATOR, reason="r", now=NOW)

    assert [name for _, name in facts(account.pk)][2:] == ["account.frozen", "account.unfrozen"]
    assert wrong() == {}


@pytest.mark.parametrize("amount", [Money(0, "USD"), Money(-1, "USD"), Money(1, "EUR")])
def test_what_cannot_be_paid_in_is_refused(amount: Money) -> None:
    account = new_account(minor=100)

    with pytest.raises(InvalidState):
        account_deposit(account_id=account.pk, amount=amount, actor=OPERATOR, reason="r", now=NOW)

    assert balances(account) == [(100, 0)]


@pytest.mark.parametrize(
    "change, rule",
    [
        ({"balance_minor": -1}, "account_never_overdrawn"),
        ({"held_minor": 101}, "account_never_overdrawn"),
        ({"held_minor": -1}, "account_never_overdrawn"),
        ({"status": "CLOSED"}, "account_closed_is_empty"),
    ],
)
def test_the_database_itself_keeps_an_account_from_being_overdrawn(change: dict[str, object], rule: str) -> None:
    account = new_account(minor=100)

    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(**change)


def test_the_database_refuses_half_a_transfer(accounts: tuple[Account, Account]) -> None:
    payer, payee = accounts
    made = new_transfer(payer, payee, 1)

    for change in ({"to_account": None}, {"from_account": None, "to_account": None}, {"to_account": payer}):
        with pytest.raises(IntegrityError, match="transaction_transfer"), transaction.atomic():
            Transaction.objects.filter(pk=made.pk).update(**change)
