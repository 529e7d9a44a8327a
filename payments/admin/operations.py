"""Operations: the messages to providers, and asking now what became of one."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action

from common.audit import record_action
from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import money, pretty, reference, related, state, when
from common.console.filters import DayFilter
from common.console.site import operator
from payments.admin.filters import provider_filter
from payments.admin.search import ReferenceSearch
from payments.models import Operation
from payments.services.advance import Effect
from payments.services.operations import operation_look_up

SAID = {
    Effect.MOVED: (messages.SUCCESS, "The provider has answered; the payment has moved."),
    Effect.WAITING: (messages.INFO, "The provider does not know yet. It will be asked again on schedule."),
    Effect.REPEATED: (messages.INFO, "The provider said what was known already."),
    Effect.CONTRADICTED: (
        messages.WARNING,
        "The provider contradicts what is final. Nothing was changed; see the open questions.",
    ),
    Effect.REVIEW: (messages.WARNING, "The provider's answer needs a decision: see the open questions."),
}


@admin.register(Operation)
class OperationAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "payment__transaction"
    actions_detail = ("look_up",)
    list_display = (
        "reference",
        related("payment__transaction", "Transaction"),
        "kind",
        state("state"),
        money("amount_minor", "Amount", sortable=True),
        "provider_code",
        "look_ups",
        when("created_at", "Created"),
        when("due_at", "Next look", sortable=True),
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        provider_filter("payment__provider_account__provider"),
        ("created_at", DayFilter),
    )
    list_select_related = ("payment__transaction",)
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("reference", "Reference"),
                related("payment__transaction", "Transaction"),
                related("payment", "Payment"),
                related("refund", "Refund"),
                "kind",
                state("state"),
                money("amount_minor", "Amount"),
            ),
        ),
        (
            "The provider's words",
            (
                "provider_code",
                "provider_reason",
                reference("provider_reference", "Provider reference"),
                pretty("reply", "Last reply"),
            ),
        ),
        (
            "When",
            (
                when("created_at", "Created"),
                when("sent_at", "Sent"),
                when("ended_at", "Ended"),
                when("due_at", "Next look"),
                "sends",
                "look_ups",
            ),
        ),
    )

    def has_look_up_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.look_up_operation"))

    @action(
        description="Look up at provider now",
        permissions=["look_up"],
        url_path="look-up",
        icon="travel_explore",
        dialog={
            "title": "Look up at provider now",
            "description": "Asks the provider what became of this operation and takes in its answer. Nothing is sent again.",
            "form_class": ReasonForm,
            "form_submit_text": "Look up",
        },
    )
    def look_up(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        operation = get_object_or_404(Operation.objects.select_related("payment__transaction"), pk=unquote(object_id))
        transaction, actor, now = operation.payment.transaction, operator(request), timezone.now()
        record_action(
            actor=actor,
            action="operation.look_up_requested",
            subject_type="transaction",
            subject_id=transaction.pk,
            merchant_id=transaction.merchant_id,
            now=now,
            reason=form.cleaned_data["reason"],
            changes={"operation": operation.reference},
        )
        effect = operation_look_up(operation_id=operation.pk, now=now, actor=actor)
        level, text = SAID[effect] if effect else (messages.INFO, "It has ended or was never sent: nothing to look up.")
        messages.add_message(request, level, text)
        return go_to(request, html.page_url(transaction))
