"""The demo's accounts (S2): opened once, and their balances told as they are when the demo is loaded again."""

from __future__ import annotations

import pytest

from demo.onboarding import open_accounts
from payments.models import Account
from payments.tasks import run_transfer_batch
from tests.factories import MerchantFactory, new_transfer
from tests.payments.verify.books import wrong

pytestmark = pytest.mark.django_db


def test_loading_again_opens_nothing_and_tells_the_present_balances() -> None:
    MerchantFactory(code="BAYUMART")
    full = {"currency": "USD", "balance": "1000000.00"}

    first = open_accounts("BAYUMART")
    one, other = (Account.objects.get(pk=pk) for pk in ("acc_123", "test_acc_empty"))
    new_transfer(one, other, 25, method="ach_credit")
    waiting = open_accounts("BAYUMART")
    run_transfer_batch()
    settled = open_accounts("BAYUMART")

    assert first == dict.fromkeys(("acc_123", "acc_456", "test_acc_001", "test_acc_002"), full) | {
        "test_acc_empty": {"currency": "USD", "balance": "0.00"}
    }
    assert (waiting["acc_123"]["balance"], waiting["test_acc_empty"]["balance"]) == ("999999.75", "0.00")
    assert (settled["acc_123"]["balance"], settled["test_acc_empty"]["balance"]) == ("999999.75", "0.25")
    assert wrong().keys() <= {"facts_are_published"}
