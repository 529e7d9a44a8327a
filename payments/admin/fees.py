"""What merchants pay us: their plans, proposing a price with the calculator, and what was charged."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action

from common.console import html
from common.console.agreed import before_after
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, money, reference, related, when
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.search import ExactSearch
from common.console.site import operator
from common.console.waiting import waits
from common.errors import CounterfoilError
from common.models import Proposal
from payments.admin.fee_forms import FeePlanForm
from payments.models import FeeCharge, FeePlan
from payments.services.fee_plans import SET, about_price, fee_plan_propose


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


@column("price_table", "Price")
def price(plan: FeePlan) -> Any:
    return _tiers(plan.tiers, plan.currency)


def _tiers(tiers: list[dict[str, int]], currency: str) -> Any:
    if not tiers:
        return "The provider account's own price"
    return html.table(
        ("From", "Percentage", "Fixed"),
        [
            (
                html.money(t["from_minor"], currency),
                _percent(t["basis_points"]),
                html.money(t["fixed_minor"], currency),
            )
            for t in tiers
        ],
    )


@column("price_text", "Price")
def price_text(plan: FeePlan) -> str:
    """The first tier in a line."""
    if not plan.tiers:
        return "The account's own"
    first = plan.tiers[0]
    fixed = f" + {first['fixed_minor']} minor units" if first["fixed_minor"] else ""
    more = f", {len(plan.tiers)} tiers" if len(plan.tiers) > 1 else ""
    return f"{_percent(first['basis_points'])}{fixed}{more}"


@column("method_name", "Payment type")
def method(plan: FeePlan) -> str:
    return plan.method or "All"


@admin.register(FeePlan)
class FeePlanAdmin(ConsoleAdmin):
    found_by = ("id",)
    actions_list = ("set_price",)
    list_display = (
        related("merchant", "Merchant"),
        method,
        "currency",
        mode(),
        "version",
        price_text,
        when("valid_from", "From", sortable=True),
        "created_by",
    )
    list_filter = (("merchant", RelatedDropdownFilter), "currency", "live")
    list_select_related = ("merchant",)
    search_fields = ("=id", "=merchant__code", "=method")
    search_help_text = "Plan, merchant code or payment type"
    ordering = ("merchant__code", "currency", "method", "-version")
    details = (
        (None, (reference("id", "Plan"), related("merchant", "Merchant"), mode(), method, "currency", "version")),
        ("Price", (price, money("minimum_minor", "At least"), money("maximum_minor", "At most"))),
        (
            "Why",
            (
                when("valid_from", "From"),
                "reason",
                "created_by",
                when("created_at", "Set"),
                related("proposal", "Agreed by two people"),
                waits("fee_plan", about=lambda row: about_price(row.merchant.code, row.live, row.currency, row.method)),
            ),
        ),
    )

    def has_set_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.propose_feeplan"))

    @action(description="Propose a price", permissions=["set"], url_path="set-price", icon="sell")
    def set_price(self, request: HttpRequest) -> HttpResponse:
        form, refused = FeePlanForm(request.POST or None), ""
        right = request.method == "POST" and form.is_valid()
        if right and "calculate" not in request.POST:
            cleaned = form.cleaned_data
            try:
                proposal = fee_plan_propose(
                    by=request.user,  # type: ignore[arg-type]
                    merchant_id=cleaned["merchant"].pk,
                    live=form.live,
                    method=cleaned["method"],
                    currency=cleaned["currency"],
                    tiers=cleaned["tiers"],
                    minimum_minor=cleaned["minimum"] or 0,
                    maximum_minor=cleaned["maximum"] or None,
                    valid_from=cleaned["valid_from"],
                    reason=cleaned["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                return redirect(html.page_url(proposal))
        context = self.admin_site.each_context(request) | {
            "title": "Propose a price",
            "lead": "A new version, which holds for payments captured after a second person has agreed to it. What was captured before keeps its fee.",
            "form": form,
            "refused": refused,
            "submit": "Propose the price",
            "examples": _examples(form) if request.method == "POST" else "",
            "back": reverse("admin:payments_feeplan_changelist"),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/payments/fee_form.html", context)


def _examples(form: FeePlanForm) -> Any:
    """The calculator's table."""
    found = form.examples()
    return found and html.table(
        ("Payment of", "Percentage", "Fixed", "Limits", "Fee"),
        [
            (
                html.money(amount.minor, amount.currency),
                *(
                    html.money(minor, amount.currency)
                    for minor in (fee.percentage_minor, fee.fixed_minor, fee.limit_minor, fee.minor)
                ),
            )
            for amount, fee in found
        ],
    )


@column("fee_money", "Fee")
def fee(charge: FeeCharge) -> Any:
    return html.money(charge.minor, _currency(charge))


def _currency(charge: FeeCharge) -> str:
    return charge.entry.transaction.currency if charge.entry.transaction else ""


def _part(field: str, label: str) -> Any:
    @column(f"{field}_money", label)
    def read(charge: FeeCharge) -> Any:
        return html.money(getattr(charge, field), _currency(charge))

    return read


@admin.register(FeeCharge)
class FeeChargeAdmin(ExactSearch, ConsoleAdmin):
    list_display = (
        related("entry__transaction", "Transaction"),
        _part("amount_minor", "Captured"),
        _part("percentage_minor", "Percentage"),
        _part("fixed_minor", "Fixed"),
        _part("limit_minor", "Limits"),
        fee,
        related("plan", "Plan"),
    )
    list_select_related = ("entry__transaction", "plan")
    search_fields = exact = ("entry_id", "entry__transaction_id")
    search_help_text = "Transaction or entry"
    ordering = ("-entry",)
    details = (
        (
            None,
            (
                related("entry__transaction", "Transaction"),
                related("entry", "Entry"),
                related("plan", "Plan"),
                _part("amount_minor", "Captured"),
            ),
        ),
        (
            "Parts",
            (
                _part("percentage_minor", "Percentage"),
                _part("fixed_minor", "Fixed"),
                _part("limit_minor", "Limits"),
                fee,
            ),
        ),
    )


def _proposed(proposal: Proposal) -> Any:
    """The price before and after, and from when it holds."""
    show = {
        "tiers": lambda tiers, row: _tiers(tiers, row["currency"]),
        "minimum_minor": lambda minor, row: html.money(minor, row["currency"]),
        "maximum_minor": lambda minor, row: html.money(minor, row["currency"]),
    }
    shown = before_after(proposal, FeePlan, show=show, hide=("id", "version", "merchant_id"))
    begins = proposal.parameters["valid_from"]
    later = (
        format_html("from {} on, or from the yes on if that is later", html.moment(parse_datetime(begins)))
        if begins
        else "from the yes on"
    )
    return format_html("{}<p>For what is captured {}.</p>", shown, later)


PROPOSED[SET] = _proposed
SUBJECT_PAGES["fee_plan"] = lambda about: f"{reverse('admin:payments_feeplan_changelist')}?q={about.partition(' ')[0]}"
