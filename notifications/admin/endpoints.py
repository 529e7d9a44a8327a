"""Webhook endpoints: to read, to switch on and off, and to send again what one missed. Their secrets are shown to nobody, not even sealed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, reference, related, when
from common.console.site import operator
from common.errors import CounterfoilError
from notifications.models import DeliveryState, DisabledReason, WebhookEndpoint
from notifications.services.endpoints import endpoint_disable, endpoint_update
from notifications.services.replay import Replay, deliveries_replay


class SwitchForm(ReasonForm):
    """What it shall be, said outright: two people who act at once do not undo each other."""

    to = forms.ChoiceField(choices=[("on", "Active"), ("off", "Not active")], widget=UnfoldAdminSelectWidget)
    field_order = ("to", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        endpoint = WebhookEndpoint.objects.filter(pk=unquote(self.object_id)).first()
        self.fields["to"].initial = "off" if endpoint is not None and endpoint.is_active else "on"


class SpanForm(ReasonForm):
    """Which span, in the console's time zone, as on its pages."""

    since = forms.DateTimeField(
        label="From", widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-03-02 09:00"})
    )
    until = forms.DateTimeField(
        label="To", widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-03-02 18:00"})
    )
    state = forms.ChoiceField(
        choices=[(DeliveryState.DEAD, "Given up"), (DeliveryState.DELIVERED, "Delivered")],
        label="Which were",
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("since", "until", "state", "reason")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "since" in cleaned and "until" in cleaned and cleaned["since"] >= cleaned["until"]:
            self.add_error("until", "It is not after the beginning.")
        return cleaned


@column("dead_count", "Given up")
def given_up(endpoint: WebhookEndpoint) -> Any:
    """How many of its deliveries are dead, and the way to them."""
    count = endpoint.deliveries.filter(state=DeliveryState.DEAD).count()
    url = f"/admin/notifications/webhookdelivery/?q={endpoint.pk}&state__exact={DeliveryState.DEAD}"
    return html.link(url, f"{count:,} deliveries") if count else "None"


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ConsoleAdmin):
    found_by = ("id",)
    actions_detail = ("switch", "replay_span")
    list_display = (
        "url",
        related("merchant", "Merchant"),
        mode(),
        "is_active",
        "disabled_reason",
        when("failing_since", "Failing since"),
        when("created_at", "Since"),
    )
    list_filter = (("merchant", RelatedDropdownFilter), "live", "is_active", "disabled_reason")
    list_select_related = ("merchant",)
    search_fields = ("url", "=merchant__code", "=id")
    search_help_text = "Address, merchant code or id"
    details = (
        (None, (reference("id", "Endpoint"), "url", related("merchant", "Merchant"), mode(), "description")),
        ("Gets", ("event_types", "is_active", "disabled_reason", given_up)),
        (
            "When",
            (
                when("created_at", "Created"),
                when("updated_at", "Changed"),
                when("disabled_at", "Disabled"),
                when("failing_since", "Failing since"),
                when("previous_secret_until", "Previous secret signs until"),
            ),
        ),
    )

    def has_switch_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("notifications.switch_webhookendpoint"))

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("notifications.replay_webhookdelivery"))

    @action(
        description="Switch on or off",
        permissions=["switch"],
        url_path="switch",
        icon="toggle_on",
        dialog={
            "title": "Send webhooks there, or no longer",
            "description": "While it is off, what falls due is given up; it can be sent again when the endpoint is back.",
            "form_class": SwitchForm,
            "form_submit_text": "Keep",
        },
    )
    def switch(self, request: HttpRequest, form: SwitchForm, object_id: str) -> HttpResponse:
        endpoint = get_object_or_404(WebhookEndpoint, pk=unquote(object_id))
        actor, now, reason = operator(request), timezone.now(), form.cleaned_data["reason"]
        try:
            if form.cleaned_data["to"] == "on":
                endpoint_update(endpoint_id=endpoint.pk, is_active=True, actor=actor, now=now, reason=reason)
            else:
                off = DisabledReason.OPERATOR
                endpoint_disable(endpoint_id=endpoint.pk, reason=off, actor=actor, now=now, why=reason)
        except CounterfoilError as exc:
            messages.error(request, f"Nothing was done: {exc.message}")
        else:
            messages.success(request, f"The endpoint is {form.cleaned_data['to']}.")
        return go_to(request, html.page_url(endpoint))

    @action(
        description="Send a span again",
        permissions=["replay"],
        url_path="replay-span",
        icon="replay",
        dialog={
            "title": "Send again what the endpoint missed",
            "description": "The same events with the same ids, at most 10,000.",
            "form_class": SpanForm,
            "form_submit_text": "Send again",
        },
    )
    def replay_span(self, request: HttpRequest, form: SpanForm, object_id: str) -> HttpResponse:
        endpoint = get_object_or_404(WebhookEndpoint, pk=unquote(object_id))
        try:
            count = deliveries_replay(
                wanted=Replay(
                    merchant_id=endpoint.merchant_id,
                    live=endpoint.live,
                    endpoint_id=endpoint.pk,
                    since=form.cleaned_data["since"],
                    until=form.cleaned_data["until"],
                    state=DeliveryState(form.cleaned_data["state"]),
                ),
                actor=operator(request),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Nothing was sent: {exc.message}")
        else:
            messages.success(request, f"{count:,} deliveries are sent again now.")
        return go_to(request, html.page_url(endpoint))
