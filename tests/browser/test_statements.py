"""A table that nobody has described yet: the source, its columns, what would be read, a file of it, and the one line that it spoils."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from common.approvals import approve
from common.changes import Actor
from common.models import Proposal
from reconciliation.models import QuarantinedLine, SourceMapping, Statement, StatementLine
from tests.browser.operator_tab import OpenPage, open_console
from tests.factories.agreed import two_people

__all__ = ["open_console"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

FILE = (
    "Monthly export;;;;\r\n"
    "When;Kind;Ticket;Their no.;Paid\r\n"
    "02.03.2026 12:00;Sale;EPG1;A1;1.234,50\r\n"
    "02.03.2026 12:30;Back;RFD1;A2;2O,00\r\n"
    "Total;;;;1.214,50\r\n"
)


def test_odd_columns_are_described_imported_and_a_line_put_right_in_place(
    open_console: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "march.csv"
    file.write_text(FILE, encoding="cp1252")
    lead = open_console("finance_lead")
    page = lead.go("/admin/reconciliation/source/")

    page.get_by_title("Add source").click()
    page.fill("[name=code]", "wallet")
    page.fill("[name=name]", "Wallet")
    page.select_option("[name=side]", label="Provider")
    page.select_option("[name=format]", label="Mapped table (CSV or XLSX)")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#result_list a", has_text="wallet").click()
    page.get_by_role("link", name="Describe the columns").click()

    page.set_input_files("[name=file]", file)
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("body")).to_contain_text("Monthly export")
    expect(page.locator("[name=delimiter]")).to_have_value(";")  # by the look of it
    page.fill("[name=skip_rows]", "1")
    page.get_by_role("button", name="Preview").first.click()
    expect(page.locator("[name=column_provider_reference] option", has_text="Their no.")).to_have_count(1)
    for name, column in {"at": "When", "type": "Kind", "our_reference": "Ticket", "provider_reference": "Their no.", "amount": "Paid"}.items():  # fmt: skip
        page.select_option(f"[name=column_{name}]", label=column)
    page.select_option("[name=decimal]", label="comma ,")
    page.select_option("[name=thousands]", label=".")
    page.select_option("[name=sign]", label="The type says which way")
    page.fill("[name=date_format]", "%d.%m.%Y %H:%M")
    page.fill("[name=skip_matching]", "^Total")
    page.fill("[name=fixed_currency]", "EUR")
    page.fill("[name=fixed_account_key]", "K1")
    page.fill("[name=types]", "Sale = PAYMENT\nBack = REFUND")
    page.fill("[name=day]", "2026-03-02")
    page.get_by_role("button", name="Preview").first.click()
    expect(page.locator("#preview")).to_contain_text("EUR 1,234.50")
    expect(page.locator("#preview")).to_contain_text("'2O,00' is not an amount as declared")
    assert SourceMapping.objects.count() == 0
    page.fill("[name=reason]", "Their letter")
    page.get_by_role("button", name="Propose version 1").click()
    expect(page.locator("body")).to_contain_text("Waits for a second person")
    approve(
        proposal_id=Proposal.objects.get().pk,
        by=two_people()[1],
        reason="",
        actor=Actor("operator:agrees"),
        now=timezone.now(),
    )

    page = lead.go("/admin/reconciliation/statement/upload/?source=wallet&mode=test&day=2026-03-02")
    page.set_input_files("[name=file]", file)
    page.get_by_role("button", name="Import").click()
    expect(page.locator("body")).to_contain_text("1 line could not be read")
    page.get_by_role("link", name="Put right").click()
    paid = page.get_by_label("Paid")
    expect(paid).to_have_value("2O,00")
    paid.fill("2,O0")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("[role=alert]")).to_contain_text("still cannot be read")
    page.get_by_label("Paid").fill("20,00")
    page.get_by_role("button", name="Read again").click()

    expect(page.locator("body")).to_contain_text("is read.")
    statement = Statement.objects.get()
    assert (statement.state, statement.mapping_version, statement.line_count) == ("IMPORTED", 1, 2)
    assert QuarantinedLine.objects.get().state == "FIXED"
    assert list(StatementLine.objects.order_by("number").values_list("type", "our_reference", "amount_minor")) == [
        ("PAYMENT", "EPG1", 123_450),
        ("REFUND", "RFD1", -2_000),
    ]
    assert lead.troubles == []
