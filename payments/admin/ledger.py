"""The books, to read: accounts, entries, postings. Debits and credits stand in columns of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, reference, related, when
from common.console.filters import DayFilter
from payments.admin.filters import FactFilter
from payments.admin.search import ReferenceSearch
from payments.ledger.balances import balance
from payments.models import JournalEntry, LedgerAccount, Posting


@column("debit_money", "Debit")
def debit(posting: Posting) -> Any:
    return html.money(posting.amount_minor, posting.currency) if posting.amount_minor > 0 else ""


@column("credit_money", "Credit")
def credit(posting: Posting) -> Any:
    return html.money(-posting.amount_minor, posting.currency) if posting.amount_minor < 0 else ""


@column("balance_money", "Balance (debits less credits)")
def balance_now(account: LedgerAccount) -> Any:
    now = balance(account)
    return html.money(now.minor, now.currency)


@column("postings_table", "Postings")
def postings(entry: JournalEntry) -> Any:
    return html.table(
        ("Account", "Debit", "Credit"),
        [
            (html.link(html.page_url(row.account), row.account_id), debit(row), credit(row))
            for row in entry.postings.select_related("account").order_by("id")
        ],
    )


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ConsoleAdmin):
    list_display = ("code", "kind", "currency", mode(), related("merchant", "Merchant"), "provider_account")
    list_filter = (("kind", ChoicesDropdownFilter), "currency", "live", ("merchant", RelatedDropdownFilter))
    list_select_related = ("merchant", "provider_account")
    search_fields = ("code", "=merchant__code")
    search_help_text = "Account or merchant code"
    details = (
        (None, (reference("code", "Account"), "kind", "currency", mode(), balance_now)),
        ("Whose", (related("merchant", "Merchant"), related("provider_account", "Provider account"))),
    )


@admin.register(JournalEntry)
class JournalEntryAdmin(ReferenceSearch, ConsoleAdmin):
    found_by = ("id",)
    transaction_path = "transaction"
    own = ("id", "fact_id")
    list_display = ("id", "fact_name", related("transaction", "Transaction"), when("booked_at", "Booked"))
    list_filter = (FactFilter, ("booked_at", DayFilter))
    list_select_related = ("transaction",)
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("id", "Entry"),
                "fact_name",
                reference("fact_id", "Fact"),
                related("transaction", "Transaction"),
                when("booked_at", "Booked"),
            ),
        ),
        (None, (postings,)),
    )


@admin.register(Posting)
class PostingAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "entry__transaction"
    own = ("entry_id", "account_id")
    list_display = (
        "id",
        related("account", "Account"),
        debit,
        credit,
        related("entry", "Entry"),
        when("entry__booked_at", "Booked"),
    )
    list_filter = ("account__kind", "account__live", ("entry__booked_at", DayFilter))
    list_select_related = ("account", "entry")
    ordering = ("-id",)
    details = (
        (
            None,
            (
                related("account", "Account"),
                debit,
                credit,
                related("entry", "Entry"),
                when("entry__booked_at", "Booked"),
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("account", "entry")  # type: ignore[no-any-return]
