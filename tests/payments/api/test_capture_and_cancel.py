"""Capture and cancel through the door: works; refused; no reply; asked twice. The provider is the real sandbox where it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from django.utils import timezone

from common.events import EVENT_OF_FACT
from common.models import Fact
from demo.onboarding import open_migs
from payments.models import Operation, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.providers.migs.adapter import Migs
from payments.services.operations import operation_look_up, operation_run
from tests.factories import ApiKeyFactory, MerchantFactory, new_transaction, sale_of, settle
from tests.support.api import Api, api_for, content, counts, new_body, refusal
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
NOBODY = "http://127.0.0.1:1"  # callbacks and browsers come to nothing: only we ask


@pytest.fixture
def shop(sandbox: SandboxProcess) -> Api:
    """A merchant whose cards are at the sandbox, sales on one account and authorisations on the other."""
    merchant = MerchantFactory()
    for mode in ("purchase", "authorise"):
        open_migs(merchant, sandbox_url=sandbox.url, base_url=NOBODY, mode=mode)
    return Api(ApiKeyFactory(merchant=merchant))


def order(shop: Api, **changes: object) -> Transaction:
    return Transaction.objects.get(pk=content(shop.post("/transactions", new_body(**changes)))["id"])


def pay(sandbox: SandboxProcess, transaction: Transaction, decision: str = "approve") -> None:
    body = {"nextAction": transaction.payments.get().next_action, "decision": decision}
    requests.post(f"{sandbox.url}/_payer", json=body, timeout=30).raise_for_status()


def authorised(sandbox: SandboxProcess, shop: Api) -> Transaction:
    transaction = order(shop, capture="manual")
    pay(sandbox, transaction)
    operation_look_up(operation_id=sale_of(transaction).pk, now=timezone.now())
    transaction.refresh_from_db()
    assert transaction.status == "AUTHORIZED"
    return transaction


def facts(transaction: Transaction) -> list[str]:
    return list(Fact.objects.filter(subject_id=transaction.pk).order_by("sequence").values_list("name", flat=True))


def test_a_partial_capture_is_accepted_then_done(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)

    response = shop.post(f"/transactions/{transaction.pk}/capture", {"amount": "40.00"})
    operation = Operation.objects.get(kind="CAPTURE")
    operation_run(operation_id=operation.pk, now=timezone.now())

    accepted = json.loads(response.content)
    assert (response.status_code, accepted["status"], accepted["amountCaptured"]) == (202, "AUTHORIZED", 0)
    read = content(shop.get(f"/transactions/{transaction.pk}"))
    assert (read["status"], read["amountCaptured"], read["amount"]) == ("COMPLETED", 40, 100.5)
    refusal(shop.post(f"/transactions/{transaction.pk}/capture", {}), 409, "INVALID_STATE")


def capture(shop: Api, transaction: Transaction, amount: str, *, final: bool = False) -> Operation:
    """Ask for it and let a worker send it."""
    response = shop.post(f"/transactions/{transaction.pk}/capture", {"amount": amount, "final": final})
    assert (response.status_code, json.loads(response.content)["status"]) == (202, "AUTHORIZED")
    operation = Operation.objects.get(kind="CAPTURE", state="QUEUED")
    operation_run(operation_id=operation.pk, now=timezone.now())
    return operation


def shown(shop: Api, transaction: Transaction) -> tuple[str, float]:
    read = content(shop.get(f"/transactions/{transaction.pk}"))
    return read["status"], read["amountCaptured"]


def booked(sandbox: SandboxProcess, operation: Operation) -> list[tuple[str, str, str]]:
    url = f"{sandbox.url}/_books/migs"
    entries = requests.get(url, params={"reference": operation.reference}, timeout=10).json()["entries"]
    return [(entry["kind"], entry["amount"], entry["status"]) for entry in entries]


def test_an_authorisation_is_captured_in_parts(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)

    first = capture(shop, transaction, "40.00")
    after_one = shown(shop, transaction)
    refusal(shop.post(f"/transactions/{transaction.pk}/refunds", {"reason": "early"}), 409, "INVALID_STATE")
    second = capture(shop, transaction, "60.50")  # all that is left ends it, whether it was called final or not

    assert after_one == ("AUTHORIZED", 40)
    assert shown(shop, transaction) == ("COMPLETED", 100.5)
    assert [booked(sandbox, operation) for operation in (first, second)] == [
        [("charge", "40.00", "completed")],
        [("charge", "60.50", "completed")],
    ]
    assert facts(transaction)[-4:] == [
        "payment.capture_requested",
        "payment.captured_in_part",
        "payment.capture_requested",
        "payment.captured",
    ]
    assert EVENT_OF_FACT["payment.captured_in_part"] == "transaction.partially_captured"
    assert content_of_refund(shop, transaction) == 100.5


def content_of_refund(shop: Api, transaction: Transaction) -> float:
    response = shop.post(f"/transactions/{transaction.pk}/refunds", {"reason": "all of both"})
    amount: float = content(response)["amount"]
    return amount


def test_a_final_capture_lets_the_rest_go(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)
    capture(shop, transaction, "40.00")

    capture(shop, transaction, "10.00", final=True)

    assert shown(shop, transaction) == ("COMPLETED", 50)
    refusal(shop.post(f"/transactions/{transaction.pk}/capture", {}), 409, "INVALID_STATE")


def test_the_rest_is_released_and_what_was_captured_stays(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)
    capture(shop, transaction, "40.00")

    response = shop.post(f"/transactions/{transaction.pk}/cancel", {})
    release = Operation.objects.get(kind="VOID")
    operation_run(operation_id=release.pk, now=timezone.now())

    assert (response.status_code, json.loads(response.content)["status"]) == (202, "AUTHORIZED")
    assert shown(shop, transaction) == ("COMPLETED", 40)
    assert booked(sandbox, release) == [("void", "60.50", "voided")]
    assert facts(transaction)[-1] == "payment.rest_released"
    assert EVENT_OF_FACT["payment.rest_released"] == "transaction.completed"
    assert content_of_refund(shop, transaction) == 40


def test_no_more_than_the_rest_is_captured(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)
    capture(shop, transaction, "40.00")
    before = counts()

    error = refusal(shop.post(f"/transactions/{transaction.pk}/capture", {"amount": "60.51"}), 409, "INVALID_STATE")

    assert error["details"] == {"authorizedAmount": 100.5, "capturableAmount": 60.5}
    assert counts() == before


def test_a_part_that_the_bank_declines_leaves_the_rest_as_it_was(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)
    capture(shop, transaction, "40.00")

    capture(shop, transaction, "2.00")

    assert shown(shop, transaction) == ("AUTHORIZED", 40)
    capture(shop, transaction, "60.50")
    assert shown(shop, transaction) == ("COMPLETED", 100.5)


def test_a_part_without_a_reply_is_looked_up_before_the_next(sandbox: SandboxProcess, shop: Api, settings: Any) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = (1.0, 1.0)
    transaction = authorised(sandbox, shop)

    operation = capture(shop, transaction, "4.00")

    assert shown(shop, transaction) == ("AUTHORIZED", 0)
    refusal(shop.post(f"/transactions/{transaction.pk}/capture", {"amount": 5}), 409, "INVALID_STATE")
    operation_look_up(operation_id=operation.pk, now=timezone.now())
    assert shown(shop, transaction) == ("AUTHORIZED", 4)
    assert booked(sandbox, operation) == [("charge", "4.00", "completed")]


def test_a_provider_that_takes_one_capture_is_asked_for_one(
    sandbox: SandboxProcess, shop: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = authorised(sandbox, shop)
    monkeypatch.setattr(Migs, "several_captures", False)
    before = counts()

    body = {"amount": 40, "final": False}
    error = refusal(shop.post(f"/transactions/{transaction.pk}/capture", body), 409, "INVALID_STATE")

    assert error["message"] == "This payment method takes one capture only."
    assert counts() == before


def test_without_a_body_all_is_captured(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)

    response = shop.call("POST", f"/transactions/{transaction.pk}/capture")

    assert response.status_code == 202
    assert Operation.objects.get(kind="CAPTURE").amount_minor == 10_050


@pytest.mark.parametrize(
    "body, status, code",
    [
        ({"amount": "100.51"}, 409, "INVALID_STATE"),
        ({"amount": 0}, 400, "INVALID_REQUEST"),
        ({"amount": "40.001"}, 400, "INVALID_REQUEST"),
        ({"amount": 40, "final": "no"}, 400, "INVALID_REQUEST"),
        ({"amount": 40, "last": True}, 400, "INVALID_REQUEST"),
    ],
)
def test_a_capture_that_cannot_be_leaves_nothing(
    sandbox: SandboxProcess, shop: Api, body: object, status: int, code: str
) -> None:
    transaction = authorised(sandbox, shop)
    before = counts()

    refusal(shop.post(f"/transactions/{transaction.pk}/capture", body), status, code)

    assert counts() == before


def test_a_capture_asked_twice_is_one(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)

    answers = [shop.post(f"/transactions/{transaction.pk}/capture", {"amount": 40}, key="c1") for _ in range(2)]

    assert [answer.content for answer in answers] == [answers[0].content] * 2
    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
    assert Operation.objects.filter(kind="CAPTURE").count() == 1
    error = refusal(
        shop.post(f"/transactions/{transaction.pk}/capture", {"amount": 40}, key="c2"), 409, "INVALID_STATE"
    )
    assert error["message"] == "A capture or cancellation of this transaction is under way."


def test_an_authorisation_is_released(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = authorised(sandbox, shop)

    response = shop.post(f"/transactions/{transaction.pk}/cancel", {})
    operation_run(operation_id=Operation.objects.get(kind="VOID").pk, now=timezone.now())

    assert (response.status_code, json.loads(response.content)["status"]) == (202, "AUTHORIZED")
    assert content(shop.get(f"/transactions/{transaction.pk}"))["status"] == "CANCELLED"


def test_what_nobody_has_paid_is_cancelled_at_once_and_told(shop: Api) -> None:
    transaction = order(shop)

    first, again = (shop.post(f"/transactions/{transaction.pk}/cancel", {}, key="k") for _ in range(2))

    made = content(first)
    assert (first.status_code, made["status"], made["nextAction"], made["failureCode"]) == (
        200,
        "CANCELLED",
        None,
        None,
    )
    assert made["payments"][0]["status"] == "CANCELLED"
    assert content(shop.get(f"/transactions/{transaction.pk}")) == made
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert facts(transaction) == ["transaction.created", "payment.cancelled"]
    assert EVENT_OF_FACT["payment.cancelled"] == "transaction.cancelled"
    operation = sale_of(transaction)
    assert (operation.state, operation.due_at) == ("EXPIRED", None)
    refusal(shop.post(f"/transactions/{transaction.pk}/cancel", {}), 409, "INVALID_STATE")


def test_what_was_paid_unnoticed_is_not_cancelled(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = order(shop)
    pay(sandbox, transaction)

    error = refusal(shop.post(f"/transactions/{transaction.pk}/cancel", {}), 409, "INVALID_STATE")

    assert error["details"] == {"status": "COMPLETED"}
    assert facts(transaction) == ["transaction.created", "payment.captured"]


def test_what_was_authorised_unnoticed_is_released(sandbox: SandboxProcess, shop: Api) -> None:
    transaction = order(shop, capture="manual")
    pay(sandbox, transaction)

    response = shop.post(f"/transactions/{transaction.pk}/cancel", {})

    assert (response.status_code, json.loads(response.content)["status"]) == (202, "AUTHORIZED")
    assert Operation.objects.filter(kind="VOID").count() == 1


def test_a_provider_that_does_not_answer_cancels_nothing(db: None) -> None:
    shop = api_for()  # at a closed port
    transaction = order(shop)

    response = shop.post(f"/transactions/{transaction.pk}/cancel", {}, key="k")

    refusal(response, 503, "PROVIDER_UNAVAILABLE")
    transaction.refresh_from_db()
    assert (transaction.status, transaction.version) == ("PENDING", 1)
    assert sale_of(transaction).due_at is not None


def test_a_payer_at_the_bank_is_not_cut_off(shop: Api) -> None:
    transaction = order(shop)
    settle(sale_of(transaction), Outcome.PENDING)

    error = refusal(shop.post(f"/transactions/{transaction.pk}/cancel", {}), 409, "INVALID_STATE")

    assert error["details"] == {"status": "PROCESSING"}


def test_money_that_comes_later_is_kept_safe_for_a_person(shop: Api) -> None:
    transaction = order(shop)
    content(shop.post(f"/transactions/{transaction.pk}/cancel", {}))

    settle(sale_of(transaction), provider_reference="P1")

    transaction.refresh_from_db()
    assert (transaction.status, transaction.amount_captured_minor) == ("CANCELLED", 0)
    assert facts(transaction)[-1] == "payment.late_success"
    assert ReviewItem.objects.get().kind == "LATE_SUCCESS"


def test_unpaid_ones_expire_by_themselves_and_can_no_longer_be_cancelled(shop: Api) -> None:
    transaction = new_transaction(shop.merchant.provider_accounts.first()).transaction  # in the past, its time is over

    operation_look_up(operation_id=sale_of(transaction).pk, now=timezone.now())

    transaction.refresh_from_db()
    assert transaction.status == "EXPIRED"
    assert facts(transaction) == ["transaction.created", "payment.expired"]
    error = refusal(shop.post(f"/transactions/{transaction.pk}/cancel", {}), 409, "INVALID_STATE")
    assert error["details"] == {"status": "EXPIRED"}
