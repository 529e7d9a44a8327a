"""A payer on our page in a real browser, at the real sandbox: bank, decline, card, receipt; with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from common.books import Asked, verify
from demo.onboarding import open_fpx, open_migs
from payments.models import Bank, Payment, Transaction
from payments.providers.base import Outcome
from payments.services.banks import banks_refresh
from payments.services.pay_links import pay_url
from tests.factories import MerchantFactory, attempt, new_hosted, settle
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {"width": 320, "height": 640}  # the narrowest that is about


@dataclass
class Payer:
    """A payer's tab on the page of a fresh hosted transaction, and everything that went wrong in it."""

    page: Page
    url: str
    hosted: Transaction
    sandbox: str
    scripts: bool
    troubles: list[str] = field(default_factory=list)

    def hear(self, said: ConsoleMessage) -> None:
        """Errors of our own pages: what the content policy refuses is one."""
        if said.type == "error" and said.location["url"].startswith(self.url):
            self.troubles.append(said.text)

    def decide(self, decision: str) -> None:
        """At the bank or card page: approve, decline or cancel, and come back."""
        self.page.wait_for_url(f"{self.sandbox}/**")
        self.page.click(f"button[value={decision}]")
        if self.page.url.startswith(f"{self.sandbox}/fpx") and not self.scripts:
            self.page.locator("form button").click()  # the bank's own way back
        self.page.wait_for_url(f"{self.url}/pay/**")

    def choose_bank(self, bank: str) -> None:
        self.page.get_by_role("link", name="Online banking").click()
        self.page.click(f"button[name=bank][value={bank}]")
        self.go_on("Continue to your bank")

    def choose_card(self) -> None:
        self.page.get_by_role("button", name="Credit or debit card").click()
        self.go_on("Continue to card payment")

    def go_on(self, button: str) -> None:
        if not self.scripts:
            self.page.get_by_role("button", name=button).click()

    @property
    def overflow(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def open_page(browser: Browser, live_server: Any, settings: Any, sandbox: SandboxProcess) -> Iterator[Any]:
    """Open the page of a new hosted transaction of a merchant with FPX and cards at the sandbox."""
    settings.PUBLIC_BASE_URL = live_server.url
    contexts: list[BrowserContext] = []

    def opened(*, scripts: bool = True, **context: Any) -> Payer:
        merchant = MerchantFactory(name="Persatuan Penduduk Taman Seri Bayu Perdana")
        open_fpx(merchant, sandbox_url=sandbox.url, base_url=live_server.url)
        cards = open_migs(merchant, sandbox_url=sandbox.url, base_url=live_server.url, mode="purchase")
        banks_refresh(now=timezone.now())
        hosted = new_hosted(cards, now=timezone.now(), return_url=f"{live_server.url}/", external_reference="INV-1")
        contexts.append(browser.new_context(viewport=PHONE, java_script_enabled=scripts, **context))  # type: ignore[arg-type]
        payer = Payer(contexts[-1].new_page(), live_server.url, hosted, sandbox.url, scripts)
        payer.page.on("pageerror", lambda error: payer.troubles.append(str(error)))
        payer.page.on("console", lambda said: payer.hear(said))
        payer.page.goto(pay_url(hosted.pk))
        return payer

    yield opened
    for context in contexts:
        context.close()


def charges(payer: Payer) -> list[str]:
    """References of what the sandbox's own books say was charged for this transaction."""
    ours = set(Payment.objects.filter(transaction=payer.hosted).values_list("payment_trans_id", flat=True))
    entries = [
        entry
        for provider in ("fpx", "migs")
        for entry in requests.get(f"{payer.sandbox}/_books/{provider}", timeout=10).json()["entries"]
    ]
    return [
        e["reference"]
        for e in entries
        if e["reference"] in ours and e["kind"] == "charge" and e["status"] == "completed"
    ]


def assert_paid_once(payer: Payer, method: str) -> None:
    payer.hosted.refresh_from_db()
    paid = Payment.objects.get(transaction=payer.hosted, state="CAPTURED")
    assert (payer.hosted.status, paid.method, charges(payer)) == ("COMPLETED", method, [paid.payment_trans_id])
    assert [found.violations for _, found in verify(Asked(now=timezone.now())) if found.violations] == []
    assert payer.troubles == []


@pytest.mark.parametrize("scripts", [True, False])
def test_declined_by_the_bank_then_paid_by_card_with_one_charge(open_page: Any, scripts: bool) -> None:
    payer = open_page(scripts=scripts)

    payer.choose_bank("TEST0002")
    payer.decide("approve")
    expect(payer.page.get_by_role("heading", name="Payment declined")).to_be_visible()
    payer.choose_card()
    payer.decide("approve")

    expect(payer.page.get_by_role("heading", name="Paid")).to_be_visible()
    states = list(Payment.objects.order_by("attempt").values_list("method", "bank_code", "state"))
    assert states == [("fpx", "TEST0002", "DECLINED"), ("migs", "", "CAPTURED")]
    assert_paid_once(payer, "migs")
    payer.page.get_by_role("link", name="Show receipt").click()
    expect(payer.page.get_by_role("heading", name="Receipt")).to_be_visible()
    expect(payer.page.get_by_text("INV-1")).to_be_visible()
    assert payer.page.get_by_role("button", name="Print").is_visible() is scripts


def test_a_bank_is_found_by_typing_and_pays(open_page: Any) -> None:
    payer = open_page()
    page = payer.page
    page.get_by_role("link", name="Online banking").click()

    page.fill("#q", "no such bank")
    expect(page.get_by_text("No bank is called “no such bank”.")).to_be_visible()
    assert page.locator("button.bank:visible").count() == 0
    page.get_by_role("link", name="Show all banks").click()
    expect(page.locator("button.bank:visible")).to_have_count(Bank.objects.filter(business=False).count())
    page.fill("#q", "ALWAYS pays")
    expect(page.locator("button.bank:visible")).to_have_count(1)
    page.locator("button.bank:visible").click()
    payer.decide("approve")

    expect(page.get_by_role("heading", name="Paid")).to_be_visible()
    assert_paid_once(payer, "fpx")


def test_going_back_from_the_bank_is_no_trap_and_the_page_follows_what_happens(open_page: Any) -> None:
    payer = open_page()
    page = payer.page
    payer.choose_bank("TEST0001")
    page.wait_for_url(f"{payer.sandbox}/**")

    page.go_back()
    expect(page.get_by_role("heading", name="Waiting for your payment")).to_be_visible()
    settle(Payment.objects.get().operations.get(), Outcome.DECLINED, now=timezone.now())

    expect(page.get_by_role("heading", name="Payment declined")).to_be_visible(timeout=10_000)
    assert payer.troubles == []


def test_a_cancelled_payment_may_be_tried_again_until_no_tries_are_left(open_page: Any, settings: Any) -> None:
    settings.PAYMENT_ATTEMPTS = 2
    payer = open_page()

    for _ in range(2):
        payer.choose_card()
        payer.decide("cancel")
        expect(payer.page.get_by_role("heading", name="Payment cancelled")).to_be_visible()

    expect(payer.page.locator("button.choice")).to_have_count(0)
    payer.hosted.refresh_from_db()
    assert (payer.hosted.status, charges(payer)) == ("FAILED", [])
    assert payer.troubles == []


def test_a_code_counts_down_and_goes_when_its_time_is_over(open_page: Any) -> None:
    payer = open_page()
    attempt(payer.hosted, "migs", now=timezone.now())
    ends = timezone.now() + timezone.timedelta(seconds=3)
    Payment.objects.update(
        next_action={"type": "display_qr", "payload": "000201", "image": None, "expiresAt": ends.isoformat()}
    )

    payer.page.goto(pay_url(payer.hosted.pk))

    expect(payer.page.get_by_role("img", name="QR code of this payment")).to_be_visible()
    expect(payer.page.locator("[data-countdown] b")).to_have_text(re.compile(r"^0:0\d$"))
    expect(payer.page.get_by_role("heading", name="This code has expired")).to_be_visible(timeout=12_000)
    assert payer.troubles == []


@pytest.mark.parametrize(
    ("locale", "heading"),
    [("km", "តើអ្នកចង់បង់ប្រាក់តាមវិធីណា?"), ("vi-VN", "Bạn muốn thanh toán bằng cách nào?"), ("ms-MY", "Bagaimanakah anda ingin membayar?")],
)  # fmt: skip
def test_the_page_speaks_the_browsers_language_and_fits_a_phone(open_page: Any, locale: str, heading: str) -> None:
    payer = open_page(locale=locale)
    page = payer.page

    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == locale[:2]
    wide = [payer.overflow]
    page.locator("a.choice").click()
    page.wait_for_load_state()
    wide.append(payer.overflow)
    small = page.evaluate(
        "[...document.querySelectorAll('a, button, input:not([type=hidden])')].filter((e) => e.offsetParent)"
        ".map((e) => e.getBoundingClientRect()).filter((box) => box.height < 44).length"
    )
    page.get_by_role("navigation").get_by_text("English").click()
    expect(page.get_by_role("heading", name="Choose your bank")).to_be_visible()

    assert (wide, small) == ([0, 0], 0)
    assert payer.troubles == []
