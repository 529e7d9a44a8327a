"""A small generated month (bench/) to the last cent: imported, compared, closed, settled and paid out night by night; and it is made as the services make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from bench.added_up import added_up
from bench.books import NOON, book_day, open_shops, plan_month
from bench.settled_month import live_through, verified
from common.models import AuditRecord, Fact
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import FeeCharge, JournalEntry, Operation, Payment, Refund, Transaction
from payments.providers.base import Outcome
from payments.services.refunds import refund_request
from reconciliation.models import DayClose, Payout, ReserveRelease, Settlement
from tests.factories import PROVIDER, new_transaction, sale_of, settle
from tests.payments.verify.test_verify_books import rules_lifted

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 8


def test_a_month_adds_up_to_the_cent_and_a_cent_that_is_moved_is_named(tmp_path: Path) -> None:
    live_through(
        2_000, DAYS, 8, tmp_path / "files", tell=lambda line: None, analyze=False
    )  # raises if a break or a cent is not as planned

    assert verified(DAYS, {})[0] == []
    assert set(Settlement.objects.values_list("state", flat=True)) == {
        "CREATED",
        "CARRIED",
        "PAYOUT_PENDING",
        "PAID",
        "RETURNED",
    }
    assert set(Payout.objects.values_list("state", flat=True)) == {"SENT", "PAID", "RETURNED"}
    assert set(Settlement.objects.values_list("terms__cycle", flat=True)) == {None, "DAILY", "WEEKLY"}
    assert Settlement.objects.filter(net_minor__lt=0).exists()
    assert Settlement.objects.filter(carried_over_minor__lt=0, net_minor__gt=0).exists()
    assert ReserveRelease.objects.exists()
    assert DayClose.objects.filter(state="CLOSED").count() == 2 * DAYS + DAYS + 5
    parts = {what: minor for what, minor, ledger in added_up() if minor == ledger}
    assert len(parts) == 8
    assert all(parts.values()), parts

    with rules_lifted("posting"), connection.cursor() as cursor:
        cursor.execute(
            """UPDATE posting SET amount_minor = amount_minor + CASE WHEN amount_minor < 0 THEN -1 ELSE 1 END
               WHERE entry_id = (SELECT min(entry_id) FROM fee_charge)
                   AND (account_id LIKE 'fee_income:%' OR account_id LIKE 'merchant_payable:%' AND amount_minor > 0)"""
        )
        assert cursor.rowcount == 2

    named = {sentence.split(":")[0] for sentence in verified(DAYS, {})[0]}
    assert named == {
        "fees_are_their_parts",
        "merchants_are_owed_what_was_captured",
        "settlement_lines_are_what_was_booked",
        "what_is_owed_is_not_settled_yet",
        "stages_add_up_to_the_ledger",
    }
    assert {what: ledger - minor for what, minor, ledger in added_up() if minor != ledger} == {
        "MYR, our fees": 1,
        "MYR, owed: carried over and not settled yet": -1,
    }


def story(transaction: Transaction) -> Any:
    """All that a transaction left behind, without ids, references, times and actors."""
    payment = Payment.objects.get(transaction=transaction)
    refund = Refund.objects.filter(transaction=transaction).first()
    ids = {transaction.pk: "TXN", payment.payment_trans_id: "REFERENCE"} | ({refund.pk: "REFUND"} if refund else {})

    def plain(value: Any) -> Any:
        text = json.dumps(value, sort_keys=True)
        for found, name in ids.items():
            text = text.replace(f'"{found}"', f'"{name}"')
        return json.loads(text)

    amounts = [
        getattr(transaction, f"amount_{name}minor")
        for name in ("", "authorized_", "captured_", "refunded_", "refund_pending_")
    ]
    entries = JournalEntry.objects.filter(transaction=transaction).order_by("booked_at", "fact_name")
    return {
        "transaction": (transaction.status, transaction.version, transaction.method, transaction.currency, amounts),
        "payment": (
            payment.state,
            payment.attempt,
            payment.method,
            payment.fee_minor,
            payment.provider_account_id,
            payment.paid_at is None,
        ),
        "operations": sorted(
            Operation.objects.filter(payment=payment).values_list(
                "kind", "state", "amount_minor", "final", "refund__state", "refund__amount_minor"
            )
        ),
        "facts": [
            (fact.name, fact.sequence, fact.merchant_id, plain(fact.payload))
            for fact in Fact.objects.filter(subject_id=transaction.pk).order_by("sequence")
        ],
        "audit": [
            (record.action, record.version, record.merchant_id, record.reason, plain(record.changes))
            for record in AuditRecord.objects.filter(subject_id=transaction.pk).order_by("version")
        ],
        "entries": [
            (entry.fact_name, list(entry.postings.order_by("pk").values_list("account_id", "currency", "amount_minor")))
            for entry in entries
        ],
        "fees": list(
            FeeCharge.objects.filter(entry__in=entries).values_list(
                "plan", "amount_minor", "percentage_minor", "fixed_minor", "limit_minor"
            )
        ),
    }


def test_the_generated_books_are_what_the_services_write() -> None:
    open_shops(5)
    plan_month(500, 1, 5)
    book_day(0)

    seen = set()
    for generated in Transaction.objects.filter(
        id__in=[f"txn_{k}" for k in (25, 26, 28, 60, 64, 84, 1, 2, 13, 14, 24, 36, 160, 164, 170, 184, 443, 260)]
    ):
        payment = Payment.objects.get(transaction=generated)
        real = made_like(generated, ProviderAccount.objects.get(pk=payment.provider_account_id))
        assert story(real) == story(generated), generated.pk
        seen.add(
            (
                generated.status,
                bool(payment.fee_minor),
                FeeCharge.objects.filter(entry__transaction=generated, plan__isnull=False).exists(),
            )
        )

    assert {status for status, _, _ in seen} == {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "PROCESSING"}
    assert {(fee, plan) for _, fee, plan in seen} == {(True, True), (True, False), (False, False)}


def made_like(generated: Transaction, account: ProviderAccount) -> Transaction:
    """The same through the services."""
    created = new_transaction(account, now=NOON, amount=generated.amount)
    pending = generated.status == "PROCESSING"
    settle(
        sale_of(created.transaction),
        Outcome.PENDING if pending else Outcome.SUCCEEDED,
        now=NOON,
        provider_reference="P",
    )
    if generated.amount_refunded_minor:
        refund = refund_request(
            transaction_id=created.transaction.pk,
            amount=Money(generated.amount_refunded_minor, generated.currency),
            reason="returned",
            actor=PROVIDER,
            now=NOON,
        )
        operation = Operation.objects.get(refund=refund)
        Operation.objects.filter(pk=operation.pk).update(state="SENT", sent_at=NOON)
        settle(operation, now=NOON)
    return Transaction.objects.get(pk=created.transaction.pk)
