"""Sources and our bank accounts: settings that finance adds and changes. What was read by them before stays as it was read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from common.console.base import ConsoleAdmin, EditableAdmin
from common.console.columns import mode, pretty, related, when
from reconciliation.admin.mapping_wizard import mapping_wizard
from reconciliation.models import BankAccount, FileFormat, Source, SourceMapping


@admin.register(Source)
class SourceAdmin(EditableAdmin):
    actions_detail = ("columns",)
    list_display = ("code", "name", "side", "format", "zone", "due_days", "due_time", "is_active")
    list_filter = ("side", "is_active")
    search_fields = ("=code", "name")
    search_help_text = "Code or name"
    ordering = ("side", "code")
    fixed = ("code", "side", "format")
    editable = (
        "name",
        "zone",
        "encoding",
        "due_days",
        "due_time",
        "remit_days",
        "amount_tolerance_minor",
        "day_tolerance",
        "approved",
        "fee_basis_points",
        "fee_fixed_minor",
        "fee_fixed_business_minor",
        "is_active",
    )
    details = (
        (None, ("code", "name", "side", "is_active")),
        ("Files", ("format", "mapping_version", "zone", "encoding", "approved", "fetch_url")),
        ("When due", ("due_days", "due_time", "remit_days")),
        ("Tolerated", ("amount_tolerance_minor", "day_tolerance")),
        ("The provider's contract", ("fee_basis_points", "fee_fixed_minor", "fee_fixed_business_minor")),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("reconciliation.add_source"))

    def has_map_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.map_source"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only a source whose columns somebody has to describe."""
        mapped = Source.objects.filter(pk=unquote(str(object_id)), format=FileFormat.MAPPED).exists()
        return list(super().get_actions_detail(request, object_id)) if mapped else []

    @action(description="Describe the columns", permissions=["map"], url_path="columns", icon="view_column")
    def columns(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return mapping_wizard(self, request, object_id)


@admin.register(SourceMapping)
class SourceMappingAdmin(ConsoleAdmin):
    list_display = (related("source", "Source"), "version", "created_by", when("created_at", "Made"))
    list_select_related = ("source", "created_by")
    search_fields = ("=source__code",)
    ordering = ("-id",)
    details = (
        (None, (related("source", "Source"), "version", "created_by", when("created_at", "Made"))),
        ("Columns", (pretty("mapping", "Mapping"),)),
    )


@admin.register(BankAccount)
class BankAccountAdmin(EditableAdmin):
    list_display = ("account_key", related("source", "Bank"), mode(), "currency", "holder", "bic")
    list_filter = ("live",)
    list_select_related = ("source",)
    search_fields = ("=account_key", "holder")
    search_help_text = "Account number or holder"
    fixed = ("source", "account_key", "live", "currency")
    editable = ("holder", "bic")
    details = ((None, ("source", "account_key", "live", "currency", "holder", "bic")),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("reconciliation.add_bankaccount"))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "source":
            kwargs["queryset"] = Source.objects.filter(side="BANK")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
