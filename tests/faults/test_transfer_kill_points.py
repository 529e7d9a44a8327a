"""The process dies at every named point of a book transfer: the money has moved once or will, and the answer stays the same."""

from __future__ import annotations

import pytest
from django.utils import timezone

from common.money import Money
from payments.models import Account, Transaction
from payments.services.accounts import account_deposit, account_open
from tests.faults.installation import Installation
from tests.faults.oracle import assert_sound, ended
from tests.faults.shop import ACTOR, Shop


def account_of(shop: Shop, minor: int = 0) -> Account:
    now = timezone.now()
    account = account_open(merchant_id=shop.merchant.pk, live=False, currency="MYR", name="purse", actor=ACTOR, now=now)
    if minor:
        account_deposit(account_id=account.pk, amount=Money(minor, "MYR"), actor=ACTOR, reason="opening", now=now)
    return account


@pytest.mark.parametrize(
    ("point", "process", "method"),
    [
        ("transfer.before_write", "web", "rtp"),
        ("transfer.committed", "web", "wire_domestic"),
        ("transfer_batch.before_write", "worker", "ach_credit"),
    ],
)
def test_a_transfer_moves_once(installation: Installation, shop: Shop, point: str, process: str, method: str):
    shop.on_silence = installation.revive
    payer, payee = account_of(shop, 10_000), account_of(shop)
    installation.restart(process, crashpoint=point)
    body = {
        "paymentTypeId": method,
        "amount": "25.00",
        "currencyCode": "MYR",
        "fromAccountId": payer.pk,
        "toAccountId": payee.pk,
    }

    shop.post("/transactions", body, key="transfer")
    transaction = Transaction.objects.filter(merchant=shop.merchant, status="COMPLETED")
    installation.until(
        lambda: bool(installation.deaths) and transaction.exists() and ended(shop), "death, recovery, and an end"
    )

    assert installation.deaths == [process]
    assert Transaction.objects.filter(merchant=shop.merchant).count() == 1
    balances = dict(Account.objects.filter(merchant=shop.merchant).values_list("pk", "balance_minor"))
    assert balances == {payer.pk: 7_500, payee.pk: 2_500}
    assert_sound(shop)
