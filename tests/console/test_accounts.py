"""Accounts and transfers in the console: what an operator reads of them, and giving a transfer back."""

from __future__ import annotations

import uuid

from django.contrib.admin.utils import quote
from django.urls import reverse

from payments.models import Refund
from tests.console.conftest import SignIn
from tests.factories import MerchantFactory, new_account, new_transfer


def test_an_account_shows_its_balances_and_what_changed_them(db: None, sign_in: SignIn) -> None:
    merchant = MerchantFactory()
    payer, payee = new_account(merchant, 100_000), new_account(merchant)
    held = new_transfer(payer, payee, 25_050, method="ach_credit")

    text = sign_in("support").get(f"/admin/payments/account/{quote(payer.pk)}/change/").content.decode()

    for shown in ("749.50", "250.50", "1,000.00", "account.deposited", "transaction.created", held.pk, merchant.code):
        assert shown in text


def test_a_transfer_shows_its_accounts_instead_of_attempts_and_a_payer(db: None, sign_in: SignIn) -> None:
    merchant = MerchantFactory()
    made = new_transfer(new_account(merchant, 100), new_account(merchant), 60)

    text = sign_in("superuser").get(f"/admin/payments/transaction/{made.pk}/change/").content.decode()

    assert made.from_account_id in text
    assert made.to_account_id in text
    assert "transfer.completed" in text
    for absent in ("Payments and operations", "Payer"):
        assert absent not in text


def test_an_operator_gives_a_transfer_back(db: None, sign_in: SignIn) -> None:
    merchant = MerchantFactory()
    made = new_transfer(new_account(merchant, 100), new_account(merchant), 60)
    form = {"amount": "0.60", "reason": "Paid twice", "nonce": str(uuid.uuid4()), "_form_submitted": "True"}

    sign_in("refunds").post(reverse("admin:payments_transaction_refund", args=[made.pk]), form)

    refund = Refund.objects.get()
    assert (refund.state, refund.amount_minor, refund.transaction.status) == ("SUCCEEDED", 60, "REFUNDED")
