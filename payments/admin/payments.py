"""Payments: attempts at providers."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.console.base import ConsoleAdmin
from common.console.columns import money, reference, related, state, when
from common.console.filters import DayFilter
from payments.admin.filters import provider_filter
from payments.admin.search import ReferenceSearch
from payments.models import Bank, Payment


@admin.register(Payment)
class PaymentAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "transaction"
    list_display = (
        "payment_trans_id",
        related("transaction__merchant", "Merchant"),
        "provider_account",
        state("state"),
        money("amount_minor", "Amount", sortable=True),
        "approval_code",
        "bank_reference",
        when("created_at", "Created"),
        when("paid_at", "Paid"),
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        provider_filter("provider_account__provider"),
        "transaction__live",
        ("created_at", DayFilter),
    )
    list_select_related = ("transaction__merchant", "provider_account")
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("payment_trans_id", "Payment reference"),
                related("transaction", "Transaction"),
                related("provider_account", "Provider account"),
                "attempt",
                state("state"),
                money("amount_minor", "Amount"),
                money("fee_minor", "Fee"),
            ),
        ),
        (
            "The provider's words",
            (
                reference("approval_code", "Approval code"),
                reference("bank_reference", "Bank reference"),
                reference("provider_reference", "Provider reference"),
                "bank_code",
                "business_banking",
                "failure_code",
                "failure_reason",
            ),
        ),
        ("When", (when("created_at", "Created"), when("updated_at", "Changed"), when("paid_at", "Paid"))),
    )


@admin.register(Bank)
class BankAdmin(ConsoleAdmin):
    list_display = ("name", "code", "provider", "business", "online", when("refreshed_at", "Refreshed"))
    list_filter = ("provider", "business", "online")
    search_fields = ("name", "=code")
    details = ((None, ("name", "code", "provider", "business", "online", when("refreshed_at", "Refreshed"))),)
