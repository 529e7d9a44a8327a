"""Disputes know of each other, of refunds and of the payment: nobody pays twice, and nothing is given back that was not taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from common.books import Asked
from common.database import constraint_of
from common.errors import InvalidState
from common.models import Proposal
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation, Posting, Refund, Transaction
from payments.services.refunds import refund_request
from reconciliation.models import Break
from reconciliation.services.resolutions import DISPUTE, WRITE_OFF
from tests.factories import ProviderAccountFactory, captured_transaction, sale_of, settle
from tests.payments.verify.books import wrong
from tests.reconciliation.given import ACTOR, Listed, imported, listed, reconciled
from tests.reconciliation.test_resolutions import LATER, approved, proposed

pytestmark = pytest.mark.django_db

ASKED = Asked(now=LATER, unpublished_for=timedelta(days=9))


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccountFactory(provider="migs")


@pytest.fixture
def paid(account: ProviderAccount) -> Transaction:
    return captured_transaction(account)


def taken(sale: Operation, number: str, minor: int = 10_000) -> Listed:
    return listed(sale, provider_reference=number, type="CHARGEBACK", minor=-minor, fee=0, status="0")


def given_back(sale: Operation, number: str, minor: int = 10_000) -> Listed:
    return listed(sale, provider_reference=number, type="REPRESENTMENT", minor=minor, fee=0, status="0")


def found(account: ProviderAccount, *lines: Listed) -> list[Break]:
    """The breaks of these lines, in their order."""
    imported(account, lines)
    reconciled(account)
    return [Break.objects.get(line__provider_reference=line.provider_reference) for line in lines]


def owed() -> int:
    return -sum(Posting.objects.filter(account__kind="merchant_payable").values_list("amount_minor", flat=True))


def refund(paid: Transaction, minor: int) -> Refund:
    return refund_request(transaction_id=paid.pk, amount=Money(minor, "MYR"), reason="Back", actor=ACTOR, now=LATER)


def test_a_second_chargeback_of_a_payment_is_no_dispute(account: ProviderAccount, paid: Transaction) -> None:
    first, second = found(account, taken(sale_of(paid), "C1"), taken(sale_of(paid), "C2"))
    waiting = proposed(second, DISPUTE)
    approved(proposed(first, DISPUTE))

    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR of the payment is left"):
        approved(waiting)
    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR of the payment is left"):
        proposed(second, DISPUTE)

    assert (owed(), Proposal.objects.filter(state="OPEN").count()) == (0, 0)
    second.refresh_from_db()
    assert second.resolved_at is None
    approved(proposed(second, WRITE_OFF))
    assert (owed(), wrong(ASKED)) == (0, {})


def test_what_was_our_loss_is_not_given_to_the_merchant(account: ProviderAccount, paid: Transaction) -> None:
    lost, back = found(account, taken(sale_of(paid), "C1"), given_back(sale_of(paid), "R1"))
    approved(proposed(lost, WRITE_OFF))

    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR was charged back"):
        proposed(back, DISPUTE)
    approved(proposed(back, WRITE_OFF))

    assert (owed(), wrong(ASKED)) == (10_000, {})


def test_what_was_taken_is_given_back_once(account: ProviderAccount, paid: Transaction) -> None:
    sale = sale_of(paid)
    lost, back, again = found(
        account, taken(sale, "C1", 4_000), given_back(sale, "R1", 4_000), given_back(sale, "R2", 1)
    )

    for each in (lost, back):
        approved(proposed(each, DISPUTE))

    paid.refresh_from_db()
    assert (owed(), paid.amount_disputed_minor) == (10_000, 0)
    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR was charged back"):
        proposed(again, DISPUTE)
    assert wrong(ASKED) == {}


def test_what_is_charged_back_is_not_refunded_too(account: ProviderAccount, paid: Transaction) -> None:
    [lost] = found(account, taken(sale_of(paid), "C1", 7_000))
    approved(proposed(lost, DISPUTE))

    with pytest.raises(InvalidState, match=r"Only 30\.00 MYR is left to refund"):
        refund(paid, 3_001)

    assert not Refund.objects.exists()
    assert refund(paid, 3_000).amount_minor == 3_000
    assert wrong(ASKED) == {}


def test_what_is_refunded_is_not_charged_back_too(account: ProviderAccount, paid: Transaction) -> None:
    [lost] = found(account, taken(sale_of(paid), "C1"))
    waiting = proposed(lost, DISPUTE)
    back = refund(paid, 4_000)
    Operation.objects.filter(refund=back).update(state="SENT", sends=1, sent_at=LATER)
    settle(Operation.objects.get(refund=back), now=LATER)

    with pytest.raises(InvalidState, match=r"Only 60\.00 MYR of the payment is left"):
        approved(waiting)

    paid.refresh_from_db()
    assert (owed(), paid.amount_disputed_minor) == (6_000, 0)


def test_a_reversal_of_no_payment_of_ours_gives_back_what_was_booked_beside_it(account: ProviderAccount) -> None:
    sale = sale_of(captured_transaction(account))
    lost, back, again = found(
        account,
        *(
            Listed(
                account.account_key, number, "EPG404", minor=minor, type=type_, fee=0, status="0", at=listed(sale).at
            )
            for number, type_, minor in (
                ("C1", "CHARGEBACK", -500),
                ("R1", "REPRESENTMENT", 500),
                ("R2", "REPRESENTMENT", 500),
            )
        ),
    )
    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR was charged back"):
        proposed(back, DISPUTE)

    for each in (lost, back):
        approved(proposed(each, DISPUTE))

    with pytest.raises(InvalidState, match=r"Only 0\.00 MYR was charged back"):
        proposed(again, DISPUTE)
    assert owed() == 10_000


def test_the_database_holds_the_bounds_and_the_books_know_the_sum(account: ProviderAccount, paid: Transaction) -> None:
    for minor in (-1, 10_001):
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            Transaction.objects.filter(pk=paid.pk).update(amount_disputed_minor=minor)
        assert constraint_of(caught.value) == "transaction_refunded_and_disputed_within_captured"
    assert wrong(ASKED) == {}

    with connection.cursor() as cursor:
        cursor.execute("UPDATE transaction SET amount_disputed_minor = 1")

    assert set(wrong(ASKED)) == {"disputes_are_remembered"}
