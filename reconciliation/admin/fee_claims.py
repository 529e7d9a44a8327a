"""Fee differences by provider and month, and the claims that were made of them, with the file for the provider."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from itertools import chain
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet, Sum
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, when
from common.console.search import ExactSearch
from common.console.site import operator
from common.errors import CounterfoilError
from common.money import Money
from common.spreadsheets import csv_lines, safe_cell, xlsx_file
from reconciliation.admin.filters import ProviderFilter
from reconciliation.models import FeeClaim, FeeClaimLine, FeeClaimRefund
from reconciliation.services.fee_claims import (
    COLUMNS,
    fee_claim_create,
    fee_claim_refund,
    fee_claim_rows,
    fee_differences,
)

_SHOWN = 100
_MONTHS = 60


class ClaimForm(ReasonForm):
    """Which month of which provider; one that has something to claim."""

    what = forms.ChoiceField(label="Provider and month", widget=UnfoldAdminSelectWidget)
    field_order = ("what", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open = {
            f"{found.provider} {'live' if found.live else 'test'} {found.currency} {found.month:%Y-%m}": found
            for found in fee_differences()
            if found.open_count
        }
        self.fields["what"].choices = [
            (
                key,
                f"{key}: {Money(found.over_minor - found.claimed_minor, found.currency).text()} in {found.open_count} lines",
            )
            for key, found in self.open.items()
        ]
        self.fields["what"].initial = self.request.GET.get("what")


class RefundForm(ReasonForm):
    """The adjustment in the provider's statement."""

    provider_reference = forms.CharField(
        max_length=60, label="The adjustment's reference at the provider", widget=UnfoldAdminTextInputWidget
    )
    field_order = ("provider_reference", "reason")


@column("refunded_money", "Given back")
def refunded(claim: Any) -> Any:
    return html.money(claim.refunded_minor or 0, claim.currency)


@column("lines_table", "Lines")
def lines(claim: FeeClaim) -> Any:
    rows = list(claim.lines.select_related("line").order_by("line_id")[: _SHOWN + 1])
    shown = html.table(
        ("Provider reference", "Our reference", "Amount", "Charged", "Agreed", "Difference"),
        (
            (
                html.link(html.page_url(row.line), row.line.provider_reference),
                row.line.our_reference,
                html.money(row.line.amount_minor, row.line.currency),
                html.money(row.charged_minor, row.line.currency),
                html.money(row.agreed_minor, row.line.currency),
                html.money(row.charged_minor - row.agreed_minor, row.line.currency),
            )
            for row in rows[:_SHOWN]
        ),
    )
    return shown if len(rows) <= _SHOWN else shown + f"The first {_SHOWN}; the file has all."


