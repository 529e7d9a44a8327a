"""Raw SQL along a listed move does not commit without an audit record, and a booked entry gets no further legs."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from common.changes import Actor
from common.models import AuditRecord
from common.money import Money
from payments.models import Account, JournalEntry, Posting, Transaction
from payments.services.refunds import refund_request
from tests.factories import (
    NOW,
    ProviderAccountFactory,
    captured_transaction,
    new_account,
    new_transaction,
    sale_of,
    settle,
)
from tests.payments.verify.books import wrong

pytestmark = pytest.mark.django_db(transaction=True)


def run(*statements: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'PROCESSING'",
        "status = 'PROCESSING', version = version + 1",
        "version = version + 1",
        "amount_authorized_minor = 1, version = version + 1",
        "amount_authorized_minor = 1",
    ],
)
def test_a_transaction_changes_only_with_the_record_of_its_next_version(change):
    asked = new_transaction(ProviderAccountFactory()).transaction

    with pytest.raises(IntegrityError, match="has no audit record of its own"):
        run(f"UPDATE transaction SET {change}")

    asked.refresh_from_db()
    assert (asked.status, asked.version, asked.amount_authorized_minor) == ("PENDING", 1, 0)


def test_the_record_has_to_name_the_same_move():
    asked = new_transaction(ProviderAccountFactory()).transaction

    with pytest.raises(IntegrityError, match="has no audit record of its own"), transaction.atomic():
        AuditRecord.objects.create(
            at=NOW, actor="x", action="x", subject_type="transaction", subject_id=asked.pk, version=2,
            changes={"status": ["PENDING", "FAILED"]},
        )  # fmt: skip
        run("UPDATE transaction SET status = 'PROCESSING', version = 2")

    assert Transaction.objects.get().status == "PENDING"
    assert wrong() == {}


def test_a_payment_and_a_refund_move_only_with_their_transaction():
    paid = captured_transaction(ProviderAccountFactory())
    refund_request(transaction_id=paid.pk, amount=Money(1, "MYR"), reason="r", actor=Actor("x"), now=NOW)
    new_transaction(ProviderAccountFactory())

    for statement in (
        "UPDATE payment SET state = 'PROCESSING' WHERE state = 'CREATED'",
        "UPDATE refund SET state = 'SUCCEEDED'",
    ):
        with pytest.raises(IntegrityError, match="has no audit record of its own"):
            run(statement)

    assert wrong() == {}


def test_an_old_record_of_the_same_move_does_not_serve_again():
    """AUTHORIZED, then a declined capture, leave records behind; a move of now needs one of now."""
    account = ProviderAccountFactory(provider="migs", mode="authorise")
    asked = new_transaction(account, manual_capture=True).transaction
    settle(sale_of(asked))
    AuditRecord.objects.create(
        at=NOW, actor="x", action="x", subject_type="transaction", subject_id=asked.pk,
        changes={"payment_state": ["AUTHORIZED", "CAPTURED"]},
    )  # fmt: skip

    with pytest.raises(IntegrityError, match="has no audit record of its own"):
        run("UPDATE payment SET state = 'CAPTURED'")


def test_an_account_is_not_changed_past_its_history():
    new_account(minor=100)

    for change in ("balance_minor = 99", "status = 'FROZEN'", "status = 'FROZEN', version = version + 1"):
        with pytest.raises(IntegrityError, match="has no audit record of its own"):
            run(f"UPDATE account SET {change}")

    account = Account.objects.get()
    assert (account.status, account.balance_minor) == ("ACTIVE", 100)


def test_no_pair_of_legs_is_added_to_a_booked_entry():
    captured_transaction(ProviderAccountFactory())
    posting = Posting.objects.first()
    assert posting is not None

    for savepoint in (False, True):
        with pytest.raises(IntegrityError, match="is booked: nothing is added"), transaction.atomic():
            if savepoint:
                run("SELECT pg_current_xact_id()")
            with transaction.atomic():
                for minor in (5, -5):
                    Posting.objects.create(
                        entry=posting.entry, account=posting.account, currency="MYR", amount_minor=minor
                    )
    assert Posting.objects.count() == 2


def test_an_entry_and_its_legs_may_be_written_in_savepoints_of_one_transaction():
    captured_transaction(ProviderAccountFactory())
    posting = Posting.objects.first()
    assert posting is not None

    with transaction.atomic():
        with transaction.atomic():
            entry = JournalEntry.objects.create(id="jrn_x", fact_id="evt_x", fact_name="test", booked_at=NOW)
        for minor in (5, -5):
            with transaction.atomic():
                Posting.objects.create(entry=entry, account=posting.account, currency="MYR", amount_minor=minor)

    assert Posting.objects.count() == 4
