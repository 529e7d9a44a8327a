"""What the routes answer, to the byte where bytes matter."""

from __future__ import annotations

import pytest

from common.models import AuditRecord, Fact
from merchants.api.rendering import instant
from payments.models import Bank, Operation, Refund, Transaction
from payments.providers.base import Outcome
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, sale_of, settle
from tests.support.api import Api, api_for, content, new_body, refusal

pytestmark = pytest.mark.django_db


def test_a_new_transaction(api: Api) -> None:
    body = new_body(
        paymentTypeId="MIGS",
        externalReference="INV/2026#7",
        description="  Invoice 7 ",
        metadata={"items": [{"price": 19.99, "quantity": 2}], "paid": False, "note": None},
        returnUrl="http://localhost:9000/back",
        customer={"name": "Nur Aisyah", "email": "nur@kedai.example", "phone": "+60 12-345 6789"},
    )

    response = api.post("/transactions", body)

    made = content(response)
    kept = Transaction.objects.get()
    payment = kept.payments.get()
    assert b'"amount":100.50,"amountCaptured":0.00,"amountRefunded":0.00' in response.content
    action = made.pop("nextAction")
    assert action.keys() == {"type", "method", "url", "fields"}
    assert (action["type"], action["method"]) == ("redirect", "POST")
    assert action["fields"]["vpc_Amount"] == "10050"
    assert made == {
        "id": kept.pk,
        "status": "PENDING",
        "fromAccountId": None,
        "toAccountId": None,
        "paymentTypeId": "migs",
        "amount": 100.5,
        "amountCaptured": 0,
        "amountRefunded": 0,
        "currencyCode": "MYR",
        "description": "Invoice 7",
        "externalReference": "INV/2026#7",
        "metadata": {"items": [{"price": 19.99, "quantity": 2}], "paid": False, "note": None},
        "failureCode": None,
        "failureReason": None,
        "payments": [
            {
                "id": payment.pk,
                "attempt": 1,
                "paymentTypeId": "migs",
                "status": "CREATED",
                "paymentTransId": payment.payment_trans_id,
                "amount": 100.5,
                "bankCode": None,
                "approvalCode": None,
                "bankReference": None,
                "failureCode": None,
                "failureReason": None,
                "createdAt": instant(payment.created_at),
                "paidAt": None,
            }
        ],
        "createdAt": instant(kept.created_at),
        "updatedAt": instant(kept.created_at),
        "expiresAt": instant(kept.expires_at),
    }
    assert (kept.payer_name, kept.payer_email, kept.payer_phone, kept.return_url, kept.live, kept.merchant_id) == (
        "Nur Aisyah",
        "nur@kedai.example",
        "+60 12-345 6789",
        "http://localhost:9000/back",
        False,
        api.merchant.pk,
    )


@pytest.mark.parametrize(
    "literal, minor", [("100", 10_000), ("0.1", 10), ("100.10", 10_010), ('"100.1"', 10_010), ("99999999999999.99", 9_999_999_999_999_999)]
)  # fmt: skip
def test_amounts_are_exact(api: Api, literal: str, minor: int) -> None:
    response = api.post("/transactions", f'{{"paymentTypeId": "migs", "amount": {literal}}}')

    assert Transaction.objects.get(pk=content(response)["id"]).amount_minor == minor
    assert f'"amount":{minor // 100}.{minor % 100:02d},'.encode() in response.content


def test_a_paid_transaction_can_be_read(api: Api) -> None:
    kept = new_transaction(api.merchant.provider_accounts.get(provider="migs"), external_reference="o1").transaction
    settle(sale_of(kept), provider_reference="P1", approval_code="A1", bank_reference="B1", now=NOW)

    read = content(api.get(f"/transactions/{kept.pk}"))

    assert (read["status"], read["amountCaptured"], read["nextAction"]) == ("COMPLETED", 100, None)
    assert read["payments"][0] | {"id": "", "paymentTransId": ""} == {
        "id": "",
        "attempt": 1,
        "paymentTypeId": "migs",
        "status": "CAPTURED",
        "paymentTransId": "",
        "amount": 100,
        "bankCode": None,
        "approvalCode": "A1",
        "bankReference": "B1",
        "failureCode": None,
        "failureReason": None,
        "createdAt": "2026-03-02T04:00:00.000Z",
        "paidAt": "2026-03-02T04:00:00.000Z",
    }
    assert content(api.get(f"/transactions/{kept.pk}/status")) == {
        "id": kept.pk,
        "status": "COMPLETED",
        "externalReference": "o1",
        "failureCode": None,
        "failureReason": None,
        "updatedAt": "2026-03-02T04:00:00.000Z",
    }


def test_a_declined_transaction_says_why(api: Api) -> None:
    kept = new_transaction(api.merchant.provider_accounts.get(provider="migs")).transaction
    settle(sale_of(kept), Outcome.DECLINED, failure_code="INSUFFICIENT_FUNDS", reason="Not enough money.")

    status = content(api.get(f"/transactions/{kept.pk}/status"))

    assert (status["status"], status["failureCode"], status["failureReason"]) == (
        "FAILED",
        "INSUFFICIENT_FUNDS",
        "Not enough money.",
    )


