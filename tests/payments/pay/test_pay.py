"""/pay/{token}: the payer sees what is paid to whom, and is led to the provider or told the result."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.core.signing import Signer
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.models import Payment, Transaction
from payments.providers.base import Outcome
from payments.services.pay_links import pay_url, transaction_of
from tests.factories import ProviderAccountFactory, new_transaction, sale_of, settle
from tests.payments.eps.given import ask, checksum_of, merchant_with

pytestmark = pytest.mark.django_db


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {html.unescape(name): html.unescape(value) for name, value in found}


def open_page(transaction: Transaction, **headers: str):
    path = pay_url(transaction.pk).split("/pay/")[1]
    return Client().get(f"/pay/{path}", headers=headers)


def transaction_by(provider="fpx", **changes):
    changes.setdefault("now", timezone.now())
    return new_transaction(ProviderAccountFactory(provider=provider), **changes).transaction


def test_token_is_ours_or_nothing():
    token = pay_url("txn_1").split("/pay/")[1]
    assert transaction_of(token) == "txn_1"
    for forged in (
        "txn_1", token[:-1], token + "x", token.replace("txn_1", "txn_2"), Signer().sign("txn_1"), "", ":", "é:é", "a" * 5000,
    ):  # fmt: skip
        assert transaction_of(forged) is None


@pytest.mark.parametrize("token", ["x", "txn_1:abc", "%00", "%ff", "a" * 3000, "é"])
def test_bad_token_is_not_found(token):
    response = Client().get(f"/pay/{token}")
    assert response.status_code == 404
    assert b"No such payment" in response.content


@pytest.mark.parametrize(
    ("provider", "button"), [("fpx", "Continue to your bank"), ("migs", "Continue to card payment")]
)
def test_payer_is_sent_to_the_provider_with_its_signed_fields(provider, button):
    transaction = transaction_by(provider, external_reference="ORDER-7", description="Permit <b>12</b>")

    response = open_page(transaction)

    page, action = response.content.decode(), Payment.objects.get().next_action
    assert response.status_code == 200
    assert fields_of(page) == action["fields"]
    assert f'method="post" action="{action["url"]}"' in page
    assert all(text in page for text in (transaction.merchant.name, "100.00", "MYR", "ORDER-7", button, "Test payment"))
    assert "Permit &lt;b&gt;12&lt;/b&gt;" in page
    assert response["Cache-Control"] == "no-store"


def test_page_runs_no_inline_script_and_loads_nothing_from_elsewhere():
    response = open_page(transaction_by())

    page = response.content.decode()
    assert re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL) == [
        (' src="/static/payments/pay.js" defer', "")
    ]
    assert not re.search(r"\son\w+=|style=|<style", page)
    assert re.findall(r'(?:src|href)="(?!/static/|\?lang=)[^"]*"', page) == []
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["form-action"] == "'self' https: http:"  # the provider and the merchant are elsewhere


def test_provider_that_is_reached_by_get_gets_a_redirect():
    transaction = transaction_by()
    Payment.objects.update(
        next_action={
            "type": "redirect",
            "method": "GET",
            "url": "https://bank.example/pay",
            "fields": {"a": "1 &", "b": "é"},
        }
    )

    response = open_page(transaction)

    assert response.status_code == 303
    assert response["Location"] == "https://bank.example/pay?a=1+%26&b=%C3%A9"


@pytest.mark.parametrize(
    ("outcome", "failure", "title"),
    [
        (Outcome.SUCCEEDED, "", "Paid"),
        (Outcome.DECLINED, "DECLINED", "Payment declined"),
        (Outcome.DECLINED, "INSUFFICIENT_FUNDS", "There is not enough money"),
        (Outcome.DECLINED, "CANCELLED_BY_PAYER", "You cancelled the payment"),
        (Outcome.PENDING, "", "Being checked"),
    ],
)
def test_result_is_told_and_the_provider_not_offered_again(outcome, failure, title):
    transaction = transaction_by()
    settle(sale_of(transaction), outcome, failure_code=failure)

    page = open_page(transaction).content.decode()

    assert title in page
    assert "fpx_" not in page


def test_expired_transaction_is_told():
    transaction = transaction_by()
    settle(sale_of(transaction), Outcome.NOT_FOUND, now=timezone.now() + timedelta(days=1))
    assert "Time has run out" in open_page(transaction).content.decode()


def test_payer_whose_time_is_over_is_not_sent_to_the_provider():
    """Nor told to pay again before the provider was asked a last time."""
    page = open_page(transaction_by(now=timezone.now() - timedelta(hours=1))).content.decode()
    assert "Being checked" in page
    assert "fpx_" not in page


def test_eps_result_page_has_the_signed_answer_to_take_back():
    merchant = merchant_with()
    ask(merchant, TRANS_ID="T1", RESPONSE_URL="https://kedai.example/kembali?x=1&y=2")
    transaction = Transaction.objects.get()
    settle(sale_of(transaction), approval_code="A1", now=timezone.now())

    page = open_page(transaction).content.decode()

    fields = fields_of(page)
    assert 'action="https://kedai.example/kembali?x=1&amp;y=2"' in page
    assert (fields["STATUS"], fields["STATUS_CODE"], fields["APPROVAL_CODE"]) == ("SUCCESS", "00", "A1")
    assert fields["CHECKSUM"] == checksum_of(merchant, "response", fields)
    assert "data-autosubmit" not in page  # a reader of the result is not carried off


def test_live_payment_has_no_test_note():
    transaction = new_transaction(ProviderAccountFactory(live=True), now=timezone.now()).transaction
    assert "Test payment" not in open_page(transaction).content.decode()


def test_post_changes_nothing():
    transaction = transaction_by()
    assert Client().post(pay_url(transaction.pk).split("8000")[1]).status_code == 405


def test_database_away_is_told_politely():
    transaction = transaction_by()

    def lost(*args, **kwargs):
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(lost):
        response = open_page(transaction)

    assert response.status_code == 503
    assert b"Reload this page" in response.content


def test_page_takes_one_round_trip_to_the_database():
    transaction = transaction_by()
    with CaptureQueriesContext(connection) as queries:
        open_page(transaction)
    assert len(queries) == 1
