"""One key, one effect, one answer (reliability 1D), with real threads on a real database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from merchants.models import IdempotencyRecord
from merchants.services.idempotency import reap_records
from payments.models import Payment, Refund, Transaction
from payments.providers.base import Outcome
from tests.factories import captured_transaction, sale_of, settle
from tests.support.api import Api, api_for, counts, new_body, refusal
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)
REPLAYED = "Idempotent-Replayed"


def test_fifty_repeats_get_the_same_bytes(api: Api) -> None:
    first = api.post("/transactions", new_body(externalReference="order-1"), key="k1")
    before = counts()

    repeats = [api.post("/transactions", new_body(externalReference="order-1"), key="k1") for _ in range(50)]

    assert (first.status_code, REPLAYED in first) == (201, False)
    assert {(repeat.status_code, repeat.content, repeat[REPLAYED]) for repeat in repeats} == {
        (201, first.content, "true")
    }
    assert counts() == before
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize("reference", [None, "order-1"])
def test_32_at_once_make_one_payment(api: Api, reference: str | None) -> None:
    body = new_body(externalReference=reference) if reference else new_body()

    answers = race(32, lambda _: api.post("/transactions", body, key="k1"))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum(REPLAYED not in answer for answer in answers) == 1
    assert (Transaction.objects.count(), Payment.objects.count(), IdempotencyRecord.objects.count()) == (1, 1, 1)


def test_32_at_once_without_a_key_make_one_payment_of_a_reference(api: Api) -> None:
    answers = race(32, lambda _: api.post("/transactions", new_body(externalReference="order-1")))

    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
    assert len({json.loads(answer.content)["id"] for answer in answers}) == 1
    assert Transaction.objects.count() == 1


def test_32_refunds_at_once_under_one_key_are_one(api: Api) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    path = f"/transactions/{transaction.pk}/refunds"

    answers = race(32, lambda _: api.post(path, {"amount": 60, "reason": "x"}, key="k1"))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert Refund.objects.count() == 1


def test_spaces_and_order_do_not_make_another_body(api: Api) -> None:
    first = api.post("/transactions", b'{"paymentTypeId":"migs","amount":100.50}', key="k1")

    again = api.post("/transactions", b'{ "amount": 100.50,\n "paymentTypeId": "migs" }', key="k1")

    assert (again.status_code, again.content) == (201, first.content)


@pytest.mark.parametrize("changes", [{"amount": 100.51}, {"description": "x"}, {"metadata": {"a": 1}}, {"amount": "x"}])
def test_another_body_under_the_key_does_nothing(api: Api, changes: dict[str, object]) -> None:
    for reference in ({}, {"externalReference": "order-1"}):
        key = f"k{len(reference)}"
        api.post("/transactions", new_body(**reference), key=key)
        before = counts()

        refusal(api.post("/transactions", new_body(**reference, **changes), key=key), 422, "IDEMPOTENCY_KEY_REUSED")

        assert counts() == before


def test_the_key_of_another_route_is_used_up(api: Api) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    api.post("/transactions", new_body(), key="k1")

    response = api.post(f"/transactions/{transaction.pk}/refunds", {"reason": "x"}, key="k1")

    refusal(response, 422, "IDEMPOTENCY_KEY_REUSED")
    assert Refund.objects.count() == 0


def test_a_refusal_after_execution_began_is_kept(api: Api) -> None:
    transaction = captured_transaction(api.merchant.provider_accounts.get(provider="migs"))
    path = f"/transactions/{transaction.pk}/refunds"
    first = api.post(path, {"amount": 100.01, "reason": "x"}, key="k1")
    refusal(first, 409, "INVALID_STATE")
    assert json.loads(first.content)["error"]["details"] == {"requestedAmount": 100.01, "refundableAmount": 100.0}
    assert b'"refundableAmount":100.00' in first.content

    again = api.post(path, {"amount": 100.01, "reason": "x"}, key="k1")

    assert (again.status_code, again.content, again[REPLAYED]) == (409, first.content, "true")
    assert REPLAYED not in first


def test_a_mistake_before_execution_is_not_kept(api: Api) -> None:
    refusal(api.post("/transactions", new_body(amount=-1), key="k1"), 400, "INVALID_REQUEST")
    refusal(api.post("/transactions", new_body(currencyCode="JPY", amount=1), key="k1"), 422, "UNSUPPORTED_CURRENCY")
    assert IdempotencyRecord.objects.count() == 0

    assert api.post("/transactions", new_body(), key="k1").status_code == 201


def test_a_reference_returns_the_original_or_a_clash(api: Api) -> None:
    first = json.loads(api.post("/transactions", new_body(externalReference="order-1")).content)

    again = api.post("/transactions", new_body(externalReference="order-1"))
    clash = api.post("/transactions", new_body(externalReference="order-1", amount=1))

    assert (again.status_code, again[REPLAYED], json.loads(again.content)) == (200, "true", first)
    error = refusal(clash, 409, "DUPLICATE_PAYMENT")
    assert error["details"] == {"externalReference": "order-1", "transactionId": first["id"]}
    assert Transaction.objects.count() == 1


def test_a_new_key_for_an_old_reference_keeps_its_own_answer(api: Api) -> None:
    api.post("/transactions", new_body(externalReference="order-1"), key="k1")
    second = api.post("/transactions", new_body(externalReference="order-1"), key="k2")
    assert (second.status_code, second[REPLAYED]) == (200, "true")
    settle(sale_of(Transaction.objects.get()), Outcome.PENDING, now=timezone.now())

    again = api.post("/transactions", new_body(externalReference="order-1"), key="k2")

    assert (again.status_code, again.content) == (200, second.content)
    assert Transaction.objects.count() == 1


def test_after_72_hours_the_reference_still_protects(api: Api) -> None:
    first = json.loads(api.post("/transactions", new_body(externalReference="order-1"), key="k1").content)
    assert reap_records(now=timezone.now() + timedelta(hours=71)) == 0
    assert reap_records(now=timezone.now() + timedelta(hours=73)) == 1

    again = api.post("/transactions", new_body(externalReference="order-1"), key="k1")

    assert (again.status_code, json.loads(again.content)["id"]) == (200, first["id"])
    assert Transaction.objects.count() == 1


def test_keys_and_references_cross_neither_merchants_nor_modes(api: Api) -> None:
    callers = [api, api_for(api.merchant, live=True), api_for()]

    answers = [caller.post("/transactions", new_body(externalReference="order-1"), key="k1") for caller in callers]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({json.loads(answer.content)["id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    "live, setting, status", [(True, None, 400), (False, None, 201), (True, False, 201), (False, True, 400)]
)
def test_whether_protection_is_asked_for(live: bool, setting: bool | None, status: int) -> None:
    api = api_for(live=live)
    api.merchant.require_idempotency = setting
    api.merchant.save()

    response = api.post("/transactions", new_body())

    assert response.status_code == status
    if status == 400:
        refusal(response, 400, "IDEMPOTENCY_KEY_REQUIRED")
        assert Transaction.objects.count() == 0
        assert api.post("/transactions", new_body(externalReference="order-1")).status_code == 201
        assert api.post("/transactions", new_body(), key="k1").status_code == 201
