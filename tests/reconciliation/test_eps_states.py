"""A merchant sees in its day how each payment stands with the provider's statement."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.models import ProviderAccount
from tests.factories import sale_of, settle
from tests.payments.eps.given import merchant_with
from tests.payments.eps.test_reconcile import eps_transaction, get
from tests.reconciliation.given import imported, listed, reconciled

pytestmark = pytest.mark.django_db


def test_matched_broken_and_pending() -> None:
    merchant = merchant_with()
    account = ProviderAccount.objects.get(merchant=merchant, provider="fpx")
    sales = [sale_of(eps_transaction(merchant, f"T{n}")) for n in range(4)]
    for number, sale in enumerate(sales[:3]):
        settle(sale, provider_reference=f"F{number}")
    imported(
        account,
        [
            listed(sales[0], provider_reference="F0"),
            listed(sales[1], provider_reference="F1", minor=9_999),
            listed(sales[2], provider_reference="F2", fee=51),
        ],
    )
    reconciled(account)
    get(merchant)  # what is remembered about the merchant is asked once

    with CaptureQueriesContext(
        connection,
    ) as four:
        answer = get(merchant).json()
    for number in range(4, 12):
        eps_transaction(merchant, f"T{number}")
    with CaptureQueriesContext(connection) as twelve:
        get(merchant)

    states = {line["TRANS_ID"]: line["RECONCILIATION"] for line in answer["TRANSACTIONS"]}
    assert states == {"T0": "MATCHED", "T1": "BREAK", "T2": "MATCHED", "T3": "PENDING"}
    assert len(twelve) == len(four)
