"""Webhook endpoints, to read. Their secrets are shown to nobody, not even sealed."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter

from common.console.base import ConsoleAdmin
from common.console.columns import mode, reference, related, when
from notifications.models import WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ConsoleAdmin):
    list_display = (
        "url",
        related("merchant", "Merchant"),
        mode(),
        "is_active",
        "disabled_reason",
        when("failing_since", "Failing since"),
        when("created_at", "Since"),
    )
    list_filter = (("merchant", RelatedDropdownFilter), "live", "is_active")
    list_select_related = ("merchant",)
    search_fields = ("url", "=merchant__code", "=id")
    search_help_text = "Address, merchant code or id"
    details = (
        (None, (reference("id", "Endpoint"), "url", related("merchant", "Merchant"), mode(), "description")),
        ("Gets", ("event_types", "is_active", "disabled_reason")),
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
