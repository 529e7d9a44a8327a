"""POST /transactions without a method: the payer chooses on our page, and `payments` lists the attempts."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Transaction
from payments.providers.base import Outcome
from payments.services.pay_links import pay_url
from payments.states import TransactionStatus
from tests.factories import attempt, settle
from tests.support.api import Api, api_for, content, counts, refusal

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"amount": 100.50, "currencyCode": "MYR", "returnUrl": "https://kedai.example/done", "externalReference": "o1"}


def test_the_answer_leads_to_our_page(api: Api) -> None:
    with CaptureQueriesContext(connection) as warm:
        made = content(api.post("/transactions", BODY, key="k"))

    kept = Transaction.objects.get()
    assert made["nextAction"] == {"type": "redirect", "method": "GET", "url": pay_url(kept.pk), "fields": {}}
    assert (made["status"], made["paymentTypeId"], made["payments"]) == ("PENDING", None, [])
    assert (kept.hosted, kept.manual_capture, kept.return_url) == (True, False, "https://kedai.example/done")
    assert len([query for query in warm if "INSERT INTO" in query["sql"]]) == 1


def test_the_same_key_and_the_same_reference_give_the_first(api: Api) -> None:
    first = api.post("/transactions", BODY, key="k")
    settle(attempt(Transaction.objects.get(), "migs"), Outcome.DECLINED)

    again, by_reference = api.post("/transactions", BODY, key="k"), api.post("/transactions", BODY, key="k2")

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert (by_reference.status_code, content(by_reference)["id"]) == (200, content(first)["id"])
    assert [payment["status"] for payment in content(by_reference)["payments"]] == ["DECLINED"]
    refusal(api.post("/transactions", BODY | {"amount": 1}, key="k3"), 409, "DUPLICATE_PAYMENT")
    assert Transaction.objects.count() == 1


def test_attempts_are_listed_and_the_page_stays_the_next_action(api: Api) -> None:
    made = content(api.post("/transactions", BODY, key="k"))
    kept = Transaction.objects.get()
    settle(attempt(kept, "fpx", bank_code="TEST0002"), Outcome.DECLINED, failure_code="INSUFFICIENT_FUNDS")

    waiting = content(api.get(f"/transactions/{kept.pk}"))
    attempt(kept, "migs")
    again = content(api.get(f"/transactions/{kept.pk}"))
    settle(kept.payments.get(attempt=2).operations.get(), amount=kept.amount)
    paid = content(api.get(f"/transactions/{kept.pk}"))

    assert (waiting["status"], waiting["failureCode"], waiting["nextAction"]) == ("PENDING", None, made["nextAction"])
    first = waiting["payments"][0]
    assert (first["attempt"], first["paymentTypeId"], first["bankCode"], first["status"], first["failureCode"]) == (
        1, "fpx", "TEST0002", "DECLINED", "INSUFFICIENT_FUNDS",
    )  # fmt: skip
    assert again["nextAction"] == made["nextAction"]
    assert (paid["status"], paid["paymentTypeId"], paid["nextAction"]) == ("COMPLETED", "migs", None)
    assert [payment["status"] for payment in paid["payments"]] == ["DECLINED", "CAPTURED"]
    names = [event["eventType"] for event in content(api.get(f"/transactions/{kept.pk}/events"))["data"]]
    assert names == [
        "transaction.created", "payment.opened", "payment.attempt_declined", "payment.opened", "transaction.completed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"returnUrl": None}, "paymentTypeId"),
        ({"paymentTypeId": ""}, "paymentTypeId"),
        ({"bankCode": "TEST0001"}, "bankCode"),
        ({"fromAccountId": "acc_1"}, "fromAccountId"),
        ({"returnUrl": "http://kedai.example/"}, "returnUrl"),
        ({"hosted": True}, "hosted"),
    ],
)
def test_what_does_not_belong_together_is_refused(api: Api, changes: dict[str, object], named: str) -> None:
    before = counts()
    error = refusal(api.post("/transactions", BODY | changes, key="k"), 400, "INVALID_REQUEST")
    assert named in error["details"]["fields"]
    assert counts() == before


def test_a_currency_that_nothing_takes_is_refused(api: Api) -> None:
    before = counts()
    refusal(
        api.post("/transactions", BODY | {"currencyCode": "VND", "amount": 100}, key="k"), 422, "UNSUPPORTED_CURRENCY"
    )
    assert counts() == before


def test_it_is_cancelled_by_its_merchant_and_nobody_else(api: Api) -> None:
    made = content(api.post("/transactions", BODY, key="k"))

    refusal(api_for().post(f"/transactions/{made['id']}/cancel", {}, key="c"), 404, "NOT_FOUND")
    cancelled = content(api.post(f"/transactions/{made['id']}/cancel", {}, key="c"))

    assert (cancelled["status"], cancelled["nextAction"]) == (TransactionStatus.CANCELLED, None)
