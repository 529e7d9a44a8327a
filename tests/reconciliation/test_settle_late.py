"""What commits late is settled, however low its numbers are: a settlement says that all is claimed only where nobody may still add anything."""

from __future__ import annotations

import threading
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db import transaction as database

from merchants.models import Merchant
from payments.models import Posting
from payments.models.ledger import AccountKind
from reconciliation.models import Settlement, SettlementLine
from reconciliation.services import settle
from reconciliation.settlement import claims
from tests.factories import NOW, captured_transaction
from tests.payments.verify.books import wrong
from tests.reconciliation.given import imported, listed, reconciled
from tests.reconciliation.test_settle import LATER_ASKED, agreed, priced, sale_of, settled
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


def postings(merchant: Merchant) -> list[int]:
    """The ids of what was booked to the merchant's account by payments, in order."""
    payable = Posting.objects.filter(account__kind=AccountKind.MERCHANT_PAYABLE, account__merchant=merchant)
    return list(payable.exclude(entry__fact_name="settlement.created").order_by("pk").values_list("pk", flat=True))


def after(minutes: int) -> list[Settlement]:
    """Settle the only merchant, this long after noon."""
    return settled(Merchant.objects.get(), now=NOW + timedelta(minutes=minutes))


def test_a_settlement_begins_where_the_one_before_left_nothing() -> None:
    account = priced()
    captured_transaction(account)
    last = Posting.objects.order_by("pk").values_list("pk", flat=True).last()

    [made] = after(1)

    assert made.claimed_up_to == last
    captured_transaction(account, now=NOW + timedelta(minutes=3))
    captured_transaction(account, now=NOW + timedelta(minutes=1))
    [second] = after(2)
    assert (second.line_count, second.claimed_up_to) == (1, postings(account.merchant)[2] - 1)  # the first that is left
    [third] = after(4)
    assert third.line_count == 1


def test_a_payment_that_is_not_proven_is_not_passed_over() -> None:
    account = priced()
    agreed(account.merchant, only_proven=True)
    unproven, proven = captured_transaction(account), captured_transaction(account)
    imported(account, [listed(sale_of(proven), provider_reference="F1")])
    reconciled(account)

    [made] = after(1)

    assert made.claimed_up_to == postings(account.merchant)[0] - 1
    imported(
        account, [listed(sale_of(proven), provider_reference="F1"), listed(sale_of(unproven), provider_reference="F2")]
    )
    reconciled(account)
    [later] = after(2)
    assert later.lines.get().entry.transaction == unproven


def test_what_was_being_written_is_settled_when_it_has_committed() -> None:
    account = priced()
    captured_transaction(account)
    after(1)
    floor = Settlement.objects.get().claimed_up_to
    written, commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with database.atomic():
            captured_transaction(account, now=NOW + timedelta(minutes=2))
            written.set()
            assert commit.wait(30)

    def meanwhile() -> None:
        assert written.wait(30)
        try:
            captured_transaction(account, now=NOW + timedelta(minutes=2))
            [made] = after(3)
            assert (made.line_count, made.claimed_up_to) == (1, floor)
        finally:
            commit.set()

    assert race(2, lambda number: (write_slowly, meanwhile)[number]()) == [None, None]

    [made] = after(4)

    assert made.line_count == 1
    assert made.claimed_up_to >= max(postings(account.merchant))
    assert after(5) == []
    assert wrong(LATER_ASKED) == {}


def test_what_commits_between_the_look_and_the_claim_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes when a settlement looks; then one begins, and has not committed when it claims."""
    account = priced()
    captured_transaction(account)
    looked, begun, commit = threading.Event(), threading.Event(), threading.Event()
    look = settle._look

    def look_and_wait() -> settle._Seen:
        seen = look()
        looked.set()
        assert begun.wait(30)
        return seen

    monkeypatch.setattr(settle, "_look", look_and_wait)

    def write() -> None:
        assert looked.wait(30)
        with database.atomic():
            captured_transaction(account)
            begun.set()
            assert commit.wait(30)

    def claim() -> None:
        try:
            [made] = after(1)
            assert made.line_count == 1
        finally:
            commit.set()

    assert race(2, lambda number: (write, claim)[number]()) == [None, None]
    monkeypatch.undo()

    [made] = after(2)
    assert made.line_count == 1


def test_what_is_prepared_between_the_look_and_the_claim_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is prepared for two phases may still commit any time later: it keeps its name and its locks, without its connection."""
    account = priced()
    captured_transaction(account)
    look = settle._look

    def look_and_prepare() -> settle._Seen:
        written, looked = threading.Event(), threading.Event()

        def write() -> None:
            with database.atomic(), connection.cursor() as cursor:
                captured_transaction(account)
                written.set()
                assert looked.wait(30)
                cursor.execute("PREPARE TRANSACTION 'late'")

        def watch() -> settle._Seen:
            assert written.wait(30)
            try:
                return look()
            finally:
                looked.set()

        nothing, seen = race(2, lambda number: (write, watch)[number]())
        assert (nothing, len(seen.writing)) == (None, 1)
        with connection.cursor() as cursor:
            assert settle._writing(cursor) == seen.writing
        return seen  # type: ignore[no-any-return]

    monkeypatch.setattr(settle, "_look", look_and_prepare)
    try:
        [made] = after(1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("COMMIT PREPARED 'late'")
    monkeypatch.undo()

    assert (made.line_count, made.claimed_up_to) == (1, 0)
    [late] = after(2)
    assert late.line_count == 1
    assert wrong(LATER_ASKED) == {}


def test_the_role_that_settles_sees_who_writes(app_role_url: str) -> None:
    account = priced()
    with psycopg.connect(app_role_url, autocommit=True) as app:
        assert app.execute(claims.WRITING).fetchall() == []

        with database.atomic():
            captured_transaction(account)
            assert len(app.execute(claims.WRITING).fetchall()) == 1
            assert app.execute(claims.LAST_POSTING).fetchone() == (Posting.objects.order_by("pk").last().pk,)  # type: ignore[union-attr]


def test_whoever_writes_whenever_everything_is_settled_once() -> None:
    account = priced()
    captured_transaction(account)

    def act(number: int) -> None:
        for turn in range(8):
            if number < 3:
                with database.atomic():
                    for _ in range(number + 1):
                        captured_transaction(account)
            else:
                after(1 + turn * 3 + number)

    assert race(5, act) == [None] * 5
    after(100)

    entries = Posting.objects.filter(pk__in=postings(account.merchant)).values("entry").distinct().count()
    assert SettlementLine.objects.count() == entries == 49
    assert wrong(LATER_ASKED) == {}
