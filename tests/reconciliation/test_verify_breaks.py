"""What was decided about breaks is in the books; a planted lie is named."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from common.books import Asked
from merchants.models import ProviderAccount
from reconciliation.models import Break
from reconciliation.services.resolutions import WRITE_OFF
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.payments.verify.books import wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.given import Listed, imported, listed, reconciled
from tests.reconciliation.test_closing import signed
from tests.reconciliation.test_resolutions import LATER, approved, proposed
from tests.support.once import given_once

pytestmark = pytest.mark.django_db

ASKED = Asked(now=LATER, unpublished_for=timedelta(days=9))
TABLES = (
    "reconciliation_match",
    "reconciliation_match_group",
    "reconciliation_break",
    "day_close",
    "posting",
    "journal_entry",
)


@pytest.fixture(scope="module")
def _account(django_db_setup: None, django_db_blocker: Any) -> Iterator[ProviderAccount]:
    with given_once(django_db_blocker, build_account) as made:
        yield made


@pytest.fixture
def account(_account: ProviderAccount, db: None) -> ProviderAccount:
    return deepcopy(_account)


def build_account() -> ProviderAccount:
    """A line too many was written off, a payment is not listed, and the day was signed with that."""
    account = ProviderAccountFactory(created_at=NOW - timedelta(days=30))
    sale = sale_of(captured_transaction(account))
    captured_transaction(account)
    imported(
        account, [listed(sale, provider_reference="F1"), Listed(account.account_key, "F404", "EPG404", minor=7_000)]
    )
    reconciled(account)
    approved(proposed(Break.objects.get(kind="MISSING_IN_BOOKS"), WRITE_OFF))
    signed(account)
    return account


DECIDED = "(SELECT id FROM reconciliation_match_group WHERE proposal_id IS NOT NULL)"
VIOLATIONS: dict[str, tuple[str, set[str]]] = {
    "decided_breaks_are_claimed": (
        f"DELETE FROM reconciliation_match WHERE group_id IN {DECIDED}",
        {"closed_days_have_nothing_open"},
    ),
    "decided_differences_are_booked": (
        "UPDATE reconciliation_match_group SET entry_id = NULL WHERE proposal_id IS NOT NULL",
        set(),
    ),
    "closed_days_have_nothing_open": (
        "UPDATE reconciliation_break SET day = carried_from, carried_from = NULL WHERE carried_from IS NOT NULL",
        set(),
    ),
}


def test_the_books_of_decided_breaks_are_right(account: ProviderAccount) -> None:
    assert wrong(ASKED) == {}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_lie_is_named(account: ProviderAccount, name: str) -> None:
    statement, also = VIOLATIONS[name]
    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0

    assert set(wrong(ASKED)) == {name, *also}
