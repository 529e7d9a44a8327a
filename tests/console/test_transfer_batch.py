"""The page of the transfer batch: what waits, what would become of it, what became of it, and a run by who may, with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages

from common.models import AuditRecord
from payments.models import Account, Transaction, TransferRun, TransferRunItem
from payments.services.transfer_batch import transfer_batch_run, transfer_run_request
from payments.services.transfer_forecast import transfer_forecast
from tests.console.conftest import SignIn
from tests.factories import NOW, new_account, new_transfer
from tests.factories.accounts import HOUSE
from tests.support.race import race

pytestmark = pytest.mark.django_db
PAGE = "/admin/payments/transferrun/"
RUN_NOW = {"_form_submitted": "True", "reason": "The bank closes early"}


@pytest.fixture
def waiting() -> list[Transaction]:
    """Two credits of 300.00 and 200.00, then a debit of 900.00 that only the payee of the first could pay; each way once."""
    one, two = new_account(minor=60_000), None
    two = new_account(one.merchant, 10_000)
    return [
        new_transfer(one, two, 30_000, method="ach_credit"),
        new_transfer(one, two, 20_000, method="ach_credit"),
        new_transfer(two, one, 90_000, method="ach_debit"),
        new_transfer(two, one, 45_000, method="ach_debit"),
    ]


def test_the_forecast_is_what_the_run_does(waiting: list[Transaction]) -> None:
    before = list(Account.objects.order_by("pk").values())

    forecast = {one.transaction.pk: one.refused.code if one.refused else "" for one in transfer_forecast(now=NOW)}
    assert list(Account.objects.order_by("pk").values()) == before
    transfer_batch_run(now=NOW)

    became = {row.pk: row.failure_code for row in Transaction.objects.all()}
    assert forecast == became
    assert [forecast[one.pk] for one in waiting] == ["", "", "INSUFFICIENT_FUNDS", ""]


def test_a_run_keeps_what_became_of_each_transfer(waiting: list[Transaction]) -> None:
    transfer_batch_run(now=NOW)
    transfer_batch_run(now=NOW)  # nothing waits: no run

    run = TransferRun.objects.get()
    assert (run.requested_by, run.started_at, run.ended_at) == ("system:transfer_batch", NOW, NOW)
    items = dict(TransferRunItem.objects.filter(run=run).values_list("transaction_id", "status"))
    assert [items[one.pk] for one in waiting] == ["COMPLETED", "COMPLETED", "FAILED", "COMPLETED"]


def test_the_page_shows_what_waits_and_what_became_of_it(waiting: list[Transaction], sign_in: SignIn) -> None:
    client = sign_in("finance")

    before = client.get(PAGE).content.decode()
    transfer_batch_run(now=NOW)
    after = client.get(PAGE).content.decode()
    page = client.get(f"{PAGE}{TransferRun.objects.get().pk}/change/").content.decode()

    assert all(one.pk in before for one in waiting)
    assert "Account does not have sufficient funds" in before
    assert "Nothing waits." in after
    assert all(one.pk in page for one in waiting)


def test_an_operator_runs_it_now(waiting: list[Transaction], sign_in: SignIn) -> None:
    client = sign_in("operations")

    for _ in range(2):
        response = client.post(f"{PAGE}run-now/", RUN_NOW)
    run = TransferRun.objects.get()
    assert [str(message) for message in get_messages(response.wsgi_request)][-1] == (
        "Nothing was done: A run is asked for already and begins in a moment."
    )
    assert (run.requested_by, run.reason, run.started_at) == ("operator:demo_operations", RUN_NOW["reason"], None)
    transfer_batch_run(now=run.requested_at, run_id=run.pk)
    transfer_batch_run(now=run.requested_at, run_id=run.pk)  # the message came twice

    run.refresh_from_db()
    assert (run.items.count(), run.ended_at) == (4, run.requested_at)
    record = AuditRecord.objects.get(action="transfer_run.requested")
    assert (record.actor, record.reason, record.subject_id) == ("operator:demo_operations", run.reason, run.pk)


def test_a_run_whose_message_was_lost_begins_with_the_schedule(waiting: list[Transaction]) -> None:
    asked = transfer_run_request(actor=HOUSE, reason="x", now=NOW)

    transfer_batch_run(now=NOW)

    assert [run.pk for run in TransferRun.objects.all()] == [asked.pk]
    assert asked.items.count() == 4


@pytest.mark.parametrize("role", ["finance", "support", "onboarding", "auditor", "none"])
def test_without_the_permission_nothing_runs(role: str, waiting: list[Transaction], sign_in: SignIn) -> None:
    client = sign_in(role)

    assert client.post(f"{PAGE}run-now/", RUN_NOW).status_code == 403
    assert sign_in("operations").get(f"{PAGE}run-now/", RUN_NOW).status_code == 200  # a form, no run

    assert not TransferRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_end_each_transfer_once(waiting: list[Transaction]) -> None:
    asked = transfer_run_request(actor=HOUSE, reason="x", now=NOW)

    def act(number: int) -> Any:
        return transfer_batch_run(now=NOW, run_id=asked.pk if number % 2 else None)

    results = race(8, act)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert TransferRunItem.objects.count() == 4
    assert sum(sum(result.values()) for result in results) == 4
