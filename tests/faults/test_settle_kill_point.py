"""A settlement that dies before its commit has claimed nothing; the next one claims everything, once."""

from __future__ import annotations

import pytest

from common.models import Fact
from reconciliation.models import Settlement, SettlementLine
from tests.factories import captured_transaction
from tests.faults.test_import_kill_points import KILLED, dies_at
from tests.reconciliation.test_settle import priced, settled

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_settlement_that_is_killed_is_made_whole_by_the_next_one() -> None:
    account = priced()
    for _ in range(3):
        captured_transaction(account)

    assert dies_at("settle.before_commit", lambda: settled(account.merchant)) == KILLED
    assert (Settlement.objects.count(), SettlementLine.objects.count()) == (0, 0)
    assert not Fact.objects.filter(name="settlement.created").exists()

    [made] = settled(account.merchant)

    assert (made.line_count, made.gross_minor, made.net_minor) == (3, 30_000, 30_000 - 3 * 170)
    assert SettlementLine.objects.count() == 3
    assert settled(account.merchant) == []
