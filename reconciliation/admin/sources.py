"""Sources and our bank accounts. What is agreed changes by two people; what was read by it before stays as it was read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action

from common.console import html
from common.console.agreed import AgreedAdmin, before_after
from common.console.base import ConsoleAdmin, EditableAdmin
from common.console.columns import mode, pretty, related, when
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.waiting import waits
from common.models import Proposal
from reconciliation.admin.mapping_wizard import mapping_wizard
from reconciliation.models import BankAccount, FileFormat, Source, SourceMapping
from reconciliation.services.mappings import MAP
from reconciliation.services.settings import BANK_ACCOUNT, SOURCE


def percent(basis_points: int, row: Any = None) -> str:
    return f"{basis_points / 100:g} %"


@admin.register(Source)
class SourceAdmin(AgreedAdmin, EditableAdmin):
    """The name is anybody's to change who may; a new source begins with the defaults. What is agreed with it is proposed."""

    found_by = ("code",)
    setting = SOURCE
    actions_detail = ("propose_change", "columns")
    list_display = ("code", "name", "side", "format", "zone", "due_days", "due_time", "is_active")
    list_filter = ("side", "is_active")
    search_fields = ("=code", "name")
    search_help_text = "Code or name"
    ordering = ("side", "code")
    fixed = ("code", "side", "format", "zone")
    editable = ("name", "encoding")
    asks = (
        "zone",
        "due_days",
        "due_time",
        "remit_days",
        "calendar",
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
        ("When due", ("due_days", "due_time", "remit_days", "calendar")),
        ("Tolerated", ("amount_tolerance_minor", "day_tolerance")),
        ("The provider's contract", ("fee_basis_points", "fee_fixed_minor", "fee_fixed_business_minor")),
        ("Agreed by", (related("proposal", "Two people"), waits(SOURCE.subject, about=SOURCE.about))),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("reconciliation.add_source"))

    def has_map_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.map_source"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Columns are described only where somebody has to."""
        mapped = Source.objects.filter(pk=unquote(str(object_id)), format=FileFormat.MAPPED).exists()
        found = super().get_actions_detail(request, object_id)
        return [each for each in found if mapped or not each.action_name.endswith("columns")]

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
        (
            None,
            (
                related("source", "Source"),
                "version",
                "created_by",
                when("created_at", "Made"),
                related("proposal", "Agreed by two people"),
            ),
        ),
        ("Columns", (pretty("mapping", "Mapping"),)),
    )


@admin.register(BankAccount)
class BankAccountAdmin(AgreedAdmin):
    setting = BANK_ACCOUNT
    actions_list = ("propose_new",)
    actions_detail = ("propose_change",)
    list_display = ("account_key", related("source", "Bank"), mode(), "currency", "holder", "bic")
    list_filter = ("live",)
    list_select_related = ("source",)
    search_fields = ("=account_key", "holder")
    search_help_text = "Account number or holder"
    asks = ("holder", "bic")
    asks_new = ("source", "account_key", "live", "currency", "holder", "bic")
    details = (
        (None, (related("source", "Bank"), "account_key", mode(), "currency", "holder", "bic")),
        ("Agreed by", (related("proposal", "Two people"), waits(BANK_ACCOUNT.subject, about=BANK_ACCOUNT.about))),
    )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "source":
            kwargs["queryset"] = Source.objects.filter(side="BANK")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _columns(proposal: Proposal) -> Any:
    """What is read otherwise, entry by entry of the description."""
    before, after = (proposal.parameters["before"] or {}).get("mapping", {}), proposal.parameters["row"]["mapping"]
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    rows = [(name.replace("_", " "), _entry(before.get(name)), _entry(after.get(name))) for name in changed]
    return html.table(("What", "Now", "Then"), rows)


def _entry(value: Any) -> Any:
    return html.pretty_json(value) if isinstance(value, dict | list) else html.EMPTY if value in (None, "") else value


PROPOSED[SOURCE.kind] = lambda proposal: before_after(proposal, Source, show={"fee_basis_points": percent})
PROPOSED[MAP] = _columns
PROPOSED[BANK_ACCOUNT.kind] = lambda proposal: before_after(proposal, BankAccount)
SUBJECT_PAGES[SOURCE.subject] = lambda code: reverse("admin:reconciliation_source_change", args=[code])
