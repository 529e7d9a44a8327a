"""Accounts and book transfers with the Python SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from payment_engine import CreateTransactionRequest, InsufficientFundsError, PaymentEngineClient

from tests.factories import new_account
from tests.sdk.given import Shop


@pytest.mark.django_db(transaction=True)
def test_money_moves_between_accounts_and_never_more_than_there_is(shop: Shop):
    opened = datetime.now(UTC) - timedelta(hours=1)
    payer, payee = (new_account(shop.merchant, minor, now=opened) for minor in (10_000, 0))
    client = PaymentEngineClient(api_key=shop.api_key, base_url=shop.base_url)

    def move(amount: float) -> CreateTransactionRequest:
        return CreateTransactionRequest("rtp", amount, "USD", from_account_id=payer.pk, to_account_id=payee.pk)

    moved = client.transactions.create(move(40.25))
    with pytest.raises(InsufficientFundsError) as refused:
        client.transactions.create(move(59.76))

    assert (moved.status, moved.from_account_id, moved.expires_at) == ("COMPLETED", payer.pk, None)
    assert refused.value.status == 422
    assert refused.value.details == {
        "accountId": payer.pk,
        "requestedAmount": Decimal("59.76"),
        "availableBalance": Decimal("59.75"),
    }
    balance = client.accounts.get_balance(payer.pk)
    assert (balance.available_balance, balance.pending_balance) == (Decimal("59.75"), Decimal(0))
    past = client.accounts.get_balance(payer.pk, at=moved.created_at - timedelta(minutes=1))
    assert past.available_balance == Decimal("100.00")
    assert client.accounts.get(payee.pk).available_balance == Decimal("40.25")
    assert [entry.amount for entry in client.accounts.entries(payer.pk)] == [Decimal("-40.25"), Decimal("100.00")]
    assert {account.id for account in client.accounts.list()} == {payer.pk, payee.pk}
