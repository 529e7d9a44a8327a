"""A merchant's 32 impatient copies of one request: one payment, and 32 times the same answer."""

from __future__ import annotations

import pytest

from common.models import AuditRecord, Fact
from payments.models import Operation, Payment, Transaction
from tests.payments.eps.given import merchant_with, post, request_fields
from tests.support.race import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("repeat", range(5))
def test_32_copies_of_a_request_are_one_payment(repeat):
    fields = request_fields(merchant_with())

    answers = race(32, lambda n: post("request", fields))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [model.objects.count() for model in (Transaction, Payment, Operation, Fact, AuditRecord)] == [1] * 5


def test_copies_that_differ_are_refused_but_for_the_first():
    merchant = merchant_with()
    requests = [request_fields(merchant, AMOUNT=f"{n + 1}.00") for n in range(16)]

    answers = race(16, lambda n: post("request", requests[n]))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    assert Transaction.objects.count() == Fact.objects.count() == 1
