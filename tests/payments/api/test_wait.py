"""`Prefer: wait=N`: the answer comes with the outcome, at the latest after N seconds, and never starves other requests."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from merchants.models import IdempotencyRecord
from merchants.services.idempotency import IdempotencyKey, Reply
from payments.api.v1 import waiting
from payments.api.v1.waiting import wished_seconds
from payments.models import Transaction
from tests.factories import captured_transaction, new_transaction, sale_of, settle
from tests.support.api import Api, content, new_body, refusal
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


def unpaid(api: Api) -> Transaction:
    return new_transaction(api.merchant.provider_accounts.get(provider="migs")).transaction


def paid_meanwhile() -> threading.Thread:
    """A payer who pays as soon as the transaction is there."""

    def pay() -> None:
        while (transaction := Transaction.objects.first()) is None:
            pass
        settle(sale_of(transaction))
        connection.close()

    thread = threading.Thread(target=pay)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("WAIT = 3; x=1", 3),
        ('wait="4"', 4),
        ("wait=600", 25),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait", 0),
        ("await=5", 0),
        ("", 0),
    ],
)
def test_what_callers_wish(header: str, seconds: int) -> None:
    assert wished_seconds(RequestFactory().get("/", headers={"Prefer": header})) == seconds


@pytest.mark.parametrize("path", ["", "/status"])
def test_the_state_comes_with_the_outcome(api: Api, path: str) -> None:
    transaction = unpaid(api)
    payer = paid_meanwhile()

    response = api.get(f"/transactions/{transaction.pk}{path}", Prefer="wait=20")
    payer.join()

    assert content(response)["status"] == "COMPLETED"
    assert response["Preference-Applied"] == "wait=20"


def test_nobody_waits_longer_than_asked_nor_for_what_is_known(api: Api) -> None:
    transaction, known = unpaid(api), captured_transaction(api.merchant.provider_accounts.get(provider="migs"))

    started = time.monotonic()
    response = api.get(f"/transactions/{transaction.pk}/status", Prefer="wait=1")
    waited = time.monotonic() - started
    at_once = api.get(f"/transactions/{known.pk}/status", Prefer="wait=25")

    assert (content(response)["status"], response["Preference-Applied"]) == ("PENDING", "wait=1")
    assert 1 <= waited < 5
    assert at_once["Preference-Applied"] == "wait=25"
    assert time.monotonic() - started < 10
    refusal(api.get("/transactions/txn_unknown/status", Prefer="wait=25"), 404, "NOT_FOUND")


def test_a_new_transaction_is_answered_with_its_outcome_and_so_is_its_repeat(api: Api) -> None:
    payer = paid_meanwhile()

    first = api.post("/transactions", new_body(), key="k1", Prefer="wait=20")
    payer.join()
    again = api.post("/transactions", new_body(), key="k1", Prefer="wait=20")

    assert (first.status_code, json.loads(first.content)["status"]) == (201, "COMPLETED")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")


def test_a_repeat_while_the_first_waits_is_told_so_and_later_gets_the_same_bytes(api: Api) -> None:
    def act(number: int) -> HttpResponse:
        if number == 0:
            return api.post("/transactions", new_body(), key="k1", Prefer="wait=20")
        while not Transaction.objects.exists():
            pass
        meanwhile = api.post("/transactions", new_body(), key="k1", Prefer="wait=20")
        settle(sale_of(Transaction.objects.get()))
        return meanwhile

    first, meanwhile = race(2, act)
    again = api.post("/transactions", new_body(), key="k1")

    assert (first.status_code, json.loads(first.content)["status"]) == (201, "COMPLETED")
    refusal(meanwhile, 409, "REQUEST_IN_PROGRESS")
    assert meanwhile["Retry-After"] == "1"
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    assert Transaction.objects.count() == 1


def test_what_was_stored_becomes_the_answer_if_the_first_caller_is_gone(api: Api) -> None:
    content(api.post("/transactions", new_body(), key="k1"))
    record = IdempotencyRecord.objects.get()
    IdempotencyRecord.objects.update(
        held_until=timezone.now() - timedelta(seconds=1)
    )  # its process died while it waited
    settle(sale_of(Transaction.objects.get()))

    again = api.post("/transactions", new_body(), key="k1")
    key = IdempotencyKey(api.merchant.pk, False, "k1", bytes(record.fingerprint))
    late = key.let_go(Reply(201, b"another body"))  # it was only slow: it has to answer what has been answered

    assert (again.content, again["Idempotent-Replayed"]) == (bytes(record.body), "true")
    assert late == Reply(201, bytes(record.body))
    assert json.loads(again.content)["status"] == "PENDING"


def test_a_busy_server_holds_nothing_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    waiting._places.acquire()

    first = api.post("/transactions", new_body(), key="k1", Prefer="wait=20")
    again = api.post("/transactions", new_body(), key="k1", Prefer="wait=20")

    assert "Preference-Applied" not in first
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")


def test_only_a_few_wait_and_the_others_are_answered_at_once(api: Api) -> None:
    transaction = unpaid(api)

    answers = race(10, lambda number: api.get(f"/transactions/{transaction.pk}/status", Prefer="wait=2"))

    assert [answer.status_code for answer in answers] == [200] * 10
    assert sum("Preference-Applied" in answer for answer in answers) == waiting.MOST_WAITING
    assert "Preference-Applied" in api.get(f"/transactions/{transaction.pk}/status", Prefer="wait=1")
