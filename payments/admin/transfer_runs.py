"""The batch of transfers (ACH): what waits and what the next run will do with it, what became of each transfer in past runs, and a run now."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, money, reference, related, state, when
from common.console.filters import DayFilter
from common.console.search import ExactSearch
from common.console.site import operator
from common.errors import CounterfoilError
from payments.models import TransferRun, TransferRunItem
from payments.services.transfer_batch import transfer_run_request
from payments.services.transfer_forecast import MOST, transfer_forecast
from payments.states import TransactionStatus

_SHOWN = 100


@column("completed_count", "Completed")
def completed(run: Any) -> Any:
    return f"{run.completed:,}"


@column("failed_count", "Failed")
def failed(run: Any) -> Any:
    return f"{run.failed:,}"


@column("progress_text", "Now")
def progress(run: TransferRun) -> Any:
    """A run that does not end was killed, or is at work at this moment."""
    return html.badge("DONE" if run.ended_at else "PROCESSING" if run.started_at else "QUEUED")


@column("items_table", "Transfers")
def items(run: TransferRun) -> Any:
    """The failed ones first."""
    rows = run.items.select_related("transaction__merchant").order_by("-failure_code", "id")[:_SHOWN]
    return html.table(
        ("Transfer", "Merchant", "Amount", "Outcome", "Why"),
        (
            (
                html.link(html.page_url(item.transaction), item.transaction_id),
                item.transaction.merchant.code,
                html.money(item.transaction.amount_minor, item.transaction.currency),
                html.badge(item.status),
                item.transaction.failure_reason or html.EMPTY,
            )
            for item in rows
        ),
    )


@column("all_items", "")
def all_items(run: TransferRun) -> Any:
    url = f"{reverse('admin:payments_transferrunitem_changelist')}?q={run.pk}"
    return html.link(url, f"All {run.items.count():,} transfers")


@admin.register(TransferRun)
class TransferRunAdmin(ConsoleAdmin):
    found_by = ("id",)
    actions_list = ("run_now",)
    list_before_template = "admin/payments/transfer_runs.html"
    list_display = (
        "id",
        "requested_by",
        progress,
        completed,
        failed,
        when("requested_at", "Asked for"),
        when("started_at", "Began"),
        when("ended_at", "Ended"),
    )
    list_filter = (("requested_at", DayFilter),)
    search_fields = ("=id", "=items__transaction__id")
    search_help_text = "Run or transfer id"
    ordering = ("-id",)
    details = (
        (None, (reference("id", "Run"), progress, "requested_by", "reason")),
        ("When", (when("requested_at", "Asked for"), when("started_at", "Began"), when("ended_at", "Ended"))),
        ("What became of them", (completed, failed, items, all_items)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransferRun]:
        counts = {
            name: Count("items", filter=Q(items__status=status), distinct=True)
            for name, status in (("completed", TransactionStatus.COMPLETED), ("failed", TransactionStatus.FAILED))
        }
        return super().get_queryset(request).annotate(**counts)  # type: ignore[no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = timezone.now()
        forecast = transfer_forecast(now=now)
        context = {
            "forecast": forecast[:_SHOWN],
            "forecast_more": len(forecast) > _SHOWN,
            "forecast_capped": len(forecast) == MOST,
            "forecast_sums": _sums(forecast),
            "next_run": _next_run(now),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def has_run_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.run_transfers"))

    @action(
        description="Run now",
        permissions=["run"],
        url_path="run-now",
        icon="play_arrow",
        dialog={
            "title": "Run the batch now",
            "description": "Every transfer that waits is completed or fails for good, as the list says.",
            "form_class": ReasonForm,
            "form_submit_text": "Run now",
        },
    )
    def run_now(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        url = reverse("admin:payments_transferrun_changelist")
        try:
            run = transfer_run_request(actor=operator(request), reason=form.cleaned_data["reason"], now=timezone.now())
        except CounterfoilError as exc:
            messages.error(request, f"Nothing was done: {exc.message}")
        else:
            messages.success(request, "The batch runs now. Load this page again to see what became of it.")
            url = html.page_url(run)
        return go_to(request, url)


def _next_run(now: datetime) -> datetime:
    """When the schedule begins the next one, to the minute."""
    schedule = settings.CELERY_BEAT_SCHEDULE["payments.run_transfer_batch"]["schedule"]
    at: datetime = now + schedule.remaining_estimate(now) + timedelta(seconds=30)
    return at.replace(second=0, microsecond=0)


def _sums(forecast: list[Any]) -> list[dict[str, Any]]:
    """How many and how much would be completed and would fail, in each currency."""
    minor: Counter[tuple[str, bool]] = Counter()
    count: Counter[tuple[str, bool]] = Counter()
    for one in forecast:
        key = (one.transaction.currency, one.refused is None)
        minor[key] += one.transaction.amount_minor
        count[key] += 1
    return [
        {
            "currency": currency,
            "completes": completes,
            "count": count[currency, completes],
            "minor": minor[currency, completes],
        }
        for currency, completes in sorted(count, key=lambda key: (key[0], not key[1]))
    ]


@admin.register(TransferRunItem)
class TransferRunItemAdmin(ExactSearch, ConsoleAdmin):
    list_display = (
        related("transaction", "Transfer"),
        related("transaction__merchant", "Merchant"),
        state("status", "Outcome"),
        "failure_code",
        related("run", "Run"),
        when("ended_at", "Ended"),
    )
    list_filter = (("status", ChoicesDropdownFilter), ("ended_at", DayFilter))
    list_select_related = ("transaction__merchant", "run")
    search_fields = exact = ("run__id", "transaction__id", "transaction__merchant__code")
    search_help_text = "Run or transfer id, merchant code"
    ordering = ("-id",)
    details = (
        (
            None,
            (
                related("run", "Run"),
                related("transaction", "Transfer"),
                money("transaction__amount_minor", "Amount"),
                state("status", "Outcome"),
                "failure_code",
                when("ended_at", "Ended"),
            ),
        ),
    )
