"""Transactions: the list, and the payment page that shows one of them whole."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.console import html
from common.console.actions import go_to
from common.console.base import ConsoleAdmin
from common.console.columns import mode, money, related, state, when
from common.console.filters import DayFilter
from common.console.panels import TRANSACTION_PAGE, render_parts
from common.console.site import operator
from common.errors import CounterfoilError
from payments.admin.filters import MethodFilter, TransactionProviderFilter
from payments.admin.payment_page import payment_page
from payments.admin.refunds import RefundForm
from payments.admin.search import ReferenceSearch, transactions_by_reference
from payments.models import Transaction
from payments.services.reviews import MAY_PROPOSE


@admin.register(Transaction)
class TransactionAdmin(ReferenceSearch, ConsoleAdmin):
    transaction_path = "pk"
    actions_detail = ("refund",)
    list_display = (
        "id",
        when("created_at", "Created", sortable=True),
        related("merchant", "Merchant"),
        "method",
        state("status", "Status"),
        money("amount_minor", "Amount", sortable=True),
        "external_reference",
        mode(),
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        MethodFilter,
        TransactionProviderFilter,
        ("merchant", RelatedDropdownFilter),
        "live",
        ("created_at", DayFilter),
    )
    list_select_related = ("merchant",)
    ordering = ("-id",)  # ids begin with the time

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merchant")

    def page_of(self, request: HttpRequest, found: Transaction) -> dict[str, Any]:
        page = payment_page(found, request.user)
        return {
            "page": page,
            "title": "Payment",
            "can_refund": page.refundable and self.has_refund_permission(request),
            "can_decide": request.user.has_perm(MAY_PROPOSE),
            "can_look_up": request.user.has_perm("payments.look_up_operation"),
            "sections": render_parts(TRANSACTION_PAGE, request, transaction=found),
        }

    def find(self, request: HttpRequest, term: str) -> Any:
        """By any reference of a transaction, a payment, an operation or a refund of it."""
        return self.get_queryset(request).filter(pk__in=transactions_by_reference(term))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        return []  # the page has its own buttons, beside the figures they act on

    def has_refund_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.refund_transaction"))

    @action(
        description="Refund",
        permissions=["refund"],
        url_path="refund",
        icon="undo",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Refund",
            "description": "The money goes back the way it came. A refund that the provider has taken cannot be called back.",
            "form_class": RefundForm,
            "form_submit_text": "Refund",
        },
    )
    def refund(self, request: HttpRequest, form: RefundForm, object_id: str) -> HttpResponse:
        try:
            refund = form.request_refund(operator(request))
        except CounterfoilError as exc:
            messages.error(request, f"Not refunded: {exc.message}")
        else:
            messages.success(request, f"Refund of {refund.amount} {refund.currency} is requested: {refund.pk}.")
        return go_to(request, html.page_url(form.transaction))