@admin.register(FeeClaim)
class FeeClaimAdmin(ConsoleAdmin):
    found_by = ("id",)
    empty_text = "Nothing has been claimed from a provider."
    list_before_template = "admin/reconciliation/fee_differences.html"
    actions_list = ("claim",)
    actions_detail = ("csv", "xlsx", "refund")
    list_display = (
        "id",
        "provider",
        mode(),
        day("first_day", "From"),
        day("last_day", "To"),
        "line_count",
        money("claimed_minor", "Claimed", sortable=True),
        refunded,
        "created_by",
        when("created_at", "Made"),
    )
    list_filter = (ProviderFilter, "live")
    search_fields = ("=id", "=lines__line__provider_reference")
    search_help_text = "Claim or the provider's reference of a line"
    ordering = ("-id",)
    details = (
        (None, (reference("id", "Claim"), "provider", mode(), day("first_day", "From"), day("last_day", "To"))),
        ("Sums", ("line_count", money("claimed_minor", "Claimed"), refunded)),
        ("Made", ("created_by", when("created_at", "Made"), "reason")),
        ("Lines", (lines,)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeeClaim]:
        return super().get_queryset(request).annotate(refunded_minor=Sum("refunds__amount_minor"))  # type: ignore[no-any-return]

    def has_claim_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.claim_fees"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        found = fee_differences()
        context = {
            "differences": found[:_MONTHS],
            "differences_cut": html.cut_off(
                _MONTHS, len(found), "Claim a month offers each that has something to claim"
            ),
            "can_claim": self.has_claim_permission(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    @action(
        description="Claim a month",
        permissions=["claim"],
        url_path="claim",
        icon="request_quote",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Claim a month's overcharges",
            "description": "Every overcharged line of the month that is not claimed yet goes into one claim. Send its file to the provider.",
            "form_class": ClaimForm,
            "form_submit_text": "Claim",
        },
    )
    def claim(self, request: HttpRequest, form: ClaimForm) -> HttpResponse:
        found = form.open[form.cleaned_data["what"]]
        try:
            claim = fee_claim_create(
                provider=found.provider,
                live=found.live,
                currency=found.currency,
                first=found.month,
                last=_end_of(found.month),
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not claimed: {exc.message}")
            return go_to(request, request.path.removesuffix("claim/"))
        messages.success(request, f"{claim.claimed} {claim.currency} is claimed. Send the file to the provider.")
        return go_to(request, html.page_url(claim))

    @action(
        description="Given back",
        permissions=["claim"],
        url_path="given-back",
        icon="undo",
        dialog={
            "title": "The provider gave it back",
            "description": "Assigns an adjustment of the provider's statement to this claim. The adjustment's break is closed on its own page.",
            "form_class": RefundForm,
            "form_submit_text": "Assign",
        },
    )
    def refund(self, request: HttpRequest, form: RefundForm, object_id: str) -> HttpResponse:
        claim = get_object_or_404(FeeClaim, pk=unquote(object_id))
        try:
            given = fee_claim_refund(
                claim_id=claim.pk,
                provider_reference=form.cleaned_data["provider_reference"],
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not assigned: {exc.message}")
        else:
            messages.success(request, f"{Money(given.amount_minor, claim.currency).text()} was given back.")
        return go_to(request, html.page_url(claim))

    @action(description="File as CSV", permissions=["view"], url_path="csv", icon="download")
    def csv(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        claim = get_object_or_404(FeeClaim, pk=unquote(object_id))
        rows = (tuple(safe_cell(str(value)) for value in row) for row in chain((COLUMNS,), fee_claim_rows(claim)))
        return StreamingHttpResponse(
            csv_lines(rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{claim.pk}.csv"'},
        )

    @action(description="File as XLSX", permissions=["view"], url_path="xlsx", icon="table")
    def xlsx(self, request: HttpRequest, object_id: str) -> FileResponse:
        claim = get_object_or_404(FeeClaim, pk=unquote(object_id))
        file = xlsx_file("Fee claim", COLUMNS, fee_claim_rows(claim))
        return FileResponse(file, as_attachment=True, filename=f"{claim.pk}.xlsx")


def _end_of(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


@admin.register(FeeClaimLine)
class FeeClaimLineAdmin(ExactSearch, ConsoleAdmin):
    list_display = (related("line", "Line"), related("claim", "Claim"), "charged_minor", "agreed_minor")
    list_select_related = ("line", "claim")
    search_fields = exact = ("claim__id", "line__provider_reference")
    search_help_text = "Claim or the provider's reference"
    ordering = ("-line",)
    details = (
        (None, (related("line", "Line"), related("claim", "Claim"), related("break_item", "Break"))),
        ("Fees in minor units", ("charged_minor", "agreed_minor")),
    )


@admin.register(FeeClaimRefund)
class FeeClaimRefundAdmin(ExactSearch, ConsoleAdmin):
    list_display = (related("line", "Line"), related("claim", "Claim"), "amount_minor", "created_by", when("created_at", "Assigned"))  # fmt: skip
    list_select_related = ("line", "claim")
    search_fields = exact = ("claim__id", "line__provider_reference")
    search_help_text = "Claim or the provider's reference"
    ordering = ("-line",)
    details = (
        (None, (related("line", "Line"), related("claim", "Claim"), "amount_minor")),
        ("Assigned", ("created_by", when("created_at", "Assigned"), "reason")),
    )
