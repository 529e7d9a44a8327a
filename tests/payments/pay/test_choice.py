"""/pay/{token} of a hosted transaction: what the payer can choose, sees while it is open, and gets told at the end."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from common.changes import Actor
from common.models import AuditRecord
from common.money import Money
from merchants.models import ProviderAccount
from merchants.selectors import forget_accounts
from payments.models import Bank, Operation, Payment, ReviewItem, Transaction
from payments.providers.base import Outcome
from payments.services.captures import capture_request
from payments.services.pay_links import pay_path
from payments.states import Decision
from tests.factories import MerchantFactory, ProviderAccountFactory, attempt, new_hosted, new_transaction, settle
from tests.payments.callbacks.messages import FORM, fpx_ac
from tests.payments.deciding import decided
from tests.payments.pay.test_pay import fields_of
from tests.payments.verify.books import wrong
from tests.support.api import counts

pytestmark = pytest.mark.django_db


@pytest.fixture
def banks(db):
    for code, name, online, business in (
        ("MERA0101", "Bank Merantau", True, False),
        ("MB2U0227", "Maybank2U", True, False),
        ("SERI0112", "Serí Bank", False, False),
        ("CORP0001", "Corporate Bank", True, True),
    ):
        Bank.objects.create(
            provider="fpx", business=business, code=code, name=name, online=online, refreshed_at=timezone.now()
        )


@pytest.fixture
def hosted(banks) -> Transaction:
    merchant = MerchantFactory(time_zone="Asia/Kuala_Lumpur")
    ProviderAccountFactory(merchant=merchant, provider="migs")
    return new_hosted(
        ProviderAccountFactory(merchant=merchant),
        now=timezone.now(),
        return_url="https://kedai.example/done",
        external_reference="ORDER-7",
        description="Permit <b>12</b>",
    )


def get(transaction, query="", **headers):
    return Client().get(f"{pay_path(transaction.pk)}{query}", headers=headers)


def page_of(transaction, query="", **headers) -> str:
    response = get(transaction, query, **headers)
    assert response.status_code == 200
    return response.content.decode()


def choose(transaction, **fields):
    return Client(enforce_csrf_checks=True).post(pay_path(transaction.pk), fields)


def buttons(page: str, name: str) -> list[str]:
    """Values of the buttons that can be pressed."""
    found = re.findall(rf'<button[^>]*name="{name}" value="([^"]*)"([^>]*)>', page)
    return [value for value, rest in found if "disabled" not in rest]


def test_the_payer_sees_what_is_paid_and_every_way_to_pay(hosted):
    response = get(hosted)

    page = response.content.decode()
    assert 'href="?method=fpx"' in page
    assert buttons(page, "method") == ["migs"]
    assert all(text in page for text in (hosted.merchant.name, "100.00", "MYR", "ORDER-7", "Test payment"))
    assert "Permit &lt;b&gt;12&lt;/b&gt;" in page
    assert "status=PENDING&amp;externalReference=ORDER-7" in page
    assert Payment.objects.count() == 0
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", page)


def test_banks_that_are_offline_cannot_be_chosen_and_business_banks_are_not_shown(hosted):
    page = page_of(hosted, "?method=fpx")
    assert buttons(page, "bank") == ["MERA0101", "MB2U0227"]
    assert re.search(r'value="SERI0112" disabled>.*?Offline', page, re.DOTALL)
    assert "CORP0001" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("bank", ["MB2U0227", "MERA0101", "SERI0112"]),
        ("MAY bank", ["MB2U0227"]),
        ("seri", ["SERI0112"]),
        ("mera0101", ["MERA0101"]),
        ("zz%22%3E%3Cscript%3E", []),
    ],
)
def test_search_works_without_a_script(hosted, query, found):
    page = page_of(hosted, f"?method=fpx&q={query}")

    shown = re.findall(r'<li data-words="[^"]*">\s*<button[^>]*value="(\w+)"', page)
    assert sorted(shown) == found
    assert f"Banks shown: {len(found)}" in page
    assert ("No bank is called" in page and '<div class="empty" data-empty>' in page) == (not found)
    assert "<script>" not in page


def test_all_banks_offline_is_said(hosted):
    Bank.objects.update(online=False)
    page = page_of(hosted, "?method=fpx")
    assert "All banks are offline" in page
    assert buttons(page, "bank") == []
    assert "Other ways to pay" in page


def test_a_merchant_with_one_method_goes_straight_to_its_banks(banks):
    hosted = new_hosted(ProviderAccountFactory(), now=timezone.now())
    page = page_of(hosted)
    assert buttons(page, "bank") == ["MERA0101", "MB2U0227"]
    assert "Other ways to pay" not in page


def test_no_way_to_pay_is_said(hosted):
    ProviderAccount.objects.update(is_active=False)
    forget_accounts()
    assert "No way to pay at the moment" in page_of(hosted)


def test_a_merchant_who_was_switched_off_is_paid_nothing(hosted):
    hosted.merchant.is_active = False
    hosted.merchant.save()
    before = counts()
    assert "No way to pay at the moment" in page_of(hosted)
    assert choose(hosted, method="migs").status_code == 400
    assert counts() == before


def test_a_choice_opens_one_payment_and_leads_to_the_bank(hosted):
    response = choose(hosted, method="fpx", bank="MERA0101")

    payment = Payment.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"{pay_path(hosted.pk)}?go=1")
    assert (payment.method, payment.bank_code, payment.attempt) == ("fpx", "MERA0101", 1)
    sent_on = page_of(hosted, "?go=1")
    assert fields_of(sent_on) == payment.next_action["fields"]
    assert f'data-autosubmit="{pay_path(hosted.pk)}"' in html.unescape(sent_on)
    record = AuditRecord.objects.get(action="payment.opened")
    assert (record.actor, record.changes) == ("payer", {"method": [None, "fpx"], "payment_state": [None, "CREATED"]})
    assert choose(hosted, method="fpx", bank="MERA0101")["Location"] == response["Location"]
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "fpx", "bank": "SERI0112"}, "This bank is offline"),
        ({"method": "fpx", "bank": "CORP0001"}, "choose a bank from the list"),
        ({"method": "fpx", "bank": "x' OR 1=1"}, "choose a bank from the list"),
        ({"method": "fpx"}, "choose a bank from the list"),
        ({"method": "migs", "bank": "MERA0101"}, "choose a bank from the list"),
        ({"method": "vnpay"}, "not available at the moment"),
        ({"method": "\x00"}, "not available at the moment"),
        ({}, "not available at the moment"),
    ],
)
def test_what_is_not_offered_opens_nothing(hosted, fields, said):
    before = counts()
    response = choose(hosted, **fields)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert counts() == before


def test_while_a_payment_is_open_the_page_waits_and_no_other_can_be_begun(hosted):
    choose(hosted, method="fpx", bank="MERA0101")
    before = counts()

    refused = choose(hosted, method="migs")
    page = page_of(hosted)

    assert (refused.status_code, refused["Location"]) == (303, pay_path(hosted.pk))
    assert counts() == before
    assert "Waiting for your payment" in page
    assert "data-autosubmit" not in page
    assert f'data-follow="{pay_path(hosted.pk)}/status" data-version="2" data-stage="go"' in html.unescape(page)
    assert '<noscript><meta http-equiv="refresh"' in page
    assert buttons(page, "otherwise") == ["1"]


def test_who_would_rather_pay_otherwise_has_the_bank_asked_at_once(hosted):
    choose(hosted, method="fpx", bank="MERA0101")
    later = Operation.objects.get().due_at

    response = choose(hosted, otherwise="1")

    assert (response.status_code, response["Location"]) == (303, f"{pay_path(hosted.pk)}?asked=1")
    assert Operation.objects.get().due_at < later
    assert "still open at your bank" in page_of(hosted, "?asked=1")
    assert Payment.objects.get().state == "CREATED"


def test_declined_is_told_with_its_reason_and_may_be_tried_again(hosted):
    settle(attempt(hosted, bank_code="MERA0101"), Outcome.DECLINED, failure_code="INSUFFICIENT_FUNDS")

    page = page_of(hosted)

    assert all(
        text in page
        for text in ("Payment declined", "There is not enough money", "No money was taken", "Tries left: 4")
    )
    assert choose(hosted, method="migs")["Location"].endswith("?go=1")
    assert list(Payment.objects.order_by("attempt").values_list("method", "state")) == [
        ("fpx", "DECLINED"),
        ("migs", "CREATED"),
    ]


def test_without_tries_left_it_is_over(hosted, settings):
    settings.PAYMENT_ATTEMPTS = 1
    settle(attempt(hosted, bank_code="MERA0101"), Outcome.DECLINED, failure_code="CANCELLED_BY_PAYER")

    page = page_of(hosted)

    assert "Payment cancelled" in page
    assert "You cancelled the payment" in page
    assert buttons(page, "method") == []
    assert 'href="https://kedai.example/done?' in page
    before = counts()
    assert choose(hosted, method="migs")["Location"] == pay_path(hosted.pk)
    assert counts() == before


def test_time_is_over(hosted):
    Transaction.objects.update(expires_at=timezone.now())
    before = counts()
    assert "Time has run out" in page_of(hosted)
    choose(hosted, method="migs")
    assert counts() == before


def test_money_that_came_late_is_said_to_be_looked_into(hosted):
    first = attempt(hosted, bank_code="MERA0101")
    settle(first, Outcome.DECLINED)
    settle(first)
    page = page_of(hosted)
    assert "arrived after it had ended" in page
    assert "No money was taken" not in page
    assert buttons(page, "method") == []


def test_late_money_of_an_earlier_try_that_is_taken_as_paid_is_what_the_receipt_shows(hosted):
    first = attempt(hosted, bank_code="MERA0101")
    settle(first, Outcome.DECLINED)
    settle(attempt(hosted, "migs"), Outcome.DECLINED)
    settle(first, approval_code="LATE1")
    decided(ReviewItem.objects.get(), Decision.ACCEPT)

    assert "Thank you. Your payment was received." in page_of(hosted)
    receipt = Client().get(f"{pay_path(hosted.pk)}/receipt").content.decode()
    assert ("Bank Merantau" in receipt, first.reference in receipt) == (True, True)
    assert choose(hosted, method="migs")["Location"] == pay_path(hosted.pk)
    assert list(hosted.payments.order_by("attempt").values_list("state", flat=True)) == ["CAPTURED", "DECLINED"]
    assert wrong() == {}


def test_an_outcome_that_nobody_knows_is_followed(hosted):
    settle(attempt(hosted, bank_code="MERA0101"), Outcome.PENDING)
    page = page_of(hosted)
    assert "Being checked" in page
    assert 'data-stage="checking"' in page
    assert buttons(page, "method") == buttons(page, "otherwise") == []


def scan(hosted, ends, **action):
    choose(hosted, method="migs")
    action = {"type": "display_qr", "payload": "0002010102<12>", "image": None, "expiresAt": ends.isoformat()} | action
    Payment.objects.update(next_action=action)
    return page_of(hosted)


def test_a_code_is_drawn_here_with_a_countdown(hosted):
    page = scan(hosted, timezone.now() + timedelta(minutes=3))
    assert '<svg viewBox="0 0' in page
    assert "data-countdown=" in page
    assert "0002010102&lt;12&gt;" in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "image", ["https://elsewhere.example/qr.png", "data:image/svg+xml;base64,AAAA", "javascript:x"]
)
def test_a_picture_from_elsewhere_is_not_shown(hosted, image):
    page = scan(hosted, timezone.now() + timedelta(minutes=3), image=image)
    assert image not in page
    assert '<svg viewBox="0 0' in page


def test_the_providers_own_picture_is_shown(hosted):
    page = scan(hosted, timezone.now() + timedelta(minutes=3), image="data:image/png;base64,iVBORw0KGgo=")
    assert '<img class="qr" src="data:image/png;base64,iVBORw0KGgo=" alt="">' in page


def test_a_code_whose_time_is_over_is_not_shown_any_more(hosted):
    page = scan(hosted, timezone.now() - timedelta(seconds=1))
    assert "This code has expired" in page
    assert 'class="qr"' not in page
    assert "0002010102" not in page


def test_status_tells_the_script_and_nothing_else(hosted):
    def asked(**headers):
        response = Client().get(f"{pay_path(hosted.pk)}/status", headers=headers)
        assert response["Cache-Control"] == "no-store"
        return json.loads(response.content)

    assert asked() == {"version": 1, "stage": "choose", "title": "How would you like to pay?"}
    operation = attempt(hosted, bank_code="MERA0101")
    assert asked() == {"version": 2, "stage": "go", "title": "Waiting for your payment"}
    settle(operation)
    assert asked(**{"Accept-Language": "km"}) == {"version": 3, "stage": "ended", "title": "បានបង់ប្រាក់"}
    assert Client().get(f"{pay_path(hosted.pk)[:-1]}/status").status_code == 404


def test_the_receipt_has_every_reference_in_the_merchants_time(hosted):
    assert Client().get(f"{pay_path(hosted.pk)}/receipt")["Location"] == pay_path(hosted.pk)
    operation = attempt(hosted, bank_code="MERA0101")
    settle(operation, provider_reference="P1", approval_code="A1", bank_reference="B1")
    Payment.objects.update(paid_at="2026-03-02T16:30:00Z")

    assert f'href="{pay_path(hosted.pk)}/receipt"' in html.unescape(page_of(hosted))
    page = Client().get(f"{pay_path(hosted.pk)}/receipt").content.decode()

    assert "3 March 2026, 00:30 (GMT+8)" in page
    wanted = (
        hosted.merchant.name,
        "MYR 100.00",
        "Bank Merantau",
        "ORDER-7",
        operation.reference,
        "A1",
        "B1",
        "P1",
        hosted.pk,
    )
    assert [text for text in wanted if text not in page] == []


def test_what_was_reserved_only_says_so_and_what_was_captured_is_the_amount(banks):
    cards = ProviderAccountFactory(provider="migs", mode="authorise")
    held = new_hosted(cards, now=timezone.now(), manual_capture=True)
    settle(attempt(held, "migs"))
    assert "Payment approved" in page_of(held)
    receipt = Client().get(f"{pay_path(held.pk)}/receipt").content.decode()
    assert ("Reserved, not yet taken" in receipt, "Paid on" in receipt, "MYR 100.00" in receipt) == (True, False, True)

    capture_request(
        transaction_id=held.pk, amount=Money(6_000, "MYR"), actor=Actor("merchant:test"), now=timezone.now()
    )
    Operation.objects.filter(kind="CAPTURE").update(state="SENT", sent_at=timezone.now())
    settle(Operation.objects.get(kind="CAPTURE"))
    receipt = Client().get(f"{pay_path(held.pk)}/receipt").content.decode()
    assert ("Paid on" in receipt, "MYR 60.00" in receipt, "MYR 100.00" in receipt) == (True, True, False)


@pytest.mark.parametrize("decided", ["paid", "declined"])
def test_the_payer_of_our_page_comes_back_to_it(hosted, decided):
    account = ProviderAccount.objects.get(provider="fpx")
    operation = attempt(hosted, bank_code="MERA0101", now=timezone.now())
    fields = fpx_ac(account, operation) if decided == "paid" else fpx_ac(account, operation, fpx_debitAuthCode="51")

    response = Client().post("/pay/return/fpx", urlencode(fields), content_type=FORM)

    assert (response.status_code, response["Location"]) == (303, pay_path(hosted.pk))
    assert ("Paid" if decided == "paid" else "Payment declined") in page_of(hosted)


def test_the_language_is_chosen_on_the_page_and_outlives_the_bank(hosted):
    client = Client()
    page = client.get(f"{pay_path(hosted.pk)}?lang=km").content.decode()
    again = client.get(pay_path(hosted.pk)).content.decode()

    for shown in (page, again):
        assert '<html lang="km">' in shown
        assert "តើអ្នកចង់បង់ប្រាក់តាមវិធីណា?" in shown
        assert "100,00" in shown
    cookie = client.cookies["pay_language"]
    assert (cookie.value, cookie["path"], cookie["samesite"], bool(cookie["httponly"])) == ("km", "/pay/", "Lax", True)
    assert '<html lang="vi">' in page_of(hosted, **{"Accept-Language": "vi-VN,vi;q=0.9"})


def test_a_choice_made_in_a_language_without_cookies_stays_in_it(hosted):
    response = Client().post(f"{pay_path(hosted.pk)}?lang=ms", {"method": "migs"})
    assert response["Location"] == f"{pay_path(hosted.pk)}?go=1&lang=ms"


def test_a_named_method_offers_no_choice(banks):
    plain = new_transaction(ProviderAccountFactory(), now=timezone.now()).transaction
    before = counts()
    assert Client().post(pay_path(plain.pk), {"method": "migs"}).status_code == 405
    settle(Operation.objects.get(), Outcome.DECLINED)
    assert buttons(page_of(plain), "method") == []
    assert counts()["Payment"] == before["Payment"] == 1
