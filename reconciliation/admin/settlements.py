"""Settlements with how their net comes about, their lines and documents; reserves; and the terms, which change by new versions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.console import html
from common.console.agreed import before_after
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, state, when
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.search import ExactSearch
from common.console.site import operator
from common.console.waiting import waits
from common.errors import CounterfoilError, LimitExceeded
from common.models import Proposal, ProposalState
from reconciliation.admin.settlement_page import settlement_page
from reconciliation.admin.sources import percent
from reconciliation.admin.terms_form import DAYS, TermsForm
from reconciliation.documents.answers import statement_answer
from reconciliation.models import ReserveRelease, Settlement, SettlementLine, SettlementTerms
from reconciliation.services.terms import SET, about_terms, terms_propose

MERCHANT = ("merchant", RelatedDropdownFilter)


@column("net_money", "Net")
def line_net(line: SettlementLine) -> Any:
    return html.money(line.net_minor, line.settlement.currency)


def _of_settlement(field: str, label: str) -> Any:
    """An amount of a line, in the currency of its settlement."""

    @column(f"{field}_money", label)
    def read(line: SettlementLine) -> Any:
        minor = getattr(line, field)
        return html.money(minor, line.settlement.currency) if minor else html.EMPTY

    return read


@admin.register(Settlement)
class SettlementAdmin(ConsoleAdmin):
    found_by = ("id",)
    empty_text = "Nothing is settled yet. Periods that have closed are settled by themselves every two hours."
    actions_detail = ("as_pdf", "as_xlsx", "as_csv")
    list_display = (
        day("day", "Day"),
        related("merchant", "Merchant"),
        state("state"),
        money("gross_minor", "Gross"),
        money("fee_minor", "Fees"),
        money("net_minor", "Net", sortable=True),
        day("pay_on", "Pay on"),
        mode(),
    )
    list_filter = (("state", ChoicesDropdownFilter), MERCHANT, "currency", "live", ("day", RangeDateFilter))
    list_select_related = ("merchant",)
    search_fields = ("=id", "=merchant__code")
    search_help_text = "Settlement or merchant code"
    ordering = ("-day", "-id")
    details = ((None, (reference("id", "Settlement"),)),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Settlement]:
        return super().get_queryset(request).select_related("merchant", "entry", "terms")  # type: ignore[no-any-return]

    def page_of(self, request: HttpRequest, found: Settlement) -> dict[str, Any]:
        return {"page": settlement_page(found), "title": "Settlement"}

    @action(
        description="PDF", permissions=["view"], url_path="pdf", icon="picture_as_pdf", variant=ActionVariant.PRIMARY
    )
    def as_pdf(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return self._statement(object_id, "pdf")

    @action(description="XLSX", permissions=["view"], url_path="xlsx", icon="table_view")
    def as_xlsx(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return self._statement(object_id, "xlsx")

    @action(description="CSV", permissions=["view"], url_path="csv", icon="csv")
    def as_csv(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return self._statement(object_id, "csv")

    def _statement(self, object_id: str, format_: str) -> HttpResponseBase:
        settlement = get_object_or_404(Settlement.objects.select_related("merchant"), pk=unquote(object_id))
        try:
            return statement_answer(settlement, format_)
        except LimitExceeded as exc:
            return HttpResponse(exc.message, status=422, content_type="text/plain; charset=utf-8")


@admin.register(SettlementLine)
class SettlementLineAdmin(ExactSearch, ConsoleAdmin):
    empty_text = "Nothing is settled yet."
    list_display = (
        related("entry", "Entry", text="entry__fact_name"),
        related("entry__transaction", "Transaction"),
        when("booked_at", "Booked"),
        _of_settlement("gross_minor", "Gross"),
        _of_settlement("refund_minor", "Refund"),
        _of_settlement("dispute_minor", "Dispute"),
        _of_settlement("fee_minor", "Fee"),
        _of_settlement("adjustment_minor", "Adjustment"),
        line_net,
        related("settlement", "Settlement"),
    )
    list_select_related = ("settlement__merchant", "entry__transaction")
    search_fields = exact = ("settlement__id", "entry__id", "entry__transaction__id")
    search_help_text = "Settlement, entry or transaction"
    ordering = ("-entry",)
    details = (
        (
            None,
            (
                related("settlement", "Settlement"),
                related("entry", "Entry", text="entry__fact_name"),
                related("entry__transaction", "Transaction"),
                when("booked_at", "Booked"),
            ),
        ),
        (
            "Amounts",
            (
                _of_settlement("gross_minor", "Gross"),
                _of_settlement("refund_minor", "Refund"),
                _of_settlement("dispute_minor", "Dispute"),
                _of_settlement("fee_minor", "Fee"),
                _of_settlement("adjustment_minor", "Adjustment"),
                line_net,
            ),
        ),
    )


@column("released_money", "Released")
def released(release: ReserveRelease) -> Any:
    return html.money(release.amount_minor, release.held_by.currency)


@admin.register(ReserveRelease)
class ReserveReleaseAdmin(ConsoleAdmin):
    empty_text = "No reserve has been released: its days are not over, or nothing is held back."
    list_display = (
        related("held_by", "Held back by"),
        related("held_by__merchant", "Merchant"),
        released,
        related("released_by", "Released by"),
    )
    list_select_related = ("held_by__merchant", "released_by__merchant")
    search_fields = ("=held_by__id", "=released_by__id", "=held_by__merchant__code")
    search_help_text = "Settlement or merchant code"
    ordering = ("-held_by",)
    details = ((None, (related("held_by", "Held back by"), released, related("released_by", "Released by"))),)


@admin.register(SettlementTerms)
class SettlementTermsAdmin(ConsoleAdmin):
    empty_text = (
        "Every merchant is settled by the terms of the product: daily at midnight, paid on the next business day."
    )
    actions_list = ("set_terms",)
    list_display = (
        related("merchant", "Merchant"),
        "currency",
        mode(),
        "version",
        "cycle",
        "cut_off",
        "pay_after_days",
        "pay_to",
        when("created_at", "Since"),
    )
    list_filter = (MERCHANT, "currency", "live", ("cycle", ChoicesDropdownFilter))
    list_select_related = ("merchant",)
    search_fields = ("=id", "=merchant__code")
    search_help_text = "Terms or merchant code"
    ordering = ("merchant__code", "currency", "-version")
    details = (
        (None, (related("merchant", "Merchant"), "currency", mode(), "version")),
        ("Period", ("cycle", "weekday", "cut_off", "pay_after_days", "calendar", "only_proven")),
        (
            "Reserve and payout",
            ("reserve_basis_points", "reserve_days", money("minimum_payout_minor", "Minimum payout")),
        ),
        ("Paid to", ("pay_to", related("account", "Account"), "bank_hint")),
        (
            "Why",
            (
                "reason",
                "created_by",
                when("created_at", "Since"),
                related("proposal", "Agreed by two people"),
                waits("settlement_terms", about=lambda row: about_terms(row.merchant.code, row.live, row.currency)),
            ),
        ),
    )

    def has_set_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.propose_settlementterms"))

    @action(description="Propose terms", permissions=["set"], url_path="set-terms", icon="contract_edit")
    def set_terms(self, request: HttpRequest) -> HttpResponse:
        form, refused = TermsForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                proposal = terms_propose(
                    by=request.user,  # type: ignore[arg-type]
                    merchant_id=form.cleaned_data["merchant"].pk,
                    live=form.live,
                    currency=form.cleaned_data["currency"],
                    new=form.new,
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                return redirect(html.page_url(proposal))
        context = self.admin_site.each_context(request) | {
            "title": "Propose terms",
            "lead": "A new version, which holds when a second person has agreed to it; settlements that are made stay as they are. All of the terms are given, not only what changes.",
            "form": form,
            "refused": refused,
            "submit": "Propose the terms",
            "back": reverse("admin:reconciliation_settlementterms_changelist"),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)


def _proposed(proposal: Proposal) -> Any:
    """Before and after. Who decides sees the whole bank account, as long as it waits; later the last four characters do."""
    show = {
        "weekday": lambda number, row: DAYS[number - 1],
        "reserve_basis_points": percent,
        "minimum_payout_minor": lambda minor, row: html.money(minor, row["currency"]),
    }
    shown = before_after(proposal, SettlementTerms, show=show, hide=("id", "version", "merchant_id", "bank_sealed"))
    before, row = proposal.parameters["before"], proposal.parameters["row"]
    if proposal.state != ProposalState.OPEN or not row["bank_sealed"]:
        return shown
    now, then = _bank_account(before or {}), _bank_account(row)
    accounts = html.table(
        ("Bank account, in full until this is decided", "Now", "Then"),
        ((_BANK[name], now.get(name, html.EMPTY), then.get(name, html.EMPTY)) for name in _BANK),
    )
    return format_html("{}{}", shown, accounts)


_BANK = {"name": "Holder", "account": "Account", "bic": "BIC", "bank": "Bank", "country": "Country"}


def _bank_account(row: dict[str, Any]) -> dict[str, str]:
    sealed = row.get("bank_sealed")
    return SettlementTerms(id=row["id"], bank_sealed=sealed).open_bank() if sealed else {}


PROPOSED[SET] = _proposed
SUBJECT_PAGES["settlement_terms"] = lambda about: (
    f"{reverse('admin:reconciliation_settlementterms_changelist')}?q={about.partition(' ')[0]}"
)
