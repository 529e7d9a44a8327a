"""Provider accounts and idempotency records: what they are for, never what they keep secret."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from common.console.base import ConsoleAdmin, EditableAdmin
from common.console.columns import mode, pretty, reference, related, when
from common.console.filters import DayFilter
from common.console.search import ExactSearch
from merchants.models import IdempotencyRecord, Merchant, ProviderAccount
from merchants.selectors import forget_accounts

MERCHANT = ("merchant", RelatedDropdownFilter)


@admin.register(ProviderAccount)
class ProviderAccountAdmin(EditableAdmin):
    """Switches may be changed. `config` may not: it says where the credentials are sent. Nor may the price: another one is a fee plan, by two people."""

    found_by = ("id", "account_key")
    list_display = (
        "account_key",
        "provider",
        related("merchant", "Merchant"),
        mode(),
        "label",
        "priority",
        "fee_basis_points",
        "is_active",
    )
    list_filter = ("provider", MERCHANT, "live", "is_active")
    list_select_related = ("merchant",)
    search_fields = ("=account_key", "=merchant__code", "label", "=id")
    search_help_text = "Account key, label, merchant code or id"
    editable = ("label", "priority", "confirm_events", "is_active")
    details = (
        (None, (reference("account_key", "Account key"), "provider", related("merchant", "Merchant"), mode(), "label")),
        ("Routing", ("priority", "is_active", "confirm_events")),
        ("Price, where no fee plan says another", ("fee_basis_points", "fee_fixed_minor")),
        (None, (pretty("config", "Configuration"), when("created_at", "Since"))),
    )

    def save_model(self, request: HttpRequest, obj: ProviderAccount, form: ModelForm[Any], change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_accounts()


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ExactSearch, ConsoleAdmin):
    list_display = ("key", related("merchant", "Merchant"), mode(), "status", when("created_at", "Answered"))
    list_filter = (MERCHANT, "live", ("created_at", DayFilter))
    list_select_related = ("merchant",)
    search_fields = exact = ("key", "merchant__code")
    search_help_text = "Key or merchant code"
    ordering = ("-id",)

    def looked_up(self, forms: set[str]) -> list[Q]:
        """A key is looked for merchant by merchant, as its constraint's index has them: no request pays for a second one."""
        by_key = Q(merchant__in=Merchant.objects.values("pk"), live__in=(True, False), key__in=forms)
        return [by_key, Q(merchant__code__in=forms)]

    details = (
        (
            None,
            (
                reference("key", "Key"),
                related("merchant", "Merchant"),
                mode(),
                "status",
                when("created_at", "Answered"),
            ),
        ),
    )
