"""Where is the money: every captured payment with its stage and how late it is, and what stands in each stage beside the ledger."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, related
from common.console.filters import DayFilter
from payments.admin.filters import MethodFilter
from payments.admin.search import ReferenceSearch
from payments.models import JournalEntry, Operation
from reconciliation.admin.parts import STEPS, whereabouts
from reconciliation.models import BankMatch, Match, PaymentMoney, Payout, PayoutState, Remittance, SettlementLine
from reconciliation.whereabouts import Step, stage_totals, ways_of

_CAPTURED = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")


class WaitingForFilter(DropdownFilter):
    """Payments that a step is missing of."""

    title = "waiting for"
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(step.value, STEPS[step]) for step in Step if step is not Step.CAPTURED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case Step.ON_STATEMENT:
                return queryset.filter(~Exists(_matched()))
            case Step.AT_BANK:
                return queryset.filter(~Exists(_arrived()))
            case Step.SETTLED:
                return queryset.filter(~Exists(_settled()))
            case Step.PAID_OUT:
                return queryset.filter(~Exists(_settled(paid=True)))
        return queryset


def _matched() -> QuerySet[Operation]:
    matched = Match.objects.filter(operation=OuterRef("pk"))
    return Operation.objects.filter(Exists(matched), payment__transaction=OuterRef("pk"), kind__in=("SALE", "CAPTURE"))


def _arrived() -> QuerySet[Match]:
    """Its line's remittance is claimed together with a line of the bank."""
    remittances = Remittance.objects.filter(
        Exists(BankMatch.objects.filter(remittance=OuterRef("pk"))),
        statement=OuterRef("line__statement"),
        account_key=OuterRef("line__account_key"),
        currency=OuterRef("line__currency"),
    )
    return Match.objects.filter(Exists(remittances), operation__payment__transaction=OuterRef("pk"))


def _settled(*, paid: bool = False) -> QuerySet[JournalEntry]:
    lines = SettlementLine.objects.filter(entry=OuterRef("pk"))
    if paid:
        payouts = Payout.objects.filter(settlement=OuterRef("settlement"), state=PayoutState.PAID)
        lines = lines.filter(Exists(payouts))
    return JournalEntry.objects.filter(Exists(lines), transaction=OuterRef("pk"), fact_name__startswith="payment.")


@column("stage_badge", "Waiting for")
def stage(row: Any) -> Any:
    way = getattr(row, "way", None)
    if way is None:
        return html.EMPTY
    if way.stage is None:
        return html.badge("PAID", "Nothing: it arrived")
    return html.badge("OVERDUE" if way.late_days else "PENDING", STEPS[way.stage])


@column("expected_day", "Expected by")
def expected(row: Any) -> Any:
    way = getattr(row, "way", None)
    if way is None or way.stage is None:
        return html.EMPTY
    link = next(link for link in way.links if link.step is way.stage)
    late = f" {link.late_days} day{'s' if link.late_days > 1 else ''} late" if link.late_days else ""
    return format_html('<span class="cf-nowrap">{}</span>{}', f"{link.expected_by:%-d %b %Y}", late)


@column("transaction_text", "Transaction", order="pk")
def transaction(row: Any) -> str:
    return str(row.pk)


@column("transaction_page", "Transaction")
def transaction_page(row: Any) -> Any:
    return html.link(reverse("admin:payments_transaction_change", args=[row.pk]), row.pk)


@column("way_table", "Way")
def way_table(row: Any) -> Any:
    return html.table(
        ("Step", "Proven", "Expected by", "By"),
        (
            (
                label,
                f"{link.done_on:%-d %b %Y}" if link.done_on else html.EMPTY,
                f"{link.expected_by:%-d %b %Y}" if link.expected_by else html.EMPTY,
                html.link(url, link.text) if url else html.EMPTY,
            )
            for label, link, url in whereabouts(row)["rows"]
        ),
    )


@admin.register(PaymentMoney)
class PaymentMoneyAdmin(ReferenceSearch, ConsoleAdmin):
    empty_text = "No payment has been captured yet."
    transaction_path = "pk"
    list_before_template = "admin/reconciliation/stages.html"
    list_display = (
        transaction,
        day("created_at", "Created"),
        related("merchant", "Merchant"),
        money("amount_captured_minor", "Captured"),
        stage,
        expected,
        mode(),
    )
    list_filter = (
        WaitingForFilter,
        MethodFilter,
        ("merchant", RelatedDropdownFilter),
        "live",
        ("created_at", DayFilter),
    )
    list_select_related = ("merchant",)
    ordering = ("-id",)
    details = (
        (
            None,
            (
                transaction_page,
                related("merchant", "Merchant"),
                "method",
                money("amount_captured_minor", "Captured"),
                mode(),
            ),
        ),
        ("Where the money is", (way_table,)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentMoney]:
        """What a provider took money for; a transfer is never on its way."""
        return super().get_queryset(request).filter(from_account=None, status__in=_CAPTURED)  # type: ignore[no-any-return]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The ways of the page's rows, read at once."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        ways = ways_of([row.pk for row in rows], today=timezone.localdate())
        for row in rows:
            row.way = ways.get(row.pk)
        changelist.result_list = rows
        return changelist

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"stages": stage_totals()} | (extra_context or {}))
