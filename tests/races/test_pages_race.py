"""A page is discarded while the last one comes: either it is in the statement, or nothing of the statement is applied."""

from __future__ import annotations

import pytest

from common.errors import InvalidState
from reconciliation.models import BankLine, Source, Statement
from reconciliation.services.pages import page_discard
from tests.factories import NOW
from tests.factories.agreed import new_bank_account
from tests.payments.verify.books import wrong
from tests.reconciliation.bank_files import IBAN
from tests.reconciliation.given import ACTOR
from tests.reconciliation.test_statement_pages import page, taken
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("first", [0, 1])
def test_a_page_is_discarded_or_imported(first: int) -> None:
    new_bank_account(
        Source.objects.create(code="mybank", name="My bank", side="BANK", format="camt053"), IBAN, currency="EUR"
    )
    one = taken(page(1))
    taken(page(2))

    def act(number: int) -> object:
        if number % 2 == first:
            return page_discard(statement_id=one.pk, reason="odd", actor=ACTOR, now=NOW)
        return taken(page(3))

    results = race(8, act)

    refusals = [each for each in results if isinstance(each, Exception)]
    assert {type(each) for each in refusals} == {InvalidState}
    states = {found.page["number"]: found.state for found in Statement.objects.all() if found.page}
    if states[1] == "IMPORTED":
        assert (len(refusals), states, BankLine.objects.count()) == (4, dict.fromkeys((1, 2, 3), "IMPORTED"), 6)
    else:
        assert (len(refusals), states) == (3, {1: "REFUSED", 2: "WAITING", 3: "WAITING"})
        assert not BankLine.objects.exists()
    assert wrong() == {}
