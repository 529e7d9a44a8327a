"""The console as an operator's browser sees it: signing in, the payment page, a refund, a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from payments.models import Refund
from tests.browser.operator_tab import OpenPage, open_console
from tests.console.world import build_world

__all__ = ["open_console"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def _page(transaction_id: str) -> str:
    return f"/admin/payments/transaction/{transaction_id}/change/"


def test_the_payment_page_in_the_browsers_own_zone(open_console: OpenPage) -> None:
    world = build_world()
    console = open_console("operations")

    page = console.go(_page(world.transaction.pk))

    expect(page.locator(".cf-amount")).to_have_text("MYR 100.00")
    expect(page.locator("h2", has_text="Webhook deliveries")).to_be_visible()
    expect(page.locator("time[title='2026-03-02 04:00:00 UTC']").first).to_have_text("2 Mar 2026 13:00:00")
    assert console.troubles == []


def test_a_refund_through_the_dialog(open_console: OpenPage) -> None:
    world = build_world()
    console = open_console("refunds")
    page = console.go(_page(world.transaction.pk))

    page.click("#refund-button")
    expect(page.locator("#dialog input[name=amount]")).to_have_value("75.00")
    page.fill("#dialog input[name=amount]", "10.00")
    page.click("#dialog button[type=submit]")
    expect(page.locator("#dialog")).to_contain_text("This field is required")
    page.fill("#dialog textarea[name=reason]", "Arrived late")
    page.click("#dialog button[type=submit]")

    expect(page.locator("body")).to_contain_text("Refund of 10.00 MYR is requested")
    assert list(Refund.objects.filter(reason="Arrived late").values_list("amount_minor", flat=True)) == [1_000]
    assert console.troubles == []


def test_a_dialog_takes_the_focus_keeps_it_and_gives_it_back(open_console: OpenPage) -> None:
    world = build_world()
    console = open_console("refunds")
    page = console.go(_page(world.transaction.pk))
    refunds = Refund.objects.count()
    focus = "document.activeElement.name || document.activeElement.textContent.trim()"

    page.locator("#refund-button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog input[name=amount]")).to_be_focused()
    expect(page.get_by_role("dialog")).to_be_visible()
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focus))
        assert page.evaluate("document.getElementById('modal-content').contains(document.activeElement)")
    assert {"amount", "reason"} < set(seen)
    page.keyboard.press("Escape")

    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#refund-button")).to_be_focused()
    assert Refund.objects.count() == refunds
    assert console.troubles == []


def test_a_reference_is_found_from_any_page_by_the_keyboard_alone(open_console: OpenPage) -> None:
    world = build_world()
    console = open_console("support")
    page = console.go("/admin/notifications/webhookdelivery/")

    page.get_by_role("button", name="Find anything").focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("dialog", name="Find anything")
    expect(box.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("trans")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page.get_by_role("button", name="Find anything")).to_be_focused()

    page.keyboard.press("Control+k")  # what was typed is there, chosen to be typed over
    page.keyboard.type("INV-77")
    expect(box.get_by_role("link")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(box.get_by_role("link")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{_page(world.transaction.pk)}")
    assert console.troubles == []


def test_nothing_is_wider_than_a_phone(open_console: OpenPage) -> None:
    world = build_world()
    console = open_console("auditor", phone=True)
    paths = [
        "/admin/",
        "/admin/payments/transaction/",
        _page(world.transaction.pk),
        "/admin/payments/reviewitem/",
        "/admin/reconciliation/break/",
        f"/admin/notifications/webhookdelivery/{world.delivery.pk}/change/",
    ]

    wider = {path: console.overflow for path in paths if console.go(path) and console.overflow > 0}

    assert wider == {}
    assert console.troubles == []
