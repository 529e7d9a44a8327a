"""Batches of refunds: prepare one from a file or a filter, look at what it would do, propose it, watch it, take its outcomes as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, money, reference, related, state, when
from common.console.filters import DayFilter
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.proposals import answer_proposal
from common.console.site import operator
from common.console.waiting import open_proposals, waits
from common.errors import CounterfoilError
from common.models import Proposal
from common.spreadsheets import csv_lines, safe_cell
from payments.admin.refund_batch_forms import FromFileForm, FromFilterForm
from payments.models import RefundBatch, RefundBatchItem
from payments.selectors import refund_batch_counts
from payments.services.refund_batches import (
    ACT,
    refund_batch_discard,
    refund_batch_prepare,
    refund_batch_propose,
    refund_batch_totals,
)
from payments.states import RefundBatchState, RefundItemState

_SHOWN = 100
_COLUMNS = ("row", "given", "transaction", "amount", "currency", "reason", "outcome", "refund", "refundState", "why")


@column("progress_bar", "Progress")
def progress(batch: Any) -> Any:
    """How many of the refunds have been asked for."""
    total = batch.item_count - batch.refused_count
    if batch.state not in (RefundBatchState.APPROVED, RefundBatchState.DONE) or not total:
        return html.EMPTY
    done = total - batch.waiting_count
    return format_html(
        '<span class="cf-rate"><progress max="{}" value="{}"></progress> {} of {}</span>', total, done, done, total
    )


@column("totals_table", "To refund")
def totals(batch: RefundBatch) -> Any:
    found = refund_batch_totals(batch)
    if not found:
        return "Nothing: every row is refused."
    return format_html_join(
        "", "<div>{} in {} refunds</div>", ((html.money(t.minor, t.currency), t.count) for t in found)
    )


@column("outcome_table", "Outcome")
def outcome(batch: RefundBatch) -> Any:
    """How many rows are where, and of the refunds that were asked for, how they stand."""
    return html.table(
        ("Rows", "Now", ""),
        (
            (count, html.badge(found or item), html.link(f"{_items_url(batch)}&state__exact={item}", "Show"))
            for item, found, count in refund_batch_counts(batch)
        ),
    )


@column("items_table", "Rows")
def items(batch: RefundBatch) -> Any:
    """What needs a look first: the refused rows, then the others."""
    rows = batch.items.select_related("transaction", "refund").order_by("-why", "number")[:_SHOWN]
    return html.table(
        ("Row", "Transaction", "Amount", "Now", "Why"),
        (
            (
                item.number,
                html.link(html.page_url(item.transaction), item.given) if item.transaction else item.given,
                html.money(item.amount_minor, item.currency) if item.amount_minor is not None else html.EMPTY,
                html.badge(item.refund.state if item.refund else item.state),
                item.why or html.EMPTY,
            )
            for item in rows
        ),
    )


@column("all_items", "")
def all_items(batch: RefundBatch) -> Any:
    return html.link(_items_url(batch), f"All {batch.item_count:,} rows")


def _items_url(batch: RefundBatch) -> str:
    return f"{reverse('admin:payments_refundbatchitem_changelist')}?q={batch.pk}"


def _proposed(proposal: Proposal) -> Any:
    """What the batch would refund, as it is stored now."""
    batch = RefundBatch.objects.get(pk=proposal.subject_id)
    return format_html(
        '{}<div class="cf-small" style="margin-top:.5rem">{}</div>',
        totals(batch),
        html.link(html.page_url(batch), "Every row"),
    )


PROPOSED[ACT] = _proposed
SUBJECT_PAGES["refund_batch"] = lambda subject_id: reverse("admin:payments_refundbatch_change", args=[subject_id])


@admin.register(RefundBatch)
class RefundBatchAdmin(ConsoleAdmin):
    found_by = ("id",)
    empty_text = "No batch has been prepared. Begin one from a file or from a filter; nothing is refunded before a second person agrees."
    actions_list = ("new_from_file", "new_from_filter")
    actions_detail = ("propose", "outcomes", "discard")
    list_display = (
        "title",
        related("merchant", "Merchant"),
        mode(),
        state("state"),
        progress,
        "item_count",
        "refused_count",
        when("created_at", "Prepared"),
        "prepared_by",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("merchant", RelatedDropdownFilter),
        "live",
        ("created_at", DayFilter),
    )
    list_select_related = ("merchant",)
    search_fields = ("=id", "=items__transaction__id", "=items__refund__id")
    search_help_text = "Batch, transaction or refund id"
    ordering = ("-id",)
    details = (
        (None, (reference("id", "Batch"), "title", related("merchant", "Merchant"), mode(), state("state"), progress)),
        ("What it refunds", (totals, "item_count", "refused_count", "reason", outcome)),
        ("Decided", ("prepared_by", waits("refund_batch"), related("proposal", "Decided by"), when("created_at", "Prepared"), when("ended_at", "Ended"))),
        ("Rows", (items, all_items)),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundBatch]:
        waiting = Count("items", filter=Q(items__state=RefundItemState.WAITING))
        return super().get_queryset(request).annotate(waiting_count=waiting)  # type: ignore[no-any-return]

    def has_propose_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.propose_refundbatch"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what its state allows."""
        batch = RefundBatch.objects.filter(pk=unquote(str(object_id))).first()
        prepared = batch is not None and batch.state == RefundBatchState.PREPARED
        names: tuple[str, ...] = ("outcomes", "discard", "propose") if prepared else ("outcomes",)
        if batch is not None and open_proposals("refund_batch", batch.pk):
            names = ("outcomes", "discard")
        return [found for found in super().get_actions_detail(request, object_id) if found.action_name.endswith(names)]

    @action(description="New from a file", permissions=["propose"], url_path="new-from-file", icon="upload_file")
    def new_from_file(self, request: HttpRequest) -> HttpResponse:
        return self._new(request, FromFileForm, "Batch of refunds from a file")

    @action(description="New from a filter", permissions=["propose"], url_path="new-from-filter", icon="filter_alt")
    def new_from_filter(self, request: HttpRequest) -> HttpResponse:
        return self._new(request, FromFilterForm, "Batch of refunds from a filter")

    def _new(self, request: HttpRequest, form_class: Any, title: str) -> HttpResponse:
        form, refused = form_class(request.POST or None, request.FILES or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                batch = refund_batch_prepare(
                    merchant_id=form.cleaned_data["merchant"].pk,
                    live=form.live,
                    title=form.title,
                    wanted=form.wanted(),
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                messages.success(
                    request, "The batch is prepared and nothing is refunded yet. Look at it, then propose it."
                )
                return redirect(html.page_url(batch))
        context = self.admin_site.each_context(request) | {
            "title": title,
            "lead": "First a preview: what would be refunded, and what is refused and why. A second person has to approve it.",
            "form": form,
            "refused": refused,
            "submit": "Prepare",
            "back": reverse("admin:payments_refundbatch_changelist"),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    @action(
        description="Propose",
        permissions=["propose"],
        url_path="propose",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Propose the batch",
            "description": "A second person sees what you see and approves it. Then each refund is asked for on its own.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def propose(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        batch = get_object_or_404(RefundBatch, pk=unquote(object_id))
        return answer_proposal(
            request,
            lambda: refund_batch_propose(
                batch_id=batch.pk,
                by=request.user,  # type: ignore[arg-type]
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            ),
            html.page_url(batch),
        )

    @action(
        description="Discard",
        permissions=["propose"],
        url_path="discard",
        icon="delete",
        dialog={
            "title": "Discard the batch",
            "description": "Nothing of it is refunded. The rows stay, to be looked at.",
            "form_class": ReasonForm,
            "form_submit_text": "Discard",
        },
    )
    def discard(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        batch = get_object_or_404(RefundBatch, pk=unquote(object_id))
        try:
            refund_batch_discard(
                batch_id=batch.pk, actor=operator(request), reason=form.cleaned_data["reason"], now=timezone.now()
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not discarded: {exc.message}")
        else:
            messages.success(request, "The batch is discarded.")
        return go_to(request, html.page_url(batch))

    @action(description="Outcomes as CSV", permissions=["view"], url_path="outcomes", icon="download")
    def outcomes(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        batch = get_object_or_404(RefundBatch, pk=unquote(object_id))
        return StreamingHttpResponse(
            csv_lines(_outcome_rows(batch)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{batch.pk}.csv"'},
        )


def _outcome_rows(batch: RefundBatch) -> Iterator[tuple[str, ...]]:
    yield _COLUMNS
    rows = batch.items.select_related("refund").order_by("number")
    for item in rows.iterator(chunk_size=500):
        yield tuple(
            safe_cell(str(value))
            for value in (
                item.number,
                item.given,
                item.transaction_id or "",
                item.amount or "",
                item.currency,
                item.reason,
                item.state,
                item.refund_id or "",
                item.refund.state if item.refund else "",
                item.refund.failure_reason if item.refund and item.refund.failure_reason else item.why,
            )
        )


@column("refund_badge", "Refund")
def refund_state(item: RefundBatchItem) -> Any:
    return html.link(html.page_url(item.refund), html.badge(item.refund.state)) if item.refund else html.EMPTY


@admin.register(RefundBatchItem)
class RefundBatchItemAdmin(ConsoleAdmin):
    list_display = (
        "number",
        related("batch", "Batch", text="batch__title"),
        "given",
        related("transaction", "Transaction"),
        money("amount_minor", "Amount"),
        state("state"),
        refund_state,
        "why",
    )
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("batch", "transaction", "refund")
    search_fields = ("=batch__id", "=transaction__id", "=refund__id")
    search_help_text = "Batch, transaction or refund id"
    ordering = ("batch", "number")
    details = (
        (
            None,
            (
                related("batch", "Batch", text="batch__title"),
                "number",
                "given",
                related("transaction", "Transaction"),
                money("amount_minor", "Amount"),
                "reason",
                state("state"),
                related("refund", "Refund"),
                "why",
            ),
        ),
    )
