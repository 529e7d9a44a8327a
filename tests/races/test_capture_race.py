"""Many capture one authorisation in parts at once: never more than was authorised, here and at the provider."""

from __future__ import annotations

import pytest
import requests
from django.utils import timezone

from common.books import Asked, verify
from common.changes import Actor
from common.errors import InvalidState
from common.money import Money
from demo.onboarding import open_migs
from payments.models import Operation, Transaction
from payments.services.captures import capture_request
from payments.services.operations import operation_look_up, operation_run
from tests.factories import MerchantFactory, new_transaction, sale_of
from tests.support.race import race
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def test_sixteen_parts_at_once_stay_within_what_was_authorised(sandbox: SandboxProcess) -> None:
    account = open_migs(MerchantFactory(), sandbox_url=sandbox.url, base_url="http://127.0.0.1:1", mode="authorise")
    created = new_transaction(account, now=timezone.now(), manual_capture=True)  # 100.00
    payer = {"nextAction": created.payment.next_action, "decision": "approve"}
    requests.post(f"{sandbox.url}/_payer", json=payer, timeout=30).raise_for_status()
    operation_look_up(operation_id=sale_of(created.transaction).pk, now=timezone.now())

    def act(number: int) -> str:
        """Until there is an answer that is not "another one is under way"."""
        while True:
            try:
                capture_request(
                    transaction_id=created.transaction.pk,
                    amount=Money(1_500, "MYR"),
                    final=False,
                    actor=Actor("merchant:race"),
                    now=timezone.now(),
                )
            except InvalidState as exc:
                if "under way" not in str(exc):
                    return str(exc)
            for operation in Operation.objects.filter(kind="CAPTURE", state="QUEUED"):
                operation_run(operation_id=operation.pk, now=timezone.now())

    results = race(16, act)

    transaction = Transaction.objects.get()
    captures = list(Operation.objects.filter(kind="CAPTURE").values_list("state", "reference"))
    assert results == ["Only 10.00 MYR is left to capture."] * 16
    assert [state for state, _ in captures] == ["SUCCEEDED"] * 6
    assert (transaction.status, transaction.amount_captured_minor) == ("AUTHORIZED", 9_000)
    books = requests.get(f"{sandbox.url}/_books/migs", timeout=10).json()["entries"]
    ours = [entry["amount"] for entry in books if entry["reference"] in {reference for _, reference in captures}]
    assert ours == ["15.00"] * 6
    assert [found.violations for _, found in verify(Asked(now=timezone.now())) if found.violations] == []
