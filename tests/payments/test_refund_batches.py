"""Batches of refunds: what is prepared is what is approved, each refund stands on its own, and nothing is refunded twice."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from openpyxl import Workbook

from common.approvals import approve
from common.changes import Actor
from common.database import constraint_of
from common.errors import CardDataNotAllowed, Forbidden, InvalidRequest, InvalidState
from common.models import AuditRecord, Fact, Proposal, ProposalState
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation, Refund, RefundBatch, RefundBatchItem, Transaction
from payments.services.refund_batch_run import refund_batch_run, refund_batches_run
from payments.services.refund_batches import (
    refund_batch_discard,
    refund_batch_prepare,
    refund_batch_propose,
    refundable,
    wanted_of,
)
from payments.services.refund_files import Wanted, read_refunds
from payments.services.refunds import refund_request
from tests.factories import (
    NOW,
    ProviderAccountFactory,
    captured_transaction,
    new_account,
    new_transaction,
    new_transfer,
)
from tests.payments.verify.books import wrong
from tests.support.race import race

pytestmark = pytest.mark.django_db
ACTOR = Actor("operator:maker")
LATER = NOW + timedelta(minutes=1)


def person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def maker() -> User:
    return person("maker", "propose_refundbatch")


def checker(name: str = "checker") -> User:
    return person(name, "approve_refundbatch")


def prepared(account: ProviderAccount, *wanted: Wanted, title: str = "returns.csv") -> RefundBatch:
    return refund_batch_prepare(
        merchant_id=account.merchant_id,
        live=account.live,
        title=title,
        wanted=wanted,
        reason="Recall",
        actor=ACTOR,
        now=NOW,
    )


def proposed(batch: RefundBatch, by: User | None = None) -> Proposal:
    return refund_batch_propose(batch_id=batch.pk, by=by or maker(), reason="Recall", actor=ACTOR, now=NOW)


def yes(proposal: Proposal, by: User | None = None) -> Proposal:
    return approve(proposal_id=proposal.pk, by=by or checker(), reason="", actor=Actor("operator:c"), now=LATER)


def approved(account: ProviderAccount, *wanted: Wanted) -> RefundBatch:
    batch = prepared(account, *wanted)
    yes(proposed(batch))
    batch.refresh_from_db()
    return batch


def outcomes(batch: RefundBatch) -> list[tuple[int, str, int | None]]:
    return list(batch.items.order_by("number").values_list("number", "state", "amount_minor"))


def test_each_row_is_resolved_or_refused_with_the_reason() -> None:
    account, stranger = ProviderAccountFactory(), ProviderAccountFactory()
    whole, part = captured_transaction(account), captured_transaction(account, external_reference="INV-7")
    unpaid, foreign = new_transaction(account).transaction, captured_transaction(stranger)

    batch = prepared(
        account,
        Wanted(2, whole.pk),
        Wanted(3, "INV-7", "30.00", "Damaged"),
        Wanted(4, whole.pk, "1.00"),
        Wanted(5, unpaid.pk),
        Wanted(6, foreign.pk),
        Wanted(7, part.pk, "1,5"),
        Wanted(8, part.pk, "100.01"),
    )

    assert outcomes(batch) == [
        (2, "WAITING", 10_000),
        (3, "WAITING", 3_000),
        (4, "REFUSED", 100),
        (5, "REFUSED", 0),
        (6, "REFUSED", None),
        (7, "REFUSED", None),
        (8, "REFUSED", 10_001),
    ]
    assert list(batch.items.filter(state="REFUSED").order_by("number").values_list("why", flat=True)) == [
        "Row 2 refunds this transaction already.",
        "A transaction that is PENDING cannot be refunded.",
        "The merchant has no such transaction in this mode.",
        "“1,5” is not an amount in MYR.",
        "Only 100.00 MYR is left to refund.",
    ]
    assert list(batch.items.values_list("reason", flat=True))[:2] == ["Recall", "Damaged"]
    assert (batch.item_count, batch.refused_count, Refund.objects.count()) == (7, 5, 0)


def test_a_second_person_approves_and_each_refund_is_asked_for() -> None:
    account = ProviderAccountFactory()
    transactions = [captured_transaction(account) for _ in range(3)]
    batch = prepared(account, *(Wanted(n + 2, t.pk) for n, t in enumerate(transactions)))
    proposal = proposed(batch)
    assert proposal.summary == f"Refund 3 payments of {account.merchant.code}, together 300.00 MYR (test): returns.csv"
    assert refund_batch_run(batch_id=batch.pk, now=LATER) == 0  # not approved yet
    yes(proposal)

    assert refund_batches_run(now=LATER) == 3
    assert refund_batches_run(now=LATER) == 0

    batch.refresh_from_db()
    assert (batch.state, batch.version, batch.ended_at) == ("DONE", 3, LATER)
    refunds = Refund.objects.order_by("refund_batch_item__number")
    assert [(r.transaction_id, r.amount_minor, r.requested_by) for r in refunds] == [
        (t.pk, 10_000, "operator:maker") for t in transactions
    ]
    facts = Fact.objects.filter(subject_id=batch.pk).order_by("sequence").values_list("name", flat=True)
    assert list(facts) == ["refund_batch.prepared", "refund_batch.approved", "refund_batch.done"]
    assert wrong() == {}


def test_one_that_fails_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    account = ProviderAccountFactory()
    gone, broken, fine = (captured_transaction(account) for _ in range(3))
    batch = approved(account, Wanted(2, gone.pk), Wanted(3, broken.pk), Wanted(4, fine.pk))
    refund_request(transaction_id=gone.pk, amount=None, reason="x", actor=ACTOR, now=NOW)

    def troubled(**asked: Any) -> Refund:
        if asked["transaction_id"] == broken.pk:
            raise RuntimeError("trouble")
        return refund_request(**asked)

    monkeypatch.setattr("payments.services.refund_batch_run.refund_request", troubled)
    for _ in range(5):
        refund_batch_run(batch_id=batch.pk, now=LATER)

    batch.refresh_from_db()
    assert [state for _, state, _ in outcomes(batch)] == ["FAILED", "FAILED", "REQUESTED"]
    assert batch.items.get(number=2).why == "Only 0.00 MYR is left to refund."
    assert batch.state == "DONE"
    assert Refund.objects.filter(transaction__in=[broken, fine]).get().transaction_id == fine.pk


def test_transfers_are_given_back_too() -> None:
    account = ProviderAccountFactory()
    payer, payee = new_account(account.merchant, 10_000), new_account(account.merchant)
    transfer = new_transfer(payer, payee, 4_000)

    refund_batch_run(batch_id=approved(account, Wanted(2, transfer.pk)).pk, now=LATER)

    assert Refund.objects.get().state == "SUCCEEDED"
    assert wrong() == {}


def test_a_change_of_what_is_left_voids_the_proposal() -> None:
    account = ProviderAccountFactory()
    first, second = captured_transaction(account), captured_transaction(account)
    batch = prepared(account, Wanted(2, first.pk, "10.00"), Wanted(3, second.pk))
    proposal = proposed(batch)
    refund_request(transaction_id=first.pk, amount=Money(1, "MYR"), reason="x", actor=ACTOR, now=NOW)

    with pytest.raises(InvalidState, match="void"):
        yes(proposal)

    batch.refresh_from_db()
    proposal.refresh_from_db()
    assert (batch.state, proposal.state, Refund.objects.count()) == ("PREPARED", ProposalState.VOID, 1)
    assert proposed(batch, User.objects.get(username="maker")).state == ProposalState.OPEN


def test_nobody_approves_their_own_nor_without_the_permission() -> None:
    account = ProviderAccountFactory()
    batch = prepared(account, Wanted(2, captured_transaction(account).pk))
    both = person("both", "propose_refundbatch", "approve_refundbatch")
    proposal, lost = proposed(batch, both), checker("lost")
    lost.user_permissions.clear()

    for who in (both, User.objects.get(pk=lost.pk)):
        with pytest.raises(Forbidden):
            yes(proposal, who)

    batch.refresh_from_db()
    assert (batch.state, Refund.objects.count()) == ("PREPARED", 0)
    with pytest.raises(Forbidden):
        proposed(prepared(account, Wanted(2, captured_transaction(account).pk)), lost)


def refused_sql(sql: str, *parameters: object) -> str:
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return constraint_of(caught.value)


def test_the_database_refuses_what_the_service_would_not_do() -> None:
    account = ProviderAccountFactory()
    paid, foreign = captured_transaction(account), captured_transaction(ProviderAccountFactory())
    done = approved(account, Wanted(2, paid.pk, "1.00"))
    refund_batch_run(batch_id=done.pk, now=LATER)
    done.refresh_from_db()
    batch = prepared(account, Wanted(2, paid.pk, "2.00"))
    item = batch.items.get()
    approve_it = "UPDATE refund_batch SET state = 'APPROVED', due_at = now(), proposal_id = %s WHERE id = %s"
    other = captured_transaction(account)
    refund = refund_request(transaction_id=paid.pk, amount=Money(3, "MYR"), reason="x", actor=ACTOR, now=NOW)
    add = (
        "INSERT INTO refund_batch_item (batch_id, number, given, transaction_id, currency, amount_minor, reason, state, why, tries)"
        " VALUES (%s, 9, 'x', %s, 'MYR', 1, 'x', 'WAITING', '', 0)"
    )

    assert refused_sql(approve_it, None, batch.pk) == "refund_batch_needs_approval"
    assert refused_sql(approve_it, done.proposal_id, batch.pk) == "refund_batch_proposal_id_key"
    assert refused_sql(add, done.pk, other.pk) == "refund_batch_item_of_an_open_batch"
    assert refused_sql(add, batch.pk, foreign.pk) == "refund_batch_item_of_its_merchant"
    assert refused_sql("UPDATE refund_batch_item SET amount_minor = 5") == "refund_batch_item_fixed_columns"
    requested = "UPDATE refund_batch_item SET state = 'REQUESTED', refund_id = %s WHERE id = %s"
    assert refused_sql(requested, refund.pk, item.pk) == "refund_batch_item_of_an_open_batch"
    yes(proposed(batch, User.objects.get(username="maker")), User.objects.get(username="checker"))
    assert refused_sql(requested, refund.pk, item.pk) == "refund_batch_item_has_its_refund"
    assert refused_sql("UPDATE refund_batch SET state = 'PREPARED'") == "refund_batch_listed_moves"


def test_the_same_refunds_are_not_taken_twice_unless_discarded() -> None:
    account = ProviderAccountFactory()
    first, second = captured_transaction(account), captured_transaction(account)
    batch = prepared(account, Wanted(2, first.pk, "1.00"), Wanted(3, second.pk, "1.00"))

    with pytest.raises(
        InvalidState, match=rf"very same refunds are in the batch .*{batch.pk}.* propose or discard that one"
    ):
        prepared(account, Wanted(5, second.pk, "1.00"), Wanted(9, first.pk, "1"), title="again.xlsx")
    assert RefundBatch.objects.count() == 1

    proposal = proposed(batch)
    refund_batch_discard(batch_id=batch.pk, actor=ACTOR, reason="wrong file", now=LATER)
    with pytest.raises(InvalidState, match="void"):
        yes(proposal)
    again = prepared(account, Wanted(2, first.pk, "1.00"), Wanted(3, second.pk, "1.00"))
    assert again.state == "PREPARED"
    yes(proposed(again, User.objects.get(username="maker")), User.objects.get(username="checker"))
    with pytest.raises(InvalidState, match=rf"{again.pk}.*which two people have approved"):
        prepared(account, Wanted(2, first.pk, "1.00"), Wanted(3, second.pk, "1.00"))


def test_a_batch_in_which_all_is_refused_cannot_be_proposed() -> None:
    batch = prepared(ProviderAccountFactory(), Wanted(2, "nothing"))

    with pytest.raises(InvalidState, match="nothing to approve"):
        proposed(batch)
    assert Proposal.objects.count() == 0


def test_a_filter_takes_what_is_left_of_each() -> None:
    account = ProviderAccountFactory()
    whole, part, gone, _other_mode = (
        captured_transaction(account),
        captured_transaction(account),
        captured_transaction(account),
        captured_transaction(ProviderAccountFactory(merchant=account.merchant, live=True)),
    )
    refund_request(transaction_id=part.pk, amount=Money(4_000, "MYR"), reason="x", actor=ACTOR, now=NOW)
    refund_request(transaction_id=gone.pk, amount=None, reason="x", actor=ACTOR, now=NOW)

    wanted = wanted_of(refundable(account.merchant_id, live=False, method="fpx"))

    assert wanted == [Wanted(1, whole.pk), Wanted(2, part.pk)]
    assert outcomes(prepared(account, *wanted)) == [(1, "WAITING", 10_000), (2, "WAITING", 6_000)]


def sheet(rows: Sequence[Sequence[object]]) -> bytes:
    book, content = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(list(row))
    book.save(content)
    return content.getvalue()


def test_csv_and_xlsx_read_the_same() -> None:
    rows = [["Reason", "Transaction", "Amount"], ["Damaged", "INV-1", "10.50"], [], ["", "txn_1", ""]]
    text = "\ufeff" + "\r\n".join(",".join(row) for row in rows) + "\r\n"

    expected = [Wanted(2, "INV-1", "10.50", "Damaged"), Wanted(4, "txn_1")]
    assert read_refunds("a.csv", text.encode()) == expected
    assert (
        read_refunds("A.XLSX", sheet([*rows[:1], ["Damaged", "INV-1", "10.50"], [None], ["", "txn_1", None]]))
        == expected
    )
    assert read_refunds("n.xlsx", sheet([["transaction", "amount"], ["a", 10.5], [77, 12]])) == [
        Wanted(2, "a", "10.5"),
        Wanted(3, "77", "12"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"transaction\nx\n"),
        ("a.csv", b""),
        ("a.csv", b"transaction\n"),
        ("a.csv", b"transaction,iban\nx,y\n"),
        ("a.csv", b"amount\n1\n"),
        ("a.csv", b"transaction,transaction\nx,y\n"),
        ("a.csv", b"transaction\nx,1.00\n"),
        ("a.csv", "transaction\nké\n".encode("latin-1")),
        ("a.csv", b'transaction\n"x\n'),
        ("a.csv", b"transaction\n" + b"x\n" * 10_001),
        ("a.csv", b"transaction\n" + b"x" * 5_000_000),
        ("a.xlsx", b"PK\x03\x04 not a workbook"),
        ("a.xlsx", sheet([["transaction", "amount"], ["x", True]])),
    ],
)
def test_a_file_that_is_not_exactly_that_is_refused_whole(name: str, content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_refunds(name, content)


def test_a_card_number_is_refused() -> None:
    with pytest.raises(CardDataNotAllowed):
        read_refunds("a.csv", b"transaction,reason\nx,4111 1111 1111 1111\n")


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_refund_each_once() -> None:
    account = ProviderAccountFactory()
    transactions = [captured_transaction(account) for _ in range(20)]
    batch = approved(account, *(Wanted(n + 2, t.pk, "60.00") for n, t in enumerate(transactions)))

    asked = race(8, lambda n: refund_batch_run(batch_id=batch.pk, now=LATER))

    assert sum(asked) == Refund.objects.count() == Operation.objects.filter(kind="REFUND").count() == 20
    refund_batches_run(now=LATER + timedelta(minutes=2))
    batch.refresh_from_db()
    assert batch.state == "DONE"
    assert set(Transaction.objects.values_list("amount_refund_pending_minor", flat=True)) == {6_000}
    assert RefundBatchItem.objects.exclude(refund=None).count() == 20


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_are_one() -> None:
    account = ProviderAccountFactory()
    proposal = proposed(prepared(account, Wanted(2, captured_transaction(account).pk)))
    checkers = [checker(f"checker{number}") for number in range(8)]

    results = race(8, lambda n: yes(proposal, checkers[n]))

    assert [type(result) for result in results].count(InvalidState) == 7
    assert AuditRecord.objects.filter(action="refund_batch.approved").count() == 1
