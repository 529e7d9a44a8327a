"""The look-up action: the provider is asked now, by who may, with a reason. The account's provider is a closed port."""

from __future__ import annotations

from django.contrib.messages import get_messages

from common.models import AuditRecord
from merchants.models import ProviderAccount
from payments.models import Operation, Transaction
from tests.console.conftest import SignIn
from tests.factories import new_transaction, sale_of

FORM = {"reason": "The payer waits on the phone", "_form_submitted": "True"}


def _url(operation: Operation) -> str:
    return f"/admin/payments/operation/{operation.pk}/look-up/"


def test_the_provider_is_asked_and_the_answer_taken_in(account: ProviderAccount, sign_in: SignIn) -> None:
    transaction = new_transaction(account).transaction
    operation = sale_of(transaction)

    response = sign_in("operations").post(_url(operation), FORM)

    assert (response.status_code, response["Location"]) == (
        302,
        f"/admin/payments/transaction/{transaction.pk}/change/",
    )
    operation.refresh_from_db()
    assert (operation.look_ups, operation.state) == (1, "PENDING")
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said == ["The provider does not know yet. It will be asked again on schedule."]
    record = AuditRecord.objects.get(action="operation.look_up_requested")
    assert (record.actor, record.reason) == ("operator:demo_operations", "The payer waits on the phone")
    assert record.subject_id == transaction.pk


def test_an_operation_that_has_ended_is_not_asked_about(paid: Transaction, sign_in: SignIn) -> None:
    operation = sale_of(paid)

    response = sign_in("operations").post(_url(operation), FORM)

    operation.refresh_from_db()
    assert operation.look_ups == 0
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said == ["It has ended or was never sent: nothing to look up."]


def test_get_and_a_missing_reason_change_nothing(account: ProviderAccount, sign_in: SignIn) -> None:
    operation, client = sale_of(new_transaction(account).transaction), sign_in("operations")

    assert client.get(_url(operation), FORM).status_code == 200
    assert client.post(_url(operation), {"_form_submitted": "True"}).status_code == 200

    operation.refresh_from_db()
    assert operation.look_ups == 0
    assert not AuditRecord.objects.filter(action="operation.look_up_requested").exists()


def test_without_the_permission_nothing_happens(account: ProviderAccount, sign_in: SignIn) -> None:
    operation = sale_of(new_transaction(account).transaction)

    for role in ("support", "auditor", "none"):
        assert sign_in(role).post(_url(operation), FORM).status_code == 403

    operation.refresh_from_db()
    assert operation.look_ups == 0
    assert AuditRecord.objects.filter(action="console.refused").count() == 3
