"""Accounts of merchants, to read: what is on them and what happened."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, money, reference, related, state, when
from payments.models import Account, Posting

_SHOWN = 50


@column("available_money", "Available")
def available(account: Account) -> Any:
    return html.money(account.available.minor, account.currency)


@column("postings_table", "Last changes of what is available")
def postings(account: Account) -> Any:
    rows = Posting.objects.filter(account=account.ledger_account_id).select_related("entry__transaction")
    return html.table(
        ("Booked", "What", "Transaction", "Amount"),
        [
            (
                html.moment(row.entry.booked_at),
                row.entry.fact_name,
                html.link(html.page_url(row.entry.transaction), row.entry.transaction) if row.entry.transaction else "",
                html.money(-row.amount_minor, row.currency),
            )
            for row in rows.order_by("-id")[:_SHOWN]
        ],
    )


@admin.register(Account)
class AccountAdmin(ConsoleAdmin):
    found_by = ("id",)
    list_display = (
        "id",
        "name",
        related("merchant", "Merchant"),
        state("status", "Status"),
        available,
        money("held_minor", "Held"),
        mode(),
        when("created_at", "Opened", sortable=True),
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        "currency",
        "live",
        ("merchant", RelatedDropdownFilter),
    )
    list_select_related = ("merchant",)
    ordering = ("-created_at", "-id")
    search_fields = ("=id", "name", "=merchant__code")
    search_help_text = "Account, name or merchant code"
    details = (
        (
            None,
            (
                reference("id", "Account"),
                "name",
                related("merchant", "Merchant"),
                state("status", "Status"),
                mode(),
                available,
                money("held_minor", "Held for transfers that wait"),
                money("balance_minor", "Booked"),
            ),
        ),
        (
            "The books",
            (
                related("ledger_account", "Available"),
                related("held_ledger_account", "Held"),
                when("created_at", "Opened"),
                when("updated_at", "Changed"),
                postings,
            ),
        ),
    )
