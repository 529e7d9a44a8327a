"""Merchants: the one thing that operators add and change by form. Their EPS secrets are set elsewhere and shown nowhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from common.console.base import EditableAdmin
from common.console.columns import reference, when
from common.ids import new_id
from merchants.models import Merchant


@admin.register(Merchant)
class MerchantAdmin(EditableAdmin):
    found_by = ("code",)
    list_display = (
        "code",
        "name",
        "currency",
        "checksum_scheme",
        "rate_plan",
        "is_active",
        when("created_at", "Since"),
    )
    list_filter = ("is_active", "checksum_scheme", "currency")
    search_fields = ("code", "name", "contact_email", "=id")
    search_help_text = "Code, name, e-mail or id"
    fixed = ("code", "currency", "checksum_scheme")
    editable = (
        "name",
        "contact_email",
        "time_zone",
        "extra_fields",
        "rate_plan",
        "require_idempotency",
        "is_active",
    )
    details = (
        (None, (reference("id", "Id"), "code", "name", "contact_email", "currency", "time_zone", "is_active")),
        ("EPS", ("checksum_scheme", "extra_fields")),
        ("API", ("rate_plan", "require_idempotency")),
        (None, (when("created_at", "Since"),)),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("merchants.add_merchant"))

    def save_model(self, request: HttpRequest, obj: Merchant, form: ModelForm[Any], change: bool) -> None:
        if not change:
            obj.pk, obj.created_at = new_id("mer"), timezone.now()
        super().save_model(request, obj, form, change)
