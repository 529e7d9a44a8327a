"""Batches of refunds in the console: uploaded, looked at, proposed by who may; looking changes nothing."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile

from common.models import Proposal
from merchants.models import ProviderAccount
from payments.models import Refund, RefundBatch, Transaction
from tests.console.conftest import SignIn
from tests.factories import NOW, captured_transaction

BASE = "/admin/payments/refundbatch/"
REASON = {"reason": "Recall", "_form_submitted": "True"}


def upload(account: ProviderAccount, text: str) -> dict[str, Any]:
    file = SimpleUploadedFile("returns.csv", text.encode())
    return {"merchant": account.merchant_id, "mode": "test", "reason": "Recall", "file": file}


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_a_file_becomes_a_preview_that_can_be_proposed(
    account: ProviderAccount, paid: Transaction, sign_in: SignIn
) -> None:
    client = sign_in("refunds")
    text = f"transaction,amount\n{paid.external_reference},40.00\n=HYPERLINK,\n"

    answer = client.post(f"{BASE}new-from-file/", upload(account, text))

    batch = RefundBatch.objects.get()
    assert answer["Location"] == f"{BASE}{batch.pk}/change/"
    page = client.get(answer["Location"]).content.decode()
    assert "The merchant has no such transaction in this mode." in page
    assert "40.00" in page
    client.post(f"{BASE}{batch.pk}/propose/", REASON)
    client.post(f"{BASE}{batch.pk}/propose/", REASON)  # a double click
    assert Proposal.objects.get().subject_id == batch.pk
    waiting = client.get(answer["Location"]).content.decode()
    assert Proposal.objects.get().summary in waiting  # whoever comes back sees that it was asked for
    assert f"{BASE}{batch.pk}/propose/" not in waiting
    rows = list(csv.reader(io.StringIO(client.get(f"{BASE}{batch.pk}/outcomes/").getvalue().decode())))
    assert [row[:7] for row in rows[1:]] == [
        ["2", "INV-1", paid.pk, "40.00", "MYR", "Recall", "WAITING"],
        ["3", "'=HYPERLINK", "", "", "", "Recall", "REFUSED"],
    ]
    assert Refund.objects.count() == 0


def test_a_filter_becomes_a_preview(account: ProviderAccount, paid: Transaction, sign_in: SignIn) -> None:
    captured_transaction(account, now=NOW + timedelta(days=3))
    day = NOW.date().isoformat()
    form = {"merchant": account.merchant_id, "mode": "test", "reason": "Recall", "first_day": day, "last_day": day}

    sign_in("refunds").post(f"{BASE}new-from-filter/", form)

    assert list(RefundBatch.objects.get().items.values_list("transaction", flat=True)) == [paid.pk]


@pytest.mark.parametrize("text", ["amount\n1\n", "transaction\n"])
def test_a_file_that_cannot_be_read_says_why(text: str, account: ProviderAccount, sign_in: SignIn) -> None:
    answer = sign_in("refunds").post(f"{BASE}new-from-file/", upload(account, text))

    assert (answer.status_code, RefundBatch.objects.count()) == (200, 0)
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.parametrize("role", ["operations", "finance", "finance_lead", "support", "auditor"])
def test_without_the_permission_nothing_happens(
    role: str, account: ProviderAccount, paid: Transaction, sign_in: SignIn
) -> None:
    sign_in("refunds").post(f"{BASE}new-from-file/", upload(account, f"transaction\n{paid.pk}\n"))
    batch, client = RefundBatch.objects.get(), sign_in(role)

    for address in ("propose", "discard"):
        assert client.post(f"{BASE}{batch.pk}/{address}/", REASON).status_code == 403
    assert client.post(f"{BASE}new-from-file/", upload(account, "transaction\nx\n")).status_code == 403

    batch.refresh_from_db()
    assert (batch.state, RefundBatch.objects.count(), Proposal.objects.count()) == ("PREPARED", 1, 0)


def test_looking_changes_nothing(account: ProviderAccount, paid: Transaction, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    client.post(f"{BASE}new-from-file/", upload(account, f"transaction\n{paid.pk}\n"))
    batch = RefundBatch.objects.get()

    for address in ("new-from-file/", "new-from-filter/", *(f"{batch.pk}/{act}/" for act in ("propose", "discard"))):
        assert client.get(f"{BASE}{address}", REASON).status_code == 200

    batch.refresh_from_db()
    assert (batch.state, batch.version, Proposal.objects.count()) == ("PREPARED", 1, 0)
