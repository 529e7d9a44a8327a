"""Book transfers and accounts through the API, as S2 and the contracts show them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from common.models import Fact
from notifications.models import WebhookDelivery
from notifications.services.dispatch import relay_outbox
from payments.api.v1 import schemas
from payments.models import Account, Transaction
from payments.services.accounts import account_move
from payments.services.transfer_batch import transfer_batch_run
from payments.states import AccountStatus
from tests.factories import new_account
from tests.factories.accounts import HOUSE
from tests.notifications import given
from tests.support.api import Api, api_for, content, counts, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(api: Api) -> tuple[Account, Account]:
    """acc_123 with 1,000.00 USD and acc_456 with nothing."""
    now = timezone.now()
    one = new_account(api.merchant, 100_000, account_id="acc_123", now=now)
    return one, new_account(api.merchant, account_id="acc_456", now=now)


def transfer(**changes: Any) -> dict[str, Any]:
    """The body of S2, of 400.50."""
    return {
        "fromAccountId": "acc_123",
        "toAccountId": "acc_456",
        "paymentTypeId": "wire_domestic",
        "amount": 400.50,
        "currencyCode": "USD",
        "description": "Invoice payment",
        "metadata": {"invoiceId": "INV-001"},
    } | changes


def balance(api: Api, account_id: str, at: str = "") -> dict[str, Any]:
    found: dict[str, Any] = content(api.get(f"/accounts/{account_id}/balance{at}"))
    return found


@pytest.mark.parametrize("method", ["RTP", "rtp", "wire_domestic"])
def test_a_transfer_is_completed_in_the_answer(api: Api, accounts: Any, method: str) -> None:
    response = api.post("/transactions", transfer(paymentTypeId=method, externalReference="INV-001"), key="k")

    assert response.status_code == 201
    made = content(response)
    assert b'"amount":400.50,"amountCaptured":400.50,"amountRefunded":0.00' in response.content
    assert {name: made[name] for name in ("status", "fromAccountId", "toAccountId", "paymentTypeId")} == {
        "status": "COMPLETED",
        "fromAccountId": "acc_123",
        "toAccountId": "acc_456",
        "paymentTypeId": method.lower(),
    }
    assert (made["payments"], made["nextAction"], made["expiresAt"]) == ([], None, None)
    assert content(api.get(f"/transactions/{made['id']}")) == made
    assert content(api.get("/transactions"))["data"] == [made]
    assert [fact["eventType"] for fact in content(api.get(f"/transactions/{made['id']}/events"))["data"]] == [
        "transaction.created",
        "transaction.completed",
    ]
    assert balance(api, "acc_123")["availableBalance"] == 599.5


def test_the_currency_is_the_paying_accounts_own(api: Api, accounts: Any) -> None:
    new_account(api.merchant, 7_000, currency="VND", account_id="acc_dong")
    new_account(api.merchant, currency="VND", account_id="acc_dong_2")
    body = {"fromAccountId": "acc_dong", "toAccountId": "acc_dong_2", "paymentTypeId": "rtp"}

    refusal(api.post("/transactions", body | {"amount": "70.00"}), 400, "INVALID_REQUEST")
    response = api.post("/transactions", body | {"amount": 7000})

    assert b'"amount":7000,' in response.content
    assert content(response)["currencyCode"] == "VND"


def test_balances_and_holds(api: Api, accounts: Any) -> None:
    made = content(api.post("/transactions", transfer(paymentTypeId="ACH_CREDIT", amount="1000")))
    response = api.get("/accounts/acc_123/balance")

    assert made["status"] == "PENDING"
    assert b'"availableBalance":0.00,"pendingBalance":1000.00' in response.content
    shown = content(response)
    assert shown.keys() == {"accountId", "availableBalance", "pendingBalance", "currencyCode", "asOf"}
    assert (shown["accountId"], shown["currencyCode"]) == ("acc_123", "USD")

    transfer_batch_run(now=timezone.now())

    assert content(api.get(f"/transactions/{made['id']}/status"))["status"] == "COMPLETED"
    account = content(api.get("/accounts/acc_123"))
    assert (account["availableBalance"], account["pendingBalance"], account["status"]) == (0, 0, "ACTIVE")
    assert balance(api, "acc_456")["availableBalance"] == 1000


def test_the_balance_at_a_past_time(api: Api) -> None:
    opened, moment = datetime(2026, 3, 1, tzinfo=UTC), timedelta(seconds=1)
    new_account(api.merchant, 100_000, account_id="acc_123", now=opened)
    new_account(api.merchant, account_id="acc_456", now=opened)
    before = timezone.now()
    api.post("/transactions", transfer(paymentTypeId="ach_credit"))
    waiting = timezone.now()
    transfer_batch_run(now=waiting + moment)

    def at(time: datetime) -> tuple[float, float]:
        found = balance(api, "acc_123", f"?at={quote(time.isoformat())}")
        return found["availableBalance"], found["pendingBalance"]

    assert at(opened - moment) == (0, 0)
    assert at(opened) == at(before) == (1000, 0)
    assert at(waiting) == (599.5, 400.5)
    now = balance(api, "acc_123")
    assert (now["availableBalance"], now["pendingBalance"]) == (599.5, 0)
    past = balance(api, "acc_123", "?at=2026-03-01T08:00:00%2B08:00")
    assert (past["asOf"], past["availableBalance"]) == ("2026-03-01T00:00:00.000Z", 1000)


@pytest.mark.parametrize(
    "at", ["yesterday", "2026-03-01", "2026-03-01T00:00:00", "2026-02-30T00:00:00Z", "2126-01-01T00:00:00Z"]
)
def test_a_time_that_is_none_or_to_come_is_refused(api: Api, accounts: Any, at: str) -> None:
    error = refusal(api.get(f"/accounts/acc_123/balance?at={at}"), 400, "INVALID_REQUEST")

    assert error["details"]["fields"].keys() == {"at"}


def test_entries_add_up_to_the_balance_page_by_page(api: Api, accounts: Any) -> None:
    for method in ("rtp", "ach_credit", "ach_debit"):
        api.post("/transactions", transfer(paymentTypeId=method, amount="100", externalReference=f"r-{method}"))
    transfer_batch_run(now=timezone.now())
    done = Transaction.objects.get(method="rtp")
    content(api.post(f"/transactions/{done.pk}/refunds", {"reason": "back", "amount": "30"}, key="refund"))

    entries: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(5):
        page = content(api.get(f"/accounts/acc_123/entries?limit=2{cursor}"))
        entries += page["data"]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"

    assert [(entry["type"], entry["amount"], entry["externalReference"]) for entry in entries] == [
        ("REFUND", 30, "r-rtp"),
        ("TRANSFER", -100, "r-ach_debit"),
        ("HOLD", -100, "r-ach_credit"),
        ("TRANSFER", -100, "r-rtp"),
        ("DEPOSIT", 1000, None),
    ]
    assert sum(entry["amount"] for entry in entries) == balance(api, "acc_123")["availableBalance"] == 730


def test_a_refund_of_a_transfer_is_succeeded_in_the_answer(api: Api, accounts: Any) -> None:
    made = content(api.post("/transactions", transfer()))

    refund = content(api.post(f"/transactions/{made['id']}/refunds", {"reason": "back"}, key="r"))
    error = refusal(api.post(f"/transactions/{made['id']}/refunds", {"reason": "back"}, key="r2"), 409, "INVALID_STATE")

    assert (refund["status"], refund["amount"]) == ("SUCCEEDED", 400.5)
    assert content(api.get(f"/transactions/{made['id']}"))["status"] == "REFUNDED"
    assert error["details"]["status"] == "REFUNDED"


def test_too_little_money_is_said_in_exact_numbers_and_stays_refused(api: Api, accounts: Any) -> None:
    before = counts()
    response = api.post("/transactions", transfer(amount="1000.01"), key="k")

    error = refusal(response, 422, "INSUFFICIENT_FUNDS")
    assert b'"requestedAmount":1000.01,"availableBalance":1000.00' in response.content
    assert error["details"] == {"accountId": "acc_123", "requestedAmount": 1000.01, "availableBalance": 1000}
    assert counts() == before | {"IdempotencyRecord": 1}
    new_account(api.merchant, 10_000, account_id="acc_more")
    content(api.post("/transactions", transfer(fromAccountId="acc_more", toAccountId="acc_123", amount=100)))
    again = api.post("/transactions", transfer(amount="1000.01"), key="k")
    assert (again.content, again["Idempotent-Replayed"]) == (response.content, "true")


def test_asked_twice_is_moved_once(api: Api, accounts: Any) -> None:
    body = transfer(amount="600")

    first = api.post("/transactions", body, key="k")
    again = api.post("/transactions", body, key="k")  # only 400.00 is left
    refusal(api.post("/transactions", transfer(amount="600.01"), key="k"), 422, "IDEMPOTENCY_KEY_REUSED")

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert balance(api, "acc_123")["availableBalance"] == 400


def test_a_repeated_reference_without_a_key_returns_the_original(api: Api, accounts: Any) -> None:
    body = transfer(amount="600", externalReference="INV-1")

    first = api.post("/transactions", body)
    again = api.post("/transactions", body)
    refusal(api.post("/transactions", body | {"toAccountId": "acc_nobody"}), 404, "NOT_FOUND")
    refusal(api.post("/transactions", body | {"amount": "1"}), 409, "DUPLICATE_PAYMENT")

    assert (again.status_code, content(again)["id"]) == (200, content(first)["id"])
    assert balance(api, "acc_123")["availableBalance"] == 400


@pytest.mark.parametrize("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_an_account_that_is_not_active(api: Api, accounts: Any, status: AccountStatus) -> None:
    account_move(account_id="acc_456", to=status, actor=HOUSE, reason="test", now=timezone.now())

    error = refusal(api.post("/transactions", transfer()), 422, "INVALID_ACCOUNT_STATUS")

    assert error["details"] == {"accountId": "acc_456", "status": status}


@pytest.mark.parametrize("side", ["fromAccountId", "toAccountId"])
@pytest.mark.parametrize("currency", ["USD", None])
def test_another_merchants_account_is_like_none(api: Api, accounts: Any, side: str, currency: str | None) -> None:
    theirs, other_mode = new_account(minor=5_000), new_account(api.merchant, 5_000, live=True)
    before = counts()

    errors = [
        refusal(api.post("/transactions", transfer(**{side: pk}, currencyCode=currency), key="k"), 404, "NOT_FOUND")
        for pk in (theirs.pk, other_mode.pk, "acc_nobody", "x' OR 1=1 --", "аcc_123")
    ]

    assert {(error["message"], str(error["details"])) for error in errors} == {("There is no such account.", "{}")}
    assert counts() == before


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"toAccountId": "acc_123"}, "toAccountId"),
        ({"toAccountId": None}, "toAccountId"),
        ({"fromAccountId": ""}, "fromAccountId"),
        ({"fromAccountId": 123}, "fromAccountId"),
        ({"fromAccountId": {"id": "acc_123"}}, "fromAccountId"),
        ({"toAccountId": "a" * 41}, "toAccountId"),
        ({"amount": None}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "1e2"}, "amount"),
        ({"amount": "10.005"}, "amount"),
        ({"amount": "1,000.00"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "9" * 16}, "amount"),
        ({"description": "x" * 256}, "description"),
        ({"externalReference": "a b"}, "externalReference"),
        ({"metadata": []}, "metadata"),
        ({"returnUrl": "https://shop.example/"}, "returnUrl"),
        ({"bankCode": "TEST0001"}, "bankCode"),
        ({"capture": "manual"}, "capture"),
        ({"customer": {"name": "x"}}, "customer"),
        ({"status": "COMPLETED"}, "status"),
    ],
)
def test_bad_input_is_named_and_moves_nothing(api: Api, accounts: Any, changes: dict[str, Any], field: str) -> None:
    before = counts()

    error = refusal(api.post("/transactions", transfer(**changes), key="k"), 400, "INVALID_REQUEST")

    assert error["details"]["fields"].keys() == {field}
    assert counts() == before


@pytest.mark.parametrize("currency", ["usd", "XXX", "EUR", "US"])
def test_a_currency_that_is_not_the_accounts(api: Api, accounts: Any, currency: str) -> None:
    refusal(api.post("/transactions", transfer(currencyCode=currency)), 422, "UNSUPPORTED_CURRENCY")


def test_accounts_are_for_transfers_only(api: Api, accounts: Any) -> None:
    error = refusal(api.post("/transactions", transfer(paymentTypeId="migs")), 400, "INVALID_REQUEST")

    assert error["details"]["fields"].keys() == {"fromAccountId", "toAccountId"}


def test_the_types_are_listed_for_who_has_accounts(api: Api, accounts: Any) -> None:
    new_account(api.merchant, currency="EUR")
    listed = {kind["id"]: kind for kind in content(api.get("/payment-types"))["data"]}

    assert listed.keys() >= {"rtp", "wire_domestic", "ach_credit", "ach_debit", "migs"}
    assert listed["rtp"]["currencies"] == ["EUR", "USD"]
    assert listed["rtp"]["banks"] is None
    assert {kind["id"] for kind in content(api_for().get("/payment-types"))["data"]} == {"fpx", "migs"}


def test_the_list_holds_ones_own_accounts_in_this_mode(api: Api, accounts: Any) -> None:
    new_account(api.merchant, live=True)
    new_account()

    pages = [content(api.get("/accounts?limit=1"))]
    pages.append(content(api.get(f"/accounts?limit=1&cursor={pages[0]['nextCursor']}")))

    assert [page["data"][0]["id"] for page in pages] == ["acc_456", "acc_123"]
    assert pages[1]["nextCursor"] is None


def test_the_answers_have_the_fields_that_are_described(api: Api, accounts: Any) -> None:
    content(api.post("/transactions", transfer()))

    assert content(api.get("/accounts/acc_123")).keys() == schemas.AccountOut().fields.keys()
    assert balance(api, "acc_123").keys() == schemas.BalanceOut().fields.keys()
    for entry in content(api.get("/accounts/acc_123/entries"))["data"]:
        assert entry.keys() == schemas.EntryOut().fields.keys()


def test_merchants_hear_of_the_transfer_and_of_both_balances(api: Api, accounts: Any) -> None:
    relay_outbox(now=timezone.now())
    given.endpoint(merchant_id=api.merchant.pk)
    made = content(api.post("/transactions", transfer(externalReference="INV-1")))

    relay_outbox(now=timezone.now())

    told = {row.event_type + row.transaction_id: bytes(row.body) for row in WebhookDelivery.objects.all()}
    bodies = [json.loads(bytes(row.body)) for row in WebhookDelivery.objects.order_by("event_type", "sequence")]
    assert [(body["eventType"], body["sequence"]) for body in bodies] == [
        ("account.balance.updated", 2),
        ("account.balance.updated", 3),
        ("transaction.completed", 2),
        ("transaction.created", 1),
    ]
    assert [body["data"]["accountId"] for body in bodies[:2]] == ["acc_456", "acc_123"]
    assert [body["data"]["status"] for body in bodies[2:]] == ["COMPLETED", "PENDING"]
    done = bodies[2]["data"]
    assert (done["transactionReference"], done["externalReference"]) == (made["id"], "INV-1")
    assert (done["fromAccountId"], done["toAccountId"]) == ("acc_123", "acc_456")
    assert b'"amount":400.50' in told[f"transaction.completed{made['id']}"]
    row = WebhookDelivery.objects.get(event_type="account.balance.updated", sequence=3)
    assert b'"availableBalance":599.50' in bytes(row.body)
    assert b'"pendingBalance":0.00' in bytes(row.body)
    assert not Fact.objects.filter(published_at=None).exists()
