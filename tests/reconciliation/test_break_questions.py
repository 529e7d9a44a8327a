"""What a conflict or a late success brought is booked once: by the payment's own facts and its question's decision, never again by a break."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from common.books import Asked
from common.errors import InvalidState
from common.models import Proposal
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation, Posting, ReviewItem
from payments.providers.base import Outcome
from payments.services.advance import Effect
from payments.states import Decision
from reconciliation.models import Break, Match
from reconciliation.services.breaks import break_ask
from reconciliation.services.resolutions import ADJUST, MATCH, WRITE_OFF
from tests.factories import NOW, ProviderAccountFactory, new_transaction, sale_of, settle
from tests.payments.deciding import decided
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import ACTOR, Listed, imported, listed, open_kinds, reconciled
from tests.reconciliation.people import person
from tests.reconciliation.test_resolutions import LATER, approved, proposed

pytestmark = pytest.mark.django_db

ASKED = Asked(now=LATER, unpublished_for=timedelta(days=9))
NOON_LATE = NOW + timedelta(hours=2)


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccountFactory()


def ended(account: ProviderAccount, end: Outcome = Outcome.DECLINED) -> Operation:
    sale = sale_of(new_transaction(account).transaction)
    settle(sale, end, now=NOON_LATE)
    return sale


def late(account: ProviderAccount) -> Operation:
    sale = ended(account)
    assert settle(sale, amount=Money(10_000, "MYR"), now=NOON_LATE) is Effect.REVIEW
    return sale


def conflicted(account: ProviderAccount) -> Operation:
    """100.00 was asked for, 90.00 moved."""
    sale = sale_of(new_transaction(account).transaction)
    settle(sale, amount=Money(9_000, "MYR"), provider_reference="P9")
    return sale


def booked() -> dict[str, int]:
    sums: dict[str, int] = {}
    of_payments = Posting.objects.exclude(entry__fact_name="remittance.announced")
    for kind, minor in of_payments.values_list("account__kind", "amount_minor"):
        sums[kind] = sums.get(kind, 0) + minor
    return {kind: minor for kind, minor in sums.items() if minor}


def compared(account: ProviderAccount, *lines: Listed) -> None:
    imported(account, lines)
    reconciled(account)


@pytest.mark.parametrize(
    ("decision", "keep", "books"),
    [
        (Decision.ACCEPT, False, {"provider_receivable": 10_000, "merchant_payable": -10_000}),
        (Decision.WRITE_OFF, True, {"provider_receivable": 10_000, "differences": -10_000}),
    ],
)
def test_a_late_success_that_was_decided_matches_its_line_by_itself(
    account: ProviderAccount, decision: Decision, keep: bool, books: dict[str, int]
) -> None:
    sale = late(account)
    compared(account, listed(sale))
    assert [kind for kind, _, _ in open_kinds()] == ["STATUS_MISMATCH"]

    decided(ReviewItem.objects.get(), decision, keep=keep)
    reconciled(account, now=LATER)

    assert open_kinds() == []
    assert Match.objects.get(operation=sale).line is not None
    assert booked() == books
    assert wrong(ASKED) == {}


def test_a_conflict_that_was_decided_matches_what_moved(account: ProviderAccount) -> None:
    sale = conflicted(account)
    compared(account, listed(sale, minor=9_000))
    assert [kind for kind, _, _ in open_kinds()] == ["AMOUNT_MISMATCH"]

    decided(ReviewItem.objects.get(), Decision.ACCEPT)
    reconciled(account, now=LATER)

    assert open_kinds() == []
    assert Match.objects.filter(operation=sale).exists()
    assert booked() == {"provider_receivable": 9_000, "merchant_payable": -9_000}
    assert wrong(ASKED) == {}


def test_what_the_provider_has_put_right_is_missed_nowhere(account: ProviderAccount) -> None:
    conflicted(account)
    compared(account)
    assert [kind for kind, _, _ in open_kinds()] == ["MISSING_AT_PROVIDER"]

    decided(ReviewItem.objects.get(), Decision.WRITE_OFF, keep=False)
    run = reconciled(account, now=LATER)

    assert (open_kinds(), run.operations, booked()) == ([], 0, {})
    assert wrong(ASKED) == {}


def test_what_was_put_right_is_matched_with_its_correction_and_books_nothing() -> None:
    account = ProviderAccountFactory(provider="migs")
    sale = conflicted(account)
    decided(ReviewItem.objects.get(), Decision.WRITE_OFF, keep=False)
    compared(
        account,
        listed(sale, minor=9_000, status="0", type="PURCHASE"),
        listed(sale, minor=-9_000, status="0", reference="", provider_reference="A1", type="ADJUSTMENT", fee=0),
    )
    [moved] = Break.objects.filter(operation=sale)
    correction = Break.objects.get(line__type="ADJUSTMENT")

    approved(proposed(moved, MATCH, lines=[correction.line_id]))

    assert (open_kinds(), booked()) == ([], {})
    assert wrong(ASKED) == {}


@pytest.mark.parametrize("given", [late, conflicted])
@pytest.mark.parametrize("kind", [MATCH, ADJUST, WRITE_OFF])
def test_a_break_waits_for_the_open_question(account: ProviderAccount, given, kind: str) -> None:
    sale = given(account)
    compared(account, listed(sale, minor=9_000))
    before = booked()

    with pytest.raises(InvalidState, match="open questions"):
        proposed(Break.objects.get(), kind)

    assert (booked(), Proposal.objects.exists(), Match.objects.exists()) == (before, False, False)


@pytest.mark.parametrize("end", [Outcome.DECLINED, Outcome.NOT_FOUND])
def test_the_statement_s_word_is_taken_where_we_had_heard_that_no_money_moved(
    account: ProviderAccount, end: Outcome
) -> None:
    sale = ended(account, end)
    compared(account, listed(sale))
    for kind in (MATCH, ADJUST, WRITE_OFF):
        with pytest.raises(InvalidState, match="ended for us without money"):
            proposed(Break.objects.get(), kind, by=person(kind))
    assert booked() == {}

    asked = {"reason": "Listed", "by": person("ops", "operations"), "actor": ACTOR}
    effect = break_ask(break_id=Break.objects.get().pk, now=LATER, **asked)

    assert effect is Effect.REVIEW
    assert booked() == {"provider_receivable": 10_000, "suspense": -10_000}
    assert settle(sale, amount=Money(10_000, "MYR"), now=LATER) is Effect.REPEATED
    assert break_ask(break_id=Break.objects.get().pk, now=LATER, **asked) is None
    decided(ReviewItem.objects.get(), Decision.ACCEPT)
    reconciled(account, now=LATER)
    assert open_kinds() == []
    assert booked() == {"provider_receivable": 10_000, "merchant_payable": -10_000}
    assert wrong(ASKED) == {}


def test_a_question_of_which_the_books_have_another_amount_is_named(account: ProviderAccount) -> None:
    conflicted(account)
    assert wrong(ASKED) == {}

    with rules_lifted("review_item"), connection.cursor() as cursor:
        cursor.execute("""UPDATE review_item SET details = details || '{"providerSaid": "91.00"}'""")

    assert set(wrong(ASKED)) == {"questions_are_booked_as_they_say"}


def test_the_page_offers_the_statement_s_word_before_anything_else(account: ProviderAccount, sign_in) -> None:
    client = sign_in("finance_lead")
    compared(account, listed(ended(account)))
    page = f"/admin/reconciliation/break/{Break.objects.get().pk}/change/"

    text = client.get(page).content.decode()

    assert "Take the statement&#x27;s word" in text
    assert "Write off" not in text
