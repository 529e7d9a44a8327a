"""Webhook deliveries and their attempts, and sending one again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, reference, related, state, when
from common.console.filters import DayFilter, choice_filter
from common.console.search import ExactSearch
from common.console.site import operator
from common.errors import CounterfoilError
from common.events import EVENT_TYPES, TEST_EVENT
from notifications.models import WebhookAttempt, WebhookDelivery
from notifications.services.replay import delivery_replay


@column("answer", "Answer")
def answer(attempt: WebhookAttempt) -> str:
    """What came back: a status, or why nothing did."""
    return str(attempt.status) if attempt.status and not attempt.error else attempt.error or html.EMPTY


@column("attempts_table", "Attempts")
def attempts(delivery: WebhookDelivery) -> Any:
    tries = delivery.tries.defer("response").order_by("-id")[:50]
    heads = ("Time", "Answer", "Took")
    return html.table(heads, [(html.moment(one.at), answer(one), f"{one.duration_ms} ms") for one in tries])


@column("body_text", "Body")
def body(delivery: WebhookDelivery) -> Any:
    return format_html('<pre class="cf-pre">{}</pre>', bytes(delivery.body).decode(errors="replace"))


@column("response_text", "Answer's beginning")
def response(attempt: WebhookAttempt) -> Any:
    return format_html('<pre class="cf-pre">{}</pre>', bytes(attempt.response).decode(errors="replace") or "(empty)")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ExactSearch, ConsoleAdmin):
    found_by = ("id",)
    actions_detail = ("replay",)
    list_display = (
        "id",
        "event_type",
        related("endpoint__merchant", "Merchant"),
        related("endpoint", "Endpoint"),
        state("state"),
        "attempts",
        when("created_at", "Created"),
        when("due_at", "Next try"),
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        "endpoint__live",
        choice_filter("event", "event_type", (*EVENT_TYPES, TEST_EVENT)),
        ("created_at", DayFilter),
    )
    list_select_related = ("endpoint__merchant",)
    search_fields = exact = ("id", "event_id", "transaction_id", "endpoint_id", "endpoint__merchant__code")
    search_help_text = "Delivery, event, transaction or endpoint id, merchant code"
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("id", "Delivery"),
                reference("event_id", "Event"),
                "event_type",
                reference("transaction_id", "Transaction"),
                related("endpoint", "Endpoint"),
                mode("endpoint__live"),
                state("state"),
                "attempts",
            ),
        ),
        (
            "When",
            (when("created_at", "Created"), when("due_at", "Next try"), when("delivered_at", "Delivered")),
        ),
        (None, (attempts, body)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).select_related("endpoint__merchant").defer("body")  # type: ignore[no-any-return]

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("notifications.replay_webhookdelivery"))

    @action(
        description="Send again",
        permissions=["replay"],
        url_path="replay",
        icon="replay",
        dialog={
            "title": "Send the webhook again",
            "description": "The merchant gets the same event with the same id, so a receiver that remembers ids does nothing twice.",
            "form_class": ReasonForm,
            "form_submit_text": "Send again",
        },
    )
    def replay(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        delivery = get_object_or_404(WebhookDelivery.objects.defer("body"), pk=unquote(object_id))
        reason = form.cleaned_data["reason"]
        try:
            delivery_replay(delivery_id=delivery.pk, actor=operator(request), now=timezone.now(), reason=reason)
        except CounterfoilError as exc:
            messages.error(request, f"Not sent: {exc.message}")
        else:
            messages.success(request, "The webhook is sent again now.")
        return go_to(request, html.page_url(delivery))


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ExactSearch, ConsoleAdmin):
    list_display = (when("at", "Time"), related("delivery", "Delivery"), answer, "duration_ms", "blocked")
    list_filter = ("blocked", ("at", DayFilter))
    search_fields = exact = ("delivery__id", "delivery__transaction_id")
    search_help_text = "Delivery or transaction"
    ordering = ("-id",)
    details = (
        (None, (when("at", "Time"), related("delivery", "Delivery"), answer, "duration_ms", "blocked", response)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookAttempt]:
        return super().get_queryset(request).select_related("delivery").defer("response", "delivery__body")  # type: ignore[no-any-return]
