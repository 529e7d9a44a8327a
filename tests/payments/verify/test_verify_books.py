"""The books of a business-like day are right; every violation that is planted is found by the checks that should find it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from common.approvals import approve
from common.books import Asked, all_checks, verify
from common.changes import Actor
from common.ids import new_id
from common.models import Fact
from common.money import Money
from merchants.models import ProviderAccount
from notifications.models import WebhookEndpoint
from payments.ledger.fees import Tier
from payments.models import Account, Operation, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.captures import capture_request, void_request
from payments.services.pages import page_end
from payments.services.refund_batch_run import refund_batch_run
from payments.services.refund_batches import refund_batch_prepare, refund_batch_propose
from payments.services.refund_files import Wanted
from payments.services.refunds import refund_request
from payments.services.transfer_batch import transfer_batch_run
from payments.states import Decision, TransactionStatus
from reconciliation.services.fee_claims import fee_claim_create
from tests.factories import (
    NOW,
    ProviderAccountFactory,
    attempt,
    captured_transaction,
    new_account,
    new_hosted,
    new_transaction,
    new_transfer,
    sale_of,
    settle,
)
from tests.factories.agreed import plan_agreed
from tests.payments.deciding import decided
from tests.payments.verify.books import SOON, proven_elsewhere, wrong
from tests.reconciliation.given import DAY, imported, listed, reconciled
from tests.support.once import given_once

pytestmark = pytest.mark.django_db
ACTOR = Actor("merchant:test")


@dataclass(frozen=True)
class Day:
    """The rows of the day that the violations are planted in."""

    banks: ProviderAccount
    paid: Transaction
    refunded: Transaction
    declined: Transaction
    retried: Transaction
    conflicted: Transaction
    savings: Account
    transfer: Transaction


@pytest.fixture(scope="module")
def _day(django_db_setup: None, django_db_blocker: Any) -> Iterator[Day]:
    with given_once(django_db_blocker, business_day) as made:
        yield made


@pytest.fixture
def day(_day: Day, db: None) -> Day:
    return deepcopy(_day)


def business_day() -> Day:
    """Every way a payment can go, in two currencies and both modes."""
    fees = {"fee_basis_points": 150, "fee_fixed_minor": 20}
    banks, live = ProviderAccountFactory(**fees), ProviderAccountFactory(live=True)
    cards = ProviderAccountFactory(provider="migs", account_key="CARDS", mode="authorise", **fees)
    paid, refunded, conflicted = (
        captured_transaction(banks),
        captured_transaction(banks),
        new_transaction(banks).transaction,
    )
    dear = captured_transaction(live)
    batch_of(live, dear)
    imported(live, [listed(sale_of(dear), fee=80)])
    reconciled(live)
    fee_claim_create(provider="fpx", live=True, currency="MYR", first=DAY, last=DAY, reason="r", actor=ACTOR, now=NOW)
    refund(refunded, 2_500, Outcome.SUCCEEDED)
    refund(refunded, 7_500, Outcome.SUCCEEDED)
    partly = captured_transaction(banks, amount=Money(33_333, "MYR"))
    refund(partly, 1, Outcome.SUCCEEDED)
    refund(partly, 2, Outcome.DECLINED)
    refund(partly, 3, Outcome.SUCCEEDED, amount=Money(4, "MYR"))
    refund(partly, 5, Outcome.UNKNOWN)
    declined, pending, expired = (new_transaction(banks).transaction for _ in range(3))
    settle(sale_of(declined), Outcome.DECLINED)
    settle(sale_of(pending), Outcome.PENDING)
    settle(sale_of(conflicted), amount=Money(11_000, "MYR"))
    settle(sale_of(expired), Outcome.NOT_FOUND, now=NOW + timedelta(hours=1))
    settle(sale_of(expired), now=NOW + timedelta(hours=2))
    plan_agreed(
        merchant_id=cards.merchant_id,
        live=False,
        method="migs",
        currency="USD",
        tiers=[Tier(0, 150, 20)],
        minimum_minor=30,
    )
    held = [new_transaction(cards, amount=Money(5_000, "USD"), manual_capture=True).transaction for _ in range(6)]
    for transaction in held:
        settle(sale_of(transaction))
    capture_request(transaction_id=held[0].pk, amount=Money(4_000, "USD"), actor=ACTOR, now=NOW)
    follow_up(held[0], Outcome.SUCCEEDED)
    capture_request(transaction_id=held[1].pk, amount=None, actor=ACTOR, now=NOW)
    follow_up(held[1], Outcome.SUCCEEDED, amount=Money(5_001, "USD"))
    void_request(transaction_id=held[2].pk, actor=ACTOR, now=NOW)
    follow_up(held[2], Outcome.SUCCEEDED)
    for transaction in held[4:]:
        capture_request(transaction_id=transaction.pk, amount=Money(999, "USD"), final=False, actor=ACTOR, now=NOW)
        follow_up(transaction, Outcome.SUCCEEDED)
    void_request(transaction_id=held[5].pk, actor=ACTOR, now=NOW)
    follow_up(held[5], Outcome.SUCCEEDED)
    for decision, minor in ((Decision.ACCEPT, 9_000), (Decision.WRITE_OFF, 12_000)):
        questioned = new_transaction(banks).transaction
        settle(sale_of(questioned), amount=Money(minor, "MYR"))
        decided(ReviewItem.objects.get(payment__transaction=questioned), decision)
    imported(banks, [listed(sale_of(paid), provider_reference="F1")])
    reconciled(banks)
    paid.refresh_from_db()
    savings, transfer = transfers(banks)
    return Day(banks, paid, refunded, declined, pages(banks), conflicted, savings, transfer)


def pages(banks: ProviderAccount) -> Transaction:
    """Every way a payer's own choice can go: one that was declined twice and then paid is returned."""
    retried, declined, left, cancelled = (new_hosted(banks) for _ in range(4))
    for outcome in (Outcome.DECLINED, Outcome.DECLINED, Outcome.SUCCEEDED):
        settle(attempt(retried), outcome)
    late = attempt(declined)
    settle(late, Outcome.PENDING)
    settle(late, Outcome.DECLINED)
    settle(late)
    page_end(transaction_id=declined.pk, status=TransactionStatus.EXPIRED, actor=ACTOR, now=NOW)
    settle(attempt(left), Outcome.DECLINED)
    page_end(transaction_id=left.pk, status=TransactionStatus.EXPIRED, actor=ACTOR, now=NOW)
    page_end(transaction_id=cancelled.pk, status=TransactionStatus.CANCELLED, actor=ACTOR, now=NOW)
    return retried


