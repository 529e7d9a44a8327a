"""The bank's lines, the remittances and what was matched with what, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from common.console.base import ConsoleAdmin
from common.console.columns import day, mode, money, pretty, reference, related, when
from reconciliation.models import BankBalance, BankLine, BankMatch, BreakComment, MatchGroup, Remittance


@admin.register(BankLine)
class BankLineAdmin(ConsoleAdmin):
    list_display = (
        "reference",
        day("booked_on", "Booked"),
        money("amount_minor", "Amount", sortable=True),
        "account_key",
        "counterparty",
        "end_to_end_id",
    )
    list_filter = (("booked_on", RangeDateFilter), "reversal")
    search_fields = ("=reference", "=end_to_end_id", "=account_key")
    search_help_text = "The bank's reference, end-to-end id or account"
    ordering = ("-id",)
    details = (
        (None, (reference("reference", "Bank reference"), "end_to_end_id", "counterparty", "narrative", "type_code")),
        (
            "Amounts",
            (money("amount_minor", "Amount"), money("charges_minor", "Charges"), "instructed_currency", "reversal"),
        ),
        ("When", (day("booked_on", "Booked"), day("value_on", "Value date"))),
        ("From", (related("statement", "Statement"), "number", "account_key", "occurrence")),
    )


@admin.register(Remittance)
class RemittanceAdmin(ConsoleAdmin):
    list_display = (
        day("day", "Day"),
        "provider",
        "account_key",
        mode(),
        "line_count",
        money("gross_minor", "Gross"),
        money("fee_minor", "Fees"),
        money("net_minor", "Net", sortable=True),
        day("due_on", "Due"),
    )
    list_filter = ("live", ("day", RangeDateFilter))
    search_fields = ("=id", "=account_key")
    search_help_text = "Remittance or account key"
    ordering = ("-day", "provider")
    details = (
        (None, (reference("id", "Remittance"), "provider", "account_key", related("provider_account", "Account"))),
        ("Sums", ("line_count", money("gross_minor", "Gross"), money("fee_minor", "Fees"), money("net_minor", "Net"))),
        ("From", (related("statement", "Statement"), day("day", "Day"), day("due_on", "Due"), mode())),
    )


@admin.register(BankBalance)
class BankBalanceAdmin(ConsoleAdmin):
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


@admin.register(MatchGroup)
class MatchGroupAdmin(ConsoleAdmin):
    list_display = ("id", "comparison", "rule", when("created_at", "Made"), related("proposal", "Decided by"))
    list_filter = (("comparison", ChoicesDropdownFilter), ("rule", ChoicesDropdownFilter))
    list_select_related = ("proposal",)
    search_fields = ("=id",)
    ordering = ("-created_at",)
    details = (
        (None, (reference("id", "Group"), "comparison", "rule", when("created_at", "Made"))),
        ("Why", (pretty("explanation", "Explanation"), related("entry", "Booked"), related("proposal", "Decided by"))),
        ("By", (related("run", "Run"),)),
    )


@admin.register(BankMatch)
class BankMatchAdmin(ConsoleAdmin):
    list_display = (
        "id",
        related("group", "Group"),
        related("bank_line", "Bank line"),
        related("remittance", "Remittance"),
    )
    list_select_related = ("group", "bank_line", "remittance")
    search_fields = ("=group__id", "=bank_line__reference", "=remittance__id")
    ordering = ("-id",)
    details = (
        (
            None,
            (related("group", "Group"), related("bank_line", "Bank line"), related("remittance", "Remittance")),
        ),
    )


@admin.register(BreakComment)
class BreakCommentAdmin(ConsoleAdmin):
    list_display = (when("at", "When"), "author", related("break_item", "Break"), "text")
    list_select_related = ("author", "break_item")
    search_fields = ("text",)
    ordering = ("-at",)
    details = ((None, (related("break_item", "Break"), "author", when("at", "When"), "text")),)
