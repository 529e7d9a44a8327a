"""Differences that two people end, through the pages that they use: a break of the books, the bank's side, a day and its reopening."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from common.books import Asked
from common.models import Proposal
from merchants.models import ProviderAccount
from reconciliation.models import Break, BreakComment, DayClose, MatchGroup
from tests.browser.operator_tab import Console, OpenPage, open_console
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.payments.verify.books import wrong
from tests.reconciliation.given import DAY, NEXT_MORNING, Listed, imported, listed, reconciled
from tests.reconciliation.given_bank import Booked, bank_account, bank_imported, bank_reconciled
from tests.reconciliation.test_reconcile_bank import balances

__all__ = ["open_console"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/admin/reconciliation/break/"
ASKED = Asked(now=NEXT_MORNING + timedelta(days=9), unpublished_for=timedelta(days=99))


@pytest.fixture
def account() -> ProviderAccount:
    """A day with a payment that is listed, one of 100.00 that is not, and a line of 70.00 that nobody knows."""
    bank_account()
    account = ProviderAccountFactory(account_key="SE1", created_at=NOW - timedelta(days=30))
    sale = sale_of(captured_transaction(account))
    captured_transaction(account)
    unknown = Listed("SE1", "F404", "EPG404", minor=7_000)
    imported(account, [listed(sale, provider_reference="F1"), unknown])
    reconciled(account)
    return account


def approve_the_last(lead: Console) -> Page:
    """As the second person: from the list of what waits to its page, and yes."""
    page = lead.go("/admin/common/proposal/")
    page.locator("#result_list tbody a").first.click()
    page.wait_for_load_state("networkidle")
    lead.dialog("Approve", reason="Checked with the bank")
    return page


def open_break(tab: Console, kind: str) -> Page:
    """From the queue, as people get there."""
    page = tab.go(QUEUE)
    page.locator("#result_list a", has_text=kind).first.click()
    page.wait_for_load_state("networkidle")
    return page


def test_a_break_is_worked_on_and_matched_by_hand_by_two_people(
    open_console: OpenPage, account: ProviderAccount
) -> None:
    before = balances()
    clerk = open_console("finance", name="aisha")
    page = open_break(clerk, "Not in our books")

    page.get_by_role("button", name="Take it").click()
    clerk.dialog("Comment", comment="Asked their service desk")
    clerk.dialog("Carry forward", due_on="2027-01-05", reason="They answer in January")
    page.get_by_role("link", name="Match by hand").click()
    page.check("input[name=pick]")
    expect(page.locator("[data-sum-rest]")).to_have_text("-30.00")
    page.get_by_role("button", name="Propose the match").click()
    expect(page.locator("body")).to_contain_text("This field is required")
    assert not Proposal.objects.filter(kind="break.match").exists()
    expect(page.locator("input[name=pick]")).to_be_checked()  # nothing chosen is lost
    page.fill("textarea[name=reason]", "Paid in part, they confirmed")
    page.get_by_role("button", name="Propose the match").click()

    expect(page.locator("#break-page")).to_contain_text("Waits for a second person")
    expect(page.locator("#break-page")).to_contain_text("Asked their service desk")
    found = Break.objects.get(kind="MISSING_IN_BOOKS")
    assert (found.owner.get_username(), str(found.due_on)) == ("aisha", "2027-01-05")  # type: ignore[union-attr]
    assert BreakComment.objects.count() == 1
    assert balances() == before  # nothing is booked before the second yes
    own = clerk.go("/admin/common/proposal/")
    own.locator("#result_list tbody a").first.click()
    expect(own.get_by_role("link", name="Approve")).to_have_count(0)
    expect(own.get_by_role("link", name="Withdraw")).to_be_visible()

    lead = open_console("finance_lead", name="farah")
    shown = lead.go("/admin/")
    expect(shown.locator(".cf-nav-badge").first).to_have_text("1")
    approved = approve_the_last(lead)

    expect(approved.locator("body")).to_contain_text("Approved")
    expect(lead.go(QUEUE).locator("#nothing")).to_contain_text("No break is open")
    assert set(Break.objects.values_list("resolution", flat=True)) == {"MATCHED"}
    assert balances() == before | {
        "provider_receivable": before["provider_receivable"] - 3_000,
        "differences": 3_000,
    }
    assert wrong(ASKED) == {}
    assert clerk.troubles + lead.troubles == []


def test_what_the_bank_paid_is_matched_and_the_rest_written_off_by_two_people(
    open_console: OpenPage, account: ProviderAccount
) -> None:
    """The provider owes 169.00 (100.00 and 70.00 less its fees); 160.00 arrived without a name, and 5.00 that nobody announced."""
    bank_imported([Booked("B1", 16_000, "transfer"), Booked("B2", 500, "interest")])
    bank_reconciled()
    clerk, lead = open_console("finance", name="aisha"), open_console("finance_lead", name="farah")
    assert (balances()["provider_receivable"], "bank" in balances()) == (19_900, False)

    page = clerk.go(f"{QUEUE}?provider=mybank&q=B1")
    page.locator("#result_list a", has_text="Not in our books").first.click()
    page.get_by_role("link", name="Match by hand").click()
    page.check("input[name=pick]")
    expect(page.locator("[data-sum-chosen]")).to_have_text("169.00")
    expect(page.locator("[data-sum-rest]")).to_have_text("-9.00")
    page.select_option("select[name=counter]", label="The bank's charges")
    page.fill("textarea[name=reason]", "The correspondent bank kept 9.00")
    page.get_by_role("button", name="Propose the match").click()
    expect(page.locator("body")).to_contain_text("It waits for a second person")
    shown = approve_the_last(lead)
    expect(shown.locator("body")).to_contain_text("Approved")
    page = clerk.go(f"{QUEUE}?provider=mybank&q=B2")
    page.locator("#result_list a", has_text="Not in our books").first.click()
    clerk.dialog("Write off", reason="Interest is ours")
    expect(page.locator("body")).to_contain_text("Waits for a second person")
    approve_the_last(lead)

    assert balances() == {
        "bank": 16_500,
        "bank_charges": 900,
        "differences": -500,
        "provider_receivable": 3_000,  # 100.00 that they have not listed, less 70.00 of a line that nobody knows
        "provider_fees": 100,
        "merchant_payable": -20_000,
    }
    group = MatchGroup.objects.get(comparison="BANK", bank_matches__bank_line__reference="B1")
    page = clerk.go(f"/admin/reconciliation/matchgroup/{group.pk}/change/")
    expect(page.locator("body")).to_contain_text("MYR -9.00")
    assert not Break.objects.filter(provider="mybank", resolved_at=None).exists()
    assert wrong(ASKED) == {}
    assert clerk.troubles + lead.troubles == []


def test_a_day_is_signed_by_two_and_opened_again_by_two(open_console: OpenPage, account: ProviderAccount) -> None:
    clerk, lead = open_console("finance", name="aisha"), open_console("finance_lead", name="farah")
    path = f"/admin/reconciliation/dayclose/fpx/test/{DAY}/"
    page = clerk.go(path)
    expect(page.locator("h1")).to_contain_text("FPX, 2 Mar 2026")
    expect(page.locator("body")).to_contain_text("2 breaks are open, unexplained: MYR -30.00")
    expect(page.get_by_role("button", name="Close the day")).to_have_count(0)

    page.fill("textarea[name=reason]", "They answer next week")
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("body")).to_contain_text("Waits for a second person")
    assert DayClose.objects.count() == 0
    approve_the_last(lead)

    page = clerk.go(path)
    expect(page.locator(".cf-badge", has_text="Closed")).to_be_visible()
    expect(page.locator("body")).to_contain_text("2 carried forward")
    assert DayClose.objects.get().figures["unexplained"] == {"MYR": -3_000}
    assert set(Break.objects.values_list("carried_from", flat=True)) == {DAY}
    page.fill("textarea[name=reason]", "A corrected file has come")
    page.get_by_role("button", name="Propose").click()
    approve_the_last(lead)

    page = clerk.go(path)
    expect(page.locator(".cf-history li").first).to_contain_text("Opened again")
    history = DayClose.objects.order_by("number").values_list("state", "is_clean", "actor")
    assert list(history) == [("CLOSED", False, "operator:farah"), ("REOPENED", False, "operator:farah")]
    assert wrong(ASKED) == {}
    assert clerk.troubles + lead.troubles == []