def transfers(banks: ProviderAccount) -> tuple[Account, Transaction]:
    """Every way a transfer can go: the account that one waits on with its money held, and one that was completed."""
    current, savings = new_account(banks.merchant, 100_000), new_account(banks.merchant, 50_000)
    done, given_back = new_transfer(current, savings, 20_000), new_transfer(current, savings, 10_000)
    refund_request(transaction_id=given_back.pk, amount=Money(4_000, "USD"), reason="r", actor=ACTOR, now=NOW)
    new_transfer(current, savings, 30_000, method="ach_credit")
    new_transfer(current, savings, 900_000, method="ach_debit")
    transfer_batch_run(now=NOW)
    new_transfer(savings, current, 1_000, method="ach_credit")
    return savings, done


def batch_of(account: ProviderAccount, transaction: Transaction) -> None:
    """A batch of refunds with one row, approved and asked for."""
    makes, approves = (User.objects.create_superuser(name) for name in ("makes", "approves"))
    batch = refund_batch_prepare(
        merchant_id=account.merchant_id,
        live=account.live,
        title="returns.csv",
        wanted=[Wanted(2, transaction.pk, "1.00")],
        reason="Recall",
        actor=ACTOR,
        now=NOW,
    )
    proposal = refund_batch_propose(batch_id=batch.pk, by=makes, reason="Recall", actor=ACTOR, now=NOW)
    approve(proposal_id=proposal.pk, by=approves, reason="", actor=ACTOR, now=NOW)
    refund_batch_run(batch_id=batch.pk, now=NOW)


def refund(transaction: Transaction, minor: int, outcome: Outcome, **said: object) -> None:
    refund_request(
        transaction_id=transaction.pk, amount=Money(minor, transaction.currency), reason="r", actor=ACTOR, now=NOW
    )
    follow_up(transaction, outcome, **said)


def follow_up(transaction: Transaction, outcome: Outcome, **said: object) -> None:
    """Let the provider answer the operation that was queued last."""
    operation = Operation.objects.get(payment__transaction=transaction, state="QUEUED")
    Operation.objects.filter(pk=operation.pk).update(state="SENT", sent_at=NOW)
    settle(operation, outcome, **said)


