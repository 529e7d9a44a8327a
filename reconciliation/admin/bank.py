"""The bank's lines and balances, the remittances and what was said about breaks, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import RangeDateFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, when
from common.console.search import ExactSearch
from reconciliation.models import BankBalance, BankLine, BreakComment, Remittance


@column("match_link", "Matched")
def match(item: BankLine | Remittance) -> Any:
    """The group that claims it, which says with what and why."""
    claim = getattr(item, "bank_match", None)
    return html.link(html.page_url(claim.group), claim.group.get_rule_display()) if claim else "Not yet"


@admin.register(BankLine)
class BankLineAdmin(ExactSearch, ConsoleAdmin):
    found_by = ("reference", "end_to_end_id")
    empty_text = "No statement of a bank has come. Upload one under Statements, or wait for the nightly fetch."
    list_display = (
        "reference",
        day("booked_on", "Booked"),
        money("amount_minor", "Amount", sortable=True),
        "account_key",
        "counterparty",
        "end_to_end_id",
    )
    list_filter = (("booked_on", RangeDateFilter), "reversal")
    search_fields = exact = ("reference", "end_to_end_id", "account_key")
    search_help_text = "The bank's reference, end-to-end id or account"
    ordering = ("-id",)
    details = (
        (None, (reference("reference", "Bank reference"), "end_to_end_id", "counterparty", "narrative", "type_code")),
        (
            "Amounts",
            (money("amount_minor", "Amount"), money("charges_minor", "Charges"), "instructed_currency", "reversal"),
        ),
        ("When", (day("booked_on", "Booked"), day("value_on", "Value date"))),
        ("Belongs with", (match,)),
        ("From", (related("statement", "Statement"), "number", "account_key", "occurrence")),
    )


@admin.register(Remittance)
class RemittanceAdmin(ConsoleAdmin):
    found_by = ("id",)
    empty_text = "A remittance is known as soon as a provider's statement is imported."
    list_display = (
        day("day", "Day"),
        "provider",
        "account_key",
        mode(),
        money("gross_minor", "Gross"),
        money("fee_minor", "Fees"),
        money("net_minor", "Net", sortable=True),
        day("due_on", "Due"),
    )
    list_filter = ("live", ("day", RangeDateFilter))
    search_fields = ("=id", "=account_key", "=statement__id")
    search_help_text = "Remittance, account key or statement"
    ordering = ("-day", "provider")
    details = (
        (None, (reference("id", "Remittance"), "provider", "account_key", related("provider_account", "Account"))),
        ("Sums", ("line_count", money("gross_minor", "Gross"), money("fee_minor", "Fees"), money("net_minor", "Net"))),
        ("Arrived", (match,)),
        ("From", (related("statement", "Statement"), day("day", "Day"), day("due_on", "Due"), mode())),
    )


@admin.register(BankBalance)
class BankBalanceAdmin(ConsoleAdmin):
    empty_text = "Balances come with a bank's camt.053 or MT940 file."
    list_display = (
        "account_key",
        day("closed_on", "Closed"),
        money("opening_minor", "Opening"),
        "entry_count",
        money("closing_minor", "Closing"),
        related("statement", "Statement"),
    )
    list_filter = (("closed_on", RangeDateFilter),)
    list_select_related = ("statement",)
    search_fields = ("=account_key", "=statement__id")
    search_help_text = "Account or statement"
    ordering = ("-closed_on", "-id")
    details = (
        (None, ("account_key", "statement_key", related("statement", "Statement"))),
        (
            "Balances",
            (
                day("opened_on", "Opened"),
                money("opening_minor", "Opening"),
                "entry_count",
                day("closed_on", "Closed"),
                money("closing_minor", "Closing"),
            ),
        ),
    )


@admin.register(BreakComment)
class BreakCommentAdmin(ConsoleAdmin):
    list_display = (when("at", "When"), "author", related("break_item", "Break"), "text")
    list_select_related = ("author", "break_item")
    search_fields = ("text",)
    ordering = ("-at",)
    details = ((None, (related("break_item", "Break"), "author", when("at", "When"), "text")),)