def test_refunds_and_the_history(api: Api) -> None:
    kept = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    path = f"/transactions/{kept.pk}/refunds"

    response = api.post(path, {"amount": "60.00", "reason": "Broken"}, key="k1")
    refund = content(response)
    Operation.objects.filter(refund=refund["id"]).update(state="SENT")
    settle(Operation.objects.get(refund=refund["id"]))
    rest = content(api.post(path, {"reason": "The rest"}, key="k2"))

    assert b'"amount":60.00' in response.content
    assert (response.status_code, refund["status"], refund["amount"], refund["reason"], refund["transactionId"]) == (
        201,
        "PENDING",
        60,
        "Broken",
        kept.pk,
    )
    assert rest["amount"] == 40
    read = content(api.get(f"/refunds/{refund['id']}"))
    assert (read["status"], read["completedAt"]) == ("SUCCEEDED", "2026-03-02T04:00:00.000Z")
    assert [item["id"] for item in content(api.get(path))["data"]] == [rest["id"], refund["id"]]
    whole = content(api.get(f"/transactions/{kept.pk}"))
    assert (whole["status"], whole["amountRefunded"]) == ("PARTIALLY_REFUNDED", 60)
    history = content(api.get(f"/transactions/{kept.pk}/events"))["data"]
    assert [(event["sequence"], event["eventType"], event["data"]["status"]) for event in history] == [
        (1, "transaction.created", "PENDING"),
        (2, "transaction.completed", "COMPLETED"),
        (3, "refund.created", "COMPLETED"),
        (4, "refund.completed", "PARTIALLY_REFUNDED"),
        (5, "refund.created", "PARTIALLY_REFUNDED"),
    ]
    assert (history[3]["data"]["refund"]["amount"], history[3]["data"]["amountRefunded"]) == (60, 60)


@pytest.mark.parametrize("amount, status", [(100, 201), (100.01, 409)])
def test_a_refund_is_at_most_what_was_captured(api: Api, amount: float, status: int) -> None:
    kept = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))

    response = api.post(f"/transactions/{kept.pk}/refunds", {"amount": amount, "reason": "x"})

    assert response.status_code == status
    assert Refund.objects.count() == (status == 201)


def test_an_unpaid_transaction_has_nothing_to_refund(api: Api) -> None:
    kept = new_transaction(api.merchant.provider_accounts.get(provider="migs")).transaction

    response = api.post(f"/transactions/{kept.pk}/refunds", {"reason": "x"})

    assert refusal(response, 409, "INVALID_STATE")["details"] == {"status": "PENDING"}


def test_what_can_be_used(api: Api) -> None:
    for code, online in (("TEST0001", True), ("TEST0002", False)):
        Bank.objects.create(
            provider="fpx", business=False, code=code, name=code.title(), online=online, refreshed_at=NOW
        )
    ProviderAccountFactory(merchant=api.merchant, provider="migs", mode="authorise")

    assert content(api.get("/payment-types"))["data"] == [
        {
            "id": "fpx",
            "name": "FPX online banking",
            "currencies": ["MYR"],
            "capture": ["automatic"],
            "banks": {"total": 2, "online": 1},
        },
        {
            "id": "migs",
            "name": "Card",
            "currencies": ["AUD", "EUR", "GBP", "MYR", "SGD", "USD"],
            "capture": ["automatic", "manual"],
            "banks": None,
        },
    ]
    assert content(api.get("/banks?paymentTypeId=FPX"))["data"] == [
        {
            "code": code,
            "name": code.title(),
            "status": status,
            "businessBanking": False,
            "refreshedAt": "2026-03-02T04:00:00.000Z",
        }
        for code, status in (("TEST0001", "ONLINE"), ("TEST0002", "OFFLINE"))
    ]
    assert content(api.get("/banks?paymentTypeId=migs"))["data"] == []
    refusal(api.get("/banks"), 400, "INVALID_REQUEST")


def test_head_is_get_without_a_body(api: Api) -> None:
    response = api.call("HEAD", "/transactions")

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "given, echoed", [("my-id_1.2", True), ("bad id", False), ("x" * 65, False), ("4111-1111-1111-1111", False)]
)
def test_the_request_id_goes_through(api: Api, given: str, echoed: bool) -> None:
    response = api.get("/transactions/none", **{"X-Request-Id": given})

    assert (response["X-Request-Id"] == given) is echoed
    refusal(response, 404, "NOT_FOUND")


def test_who_acted_is_in_the_audit(api: Api) -> None:
    api.post("/transactions", new_body(), **{"X-Request-Id": "req-77"})

    record, fact = AuditRecord.objects.get(), Fact.objects.get()
    assert (record.actor, record.request_id, fact.request_id) == (
        f"merchant:{api.merchant.code}/{api.key.prefix}",
        "req-77",
        "req-77",
    )


def test_a_method_without_an_account_is_not_available() -> None:
    api = api_for()
    api.merchant.provider_accounts.filter(provider="fpx").update(is_active=False)

    error = refusal(api.post("/transactions", new_body(paymentTypeId="fpx")), 400, "INVALID_REQUEST")

    assert list(error["details"]["fields"]) == ["paymentTypeId"]
    assert [item["id"] for item in content(api.get("/payment-types"))["data"]] == ["migs"]
