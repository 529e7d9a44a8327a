"""The refund action: one effect, by who may, with a reason."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from common.models import AuditRecord, Fact
from payments.models import Operation, Refund, Transaction
from tests.console.conftest import SignIn, Urls


def _form(**changes: Any) -> dict[str, Any]:
    return {"amount": "40.00", "reason": "Damaged", "nonce": str(uuid.uuid4()), "_form_submitted": "True"} | changes


def _said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def _counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Refund, Operation, Fact))


def test_a_refund_is_requested_and_audited(paid: Transaction, urls: Urls, sign_in: SignIn) -> None:
    response = sign_in("refunds").post(urls.refund, _form(), headers={"X-Request-Id": "req-77"})

    assert (response.status_code, response["Location"]) == (302, urls.page)
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.reason, refund.requested_by) == (4_000, "Damaged", "operator:demo_refunds")
    assert _said(response) == [f"Refund of 40.00 MYR is requested: {refund.pk}."]
    record = AuditRecord.objects.get(action="refund.created")
    assert (record.actor, record.reason, record.request_id) == ("operator:demo_refunds", "Damaged", "req-77")
    paid.refresh_from_db()
    assert paid.amount_refund_pending_minor == 4_000


def test_the_dialog_offers_what_is_left_and_changes_nothing(urls: Urls, sign_in: SignIn) -> None:
    before = _counts()

    response = sign_in("refunds").get(urls.refund, {"amount": "40.00", "reason": "x", "_form_submitted": "True"})

    assert response.status_code == 200
    assert 'value="100.00"' in response.content.decode()
    assert _counts() == before


@pytest.mark.parametrize("role", ["operations", "finance", "support", "auditor", "none"])
def test_without_the_permission_nothing_happens(role: str, urls: Urls, sign_in: SignIn) -> None:
    client, before = sign_in(role), _counts()

    assert client.post(urls.refund, _form()).status_code == 403
    assert client.get(urls.refund).status_code == 403

    assert _counts() == before
    refused = AuditRecord.objects.filter(action="console.refused", actor=f"operator:demo_{role}")
    assert [record.changes["method"] for record in refused.order_by("id")] == ["POST", "GET"]


def test_a_form_of_another_site_is_refused(urls: Urls, sign_in: SignIn) -> None:
    client, before = Client(enforce_csrf_checks=True), _counts()
    client.cookies = sign_in("refunds").cookies

    assert client.post(urls.refund, _form()).status_code == 403
    assert _counts() == before


def test_a_double_submit_refunds_once(urls: Urls, sign_in: SignIn) -> None:
    client, form = sign_in("refunds"), _form(amount="100.00")

    answers = [client.post(urls.refund, form) for _ in range(2)]

    refund = Refund.objects.get()
    assert refund.amount_minor == 10_000
    assert _said(answers[1])[-1] == f"Refund of 100.00 MYR is requested: {refund.pk}."


def test_a_double_submit_of_a_part_refunds_once(urls: Urls, sign_in: SignIn) -> None:
    client, form = sign_in("refunds"), _form(amount="10.00")

    for _ in range(2):
        client.post(urls.refund, form)

    assert Refund.objects.get().amount_minor == 1_000


def test_a_dialog_whose_amount_was_changed_after_it_was_sent_is_refused(urls: Urls, sign_in: SignIn) -> None:
    client, form = sign_in("refunds"), _form(amount="10.00")
    client.post(urls.refund, form)

    answer = client.post(urls.refund, form | {"amount": "20.00"})

    assert Refund.objects.get().amount_minor == 1_000
    assert _said(answer)[-1].startswith("Not refunded: ")


def test_more_than_is_left_is_refused(urls: Urls, sign_in: SignIn) -> None:
    client = sign_in("refunds")
    client.post(urls.refund, _form(amount="70.00"))

    answer = client.post(urls.refund, _form(amount="30.01"))  # a stale tab

    assert _said(answer)[-1] == "Not refunded: Only 30.00 MYR is left to refund."
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "1e1"},
        {"amount": "10,00"},
        {"amount": "-5"},
        {"amount": "10.005"},
        {"amount": ""},
        {"reason": "  "},
        {"nonce": ""},
        {"nonce": "x"},
    ],
)
def test_a_form_that_cannot_be_read_comes_back(changes: dict[str, str], urls: Urls, sign_in: SignIn) -> None:
    response = sign_in("refunds").post(urls.refund, _form(**changes))

    assert response.status_code == 200
    assert not Refund.objects.exists()


def test_htmx_is_sent_on_by_header(urls: Urls, sign_in: SignIn) -> None:
    response = sign_in("refunds").post(urls.refund, _form(), headers={"HX-Request": "true"})

    assert (response.status_code, response["HX-Redirect"]) == (200, urls.page)


def test_an_unknown_transaction_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("refunds").post("/admin/payments/transaction/txn_none/refund/", _form()).status_code == 404
