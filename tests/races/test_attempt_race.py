"""A payer's impatience: many retries at once, and retries against the answer of the payment before."""

from __future__ import annotations

import pytest
from django.utils import timezone

from common.books import Asked, verify
from common.changes import Actor
from common.errors import InvalidState
from payments.models import Operation, Payment, ReviewItem
from payments.providers.base import Outcome
from payments.services.pages import page_attempt
from tests.factories import MerchantFactory, ProviderAccountFactory, attempt, new_hosted, settle
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)
PAYER = Actor("payer")


def page():
    merchant = MerchantFactory()
    ProviderAccountFactory(merchant=merchant, provider="migs")
    return new_hosted(ProviderAccountFactory(merchant=merchant), now=timezone.now())


def books_are_right() -> None:
    assert [found.violations for _, found in verify(Asked(now=timezone.now())) if found.violations] == []


@pytest.mark.parametrize("repeat", range(4))
def test_sixteen_retries_at_once_open_one_payment(repeat: int) -> None:
    hosted = page()
    settle(attempt(hosted, now=timezone.now()), Outcome.DECLINED, now=timezone.now())

    def retry(number: int) -> object:
        return page_attempt(
            transaction_id=hosted.pk, method=("migs", "fpx")[number % 2], actor=PAYER, now=timezone.now()
        )

    results = race(16, retry)

    opened = {result.pk for result in results if isinstance(result, Payment)}
    assert len(opened) == 1
    assert all(isinstance(result, InvalidState) for result in results if isinstance(result, Exception))
    assert list(hosted.payments.order_by("attempt").values_list("attempt", "state")) == [
        (1, "DECLINED"),
        (2, "CREATED"),
    ]
    assert Operation.objects.count() == 2
    books_are_right()


@pytest.mark.parametrize("repeat", range(4))
def test_a_retry_while_the_payment_before_is_paid_opens_nothing(repeat: int) -> None:
    hosted = page()
    first = attempt(hosted, now=timezone.now())

    def act(number: int) -> object:
        if number % 4 == 0:
            return settle(first, now=timezone.now())
        return page_attempt(transaction_id=hosted.pk, method="migs", actor=PAYER, now=timezone.now())

    results = race(12, act)

    hosted.refresh_from_db()
    assert (hosted.status, hosted.amount_captured_minor) == ("COMPLETED", 10_000)
    assert Payment.objects.count() == 1
    assert sum(isinstance(result, InvalidState) for result in results) == 9
    assert not ReviewItem.objects.exists()
    books_are_right()