def test_a_business_like_day_is_right(day: Day) -> None:
    assert wrong() == {}

    examined = {check.name: found.examined for check, found in verify(SOON) if not proven_elsewhere(check)}
    assert [name for name, count in examined.items() if count == 0] == ["published_facts_have_their_deliveries"]
    assert examined["journal_entries_balance"] == 30


@contextmanager
def rules_lifted(*tables: str) -> Iterator[None]:
    """As the tables' owner: no triggers of ours, until the violation is planted."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        yield
        for table in tables:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def plant(*statements: str, drop: tuple[str, str] | None = None) -> Callable[[Day], None]:
    """SQL that spoils the books; `{paid}` and the other names of Day stand for ids. `drop`: (table, constraint) in its way."""

    def spoil(day: Day) -> None:
        ids = {
            name: getattr(day, name).pk
            for name in ("banks", "paid", "refunded", "declined", "retried", "conflicted", "savings", "transfer")
        }
        tables = (
            "transaction", "payment", "operation", "refund", "journal_entry", "posting", "audit_record", "statement_line",
            "reconciliation_match", "account", "fee_charge", "refund_batch", "refund_batch_item", "proposal", "review_item",
            "fee_claim_line", "remittance", "transfer_run_item", "provider_account",
        )  # fmt: skip
        with rules_lifted(*tables), connection.cursor() as cursor:
            if drop:
                cursor.execute(f"ALTER TABLE {drop[0]} DROP CONSTRAINT {drop[1]}")
            for statement in statements:
                cursor.execute(statement.format(**ids))
                assert cursor.rowcount > 0

    return spoil


SALE = "SELECT o.id FROM operation o JOIN payment p ON p.id = o.payment_id WHERE p.transaction_id = '{paid}'"
ENTRY = "SELECT id FROM journal_entry WHERE transaction_id = '{paid}'"
LAST = "(SELECT max({0}) FROM {1} WHERE subject_id = '{{paid}}')"
NESTED = ("transaction", "transaction_refunded_within_captured_within_authorized")

# Name of the check -> how to break its rule, and which other checks must see the same thing.
VIOLATIONS: dict[str, tuple[Callable[[Day], None], set[str]]] = {
    "fees_are_their_parts": (
        plant(f"UPDATE fee_charge SET fixed_minor = fixed_minor + 1 WHERE entry_id IN ({ENTRY})"),
        set(),
    ),
    "fees_follow_their_plan": (
        plant(
            "UPDATE fee_charge SET percentage_minor = percentage_minor + 1, limit_minor = limit_minor - 1"
            " WHERE plan_id IS NOT NULL"
        ),
        set(),
    ),
    "journal_entries_balance": (
        plant(f"UPDATE posting SET amount_minor = amount_minor + 1 WHERE amount_minor = -170 AND entry_id IN ({ENTRY})"),
        {"the_ledger_sums_to_zero", "fees_are_their_parts"},
    ),
    "the_ledger_sums_to_zero": (
        plant("UPDATE ledger_account SET live = true WHERE code = 'fee_income:house:test:MYR'"),
        set(),
    ),
    "postings_are_in_their_account_s_currency": (
        plant("UPDATE ledger_account SET currency = 'USD' WHERE code = 'fee_income:house:test:MYR'"),
        set(),
    ),
    "entries_have_their_fact": (
        plant(f"UPDATE journal_entry SET fact_name = 'payment.voided' WHERE id IN ({ENTRY})"),
        set(),
    ),
    "facts_are_booked": (
        plant(
            f"UPDATE posting SET amount_minor = amount_minor + sign(amount_minor) WHERE abs(amount_minor) = 10000 AND entry_id IN ({ENTRY})"
        ),
        {"merchants_are_owed_what_was_captured", "fees_are_their_parts"},
    ),
    "merchants_are_owed_what_was_captured": (
        plant("UPDATE payment SET fee_minor = fee_minor + 1 WHERE transaction_id = '{paid}'"),
        set(),
    ),
    "suspense_is_what_is_under_review": (
        plant(
            "UPDATE review_item SET suspense_minor = suspense_minor - 1 WHERE payment_id = (SELECT id FROM payment WHERE transaction_id = '{conflicted}')"
        ),
        set(),
    ),
    "amounts_are_nested": (
        plant("UPDATE transaction SET amount_authorized_minor = amount_minor + 1 WHERE id = '{paid}'", drop=NESTED),
        set(),
    ),
    "captured_is_what_operations_took": (
        plant("UPDATE transaction SET amount_minor = 20000, amount_authorized_minor = 20000, amount_captured_minor = 20000 WHERE id = '{paid}'"),
        {"merchants_are_owed_what_was_captured"},
    ),
    "refunded_is_what_refunds_gave_back": (
        plant("UPDATE transaction SET amount_refunded_minor = 9999 WHERE id = '{refunded}'"),
        {"merchants_are_owed_what_was_captured", "status_agrees_with_the_payment"},
    ),
    "reserved_is_what_open_refunds_ask_for": (
        plant("UPDATE transaction SET amount_refund_pending_minor = 1 WHERE id = '{paid}'"),
        set(),
    ),
    "status_agrees_with_the_payment": (
        plant("UPDATE payment SET state = 'CANCELLED' WHERE transaction_id = '{declined}'"),
        {"payments_agree_with_their_operations"},
    ),
    "payments_agree_with_their_operations": (
        plant(
            "UPDATE operation SET state = 'EXPIRED' WHERE payment_id = (SELECT id FROM payment WHERE transaction_id = '{declined}')"
        ),
        set(),
    ),
    "refunds_agree_with_their_operations": (
        plant("UPDATE operation SET state = 'DECLINED' WHERE refund_id = (SELECT id FROM refund WHERE amount_minor = 7500)"),
        set(),
    ),
    "only_hosted_transactions_are_tried_again": (
        plant("UPDATE payment SET attempt = 4 WHERE transaction_id = '{retried}' AND attempt = 3"),
        set(),
    ),
    "hosted_transactions_end": (
        plant("UPDATE transaction SET status = 'PENDING', expires_at = '2026-03-02 03:00Z' WHERE hosted AND status = 'CANCELLED'"),
        {"the_recorded_status_is_the_present_one"},
    ),
    "payments_stay_within_their_merchant": (
        plant("UPDATE provider_account SET live = true WHERE account_key = 'CARDS'"),
        set(),
    ),
    "questions_are_closed_by_two": (
        plant("UPDATE review_item SET decision = 'STANDS' WHERE decision = 'WRITE_OFF'"),
        {"questions_are_booked_as_they_say"},
    ),
    "open_operations_are_due": (
        plant("UPDATE operation SET due_at = NULL WHERE state = 'PENDING'", drop=("operation", "operation_open_is_due")),
        set(),
    ),
    "ended_operations_are_not_due": (
        plant(f"UPDATE operation SET due_at = now() WHERE id IN ({SALE})"),
        set(),
    ),
    "every_version_has_its_fact": (
        plant("DELETE FROM fact WHERE subject_id = '{declined}' AND sequence = 1"),
        set(),
    ),
    "every_version_has_its_audit_record": (
        plant("DELETE FROM audit_record WHERE subject_id = '{declined}' AND version = 1"),
        set(),
    ),
    "facts_and_audit_records_tell_the_same": (
        plant("UPDATE audit_record SET action = 'payment.expired' WHERE subject_id = '{declined}' AND version = 2"),
        set(),
    ),
    "only_listed_moves_were_made": (
        plant(
            """UPDATE audit_record SET changes = jsonb_set(changes, '{{status,0}}', '"REFUNDED"')
               WHERE subject_id = '{declined}' AND version = 2"""
        ),
        set(),
    ),
    "the_recorded_status_is_the_present_one": (
        plant("UPDATE transaction SET status = 'EXPIRED' WHERE id = '{declined}'"),
        {"status_agrees_with_the_payment"},
    ),
    "facts_are_published": (
        plant("UPDATE fact SET created_at = created_at - interval '16 minutes' WHERE subject_id = '{declined}' AND sequence = 1"),
        set(),
    ),
    "runs_tell_how_transfers_ended": (
        plant(
            "UPDATE transfer_run_item SET status = 'FAILED', failure_code = 'INSUFFICIENT_FUNDS' WHERE status = 'COMPLETED'"
        ),
        set(),
    ),
    "accounts_say_what_the_ledger_says": (
        plant("UPDATE account SET balance_minor = balance_minor + 1 WHERE id = '{savings}'"),
        set(),
    ),
    "accounts_are_not_overdrawn": (
        plant(
            "UPDATE account SET balance_minor = held_minor - 1 WHERE id = '{savings}'",
            drop=("account", "account_never_overdrawn"),
        ),
        {"accounts_say_what_the_ledger_says"},
    ),
    "accounts_hold_what_waits": (
        plant("UPDATE transaction SET amount_minor = 1001 WHERE from_account_id = '{savings}' AND status = 'PENDING'"),
        set(),
    ),
    "transfers_stay_within_their_merchant": (
        plant("UPDATE account SET live = true WHERE id = '{savings}'"),
        set(),
    ),
    "transfers_agree_with_their_amounts": (
        plant(
            "UPDATE transaction SET amount_minor = 20001, amount_authorized_minor = 20001 WHERE id = '{transfer}'"
        ),
        set(),
    ),
    "refund_batches_were_approved": (
        plant("UPDATE proposal SET subject_id = 'rfb_other' WHERE kind = 'refund_batch.approve'"),
        set(),
    ),
    "refund_batch_items_have_their_refund": (
        plant("UPDATE refund_batch_item SET amount_minor = 101"),
        set(),
    ),
    "fee_claims_are_their_lines": (
        plant("UPDATE fee_claim_line SET charged_minor = charged_minor + 1"),
        set(),
    ),
    "history_is_protected": (lambda day: switch_off("posting", "posting_append_only"), set()),
    "published_facts_have_their_deliveries": (lambda day: unheard(day), set()),
    "statements_have_their_lines": (
        plant("UPDATE statement SET new_line_count = 2, line_count = 2"),
        set(),
    ),
    "matches_agree": (
        plant("UPDATE statement_line SET amount_minor = 9999, net_minor = 9949 WHERE fee_minor = 50"),
        {"remittances_are_the_sums_of_their_lines"},
    ),
    "control_totals_agree": (
        plant("UPDATE statement SET net_total = net_total + 1"),
        set(),
    ),
    "remittances_are_the_sums_of_their_lines": (
        plant("UPDATE remittance SET gross_minor = gross_minor + 1, net_minor = net_minor + 1"),
        set(),
    ),
    "remittances_have_their_fees_booked": (
        plant("UPDATE ledger_account SET kind = 'bank_charges' WHERE kind = 'provider_fees'"),
        set(),
    ),
}  # fmt: skip


def switch_off(table: str, trigger: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")


def unheard(day: Day) -> None:
    """An endpoint that listens, and a published fact that it never got."""
    WebhookEndpoint.objects.create(
        id=new_id("whe"),
        merchant=day.banks.merchant,
        live=False,
        url="https://shop.example/hook",
        event_types=["transaction.failed"],
        created_at=NOW - timedelta(days=1),
        updated_at=NOW - timedelta(days=1),
    )
    Fact.objects.filter(merchant_id=day.banks.merchant_id).update(published_at=NOW)


def test_every_check_has_a_violation_that_proves_it() -> None:
    assert {check.name for check in all_checks() if not proven_elsewhere(check)} == set(VIOLATIONS)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_violation_is_found(day: Day, name: str) -> None:
    spoil, others = VIOLATIONS[name]

    spoil(day)

    assert set(wrong()) == {name} | others


def test_the_command_names_the_first_violation_and_exits_with_1(day: Day) -> None:
    out = io.StringIO()
    Fact.objects.update(published_at=NOW)
    call_command("verify_books", stdout=out)
    assert out.getvalue().endswith(f"The books are right: {len(all_checks())} checks.\n")

    plant("UPDATE transaction SET status = 'EXPIRED' WHERE id = '{declined}'")(day)

    with pytest.raises(CommandError) as error:
        call_command("verify_books", stdout=out)
    assert error.value.returncode == 1
    assert str(error.value) == (
        "The books are wrong. the_recorded_status_is_the_present_one: "
        f"transaction {day.declined.pk} is EXPIRED, the last audit record made it FAILED"
    )
    assert f"also status_agrees_with_the_payment: transaction {day.declined.pk} is EXPIRED" in out.getvalue()


def test_the_time_a_fact_may_wait_is_the_caller_s(day: Day) -> None:
    assert set(wrong(Asked(now=NOW + timedelta(hours=3)))) == {"facts_are_published"}
    assert wrong(Asked(now=NOW + timedelta(hours=3), unpublished_for=timedelta(hours=4))) == {}
