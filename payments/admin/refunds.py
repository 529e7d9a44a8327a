"""Refunds: the list, and asking for one.

A dialog carries a number of its own, which is the idempotency key of the refund: sent twice, it refunds once.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import IntegrityError
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from common.changes import Actor
from common.console.actions import ReasonForm
from common.console.base import ConsoleAdmin
from common.console.columns import money, reference, related, state, when
from common.console.filters import DayFilter
from common.database import constraint_of
from common.errors import InvalidState
from common.money import InvalidAmount, Money
from merchants.services.idempotency import CONSTRAINT, IdempotencyKey, Reply
from payments.admin.search import ReferenceSearch
from payments.models import Refund, Transaction
from payments.services.refunds import refund_request


class RefundForm(ReasonForm):
    """How much and why. The amount is in the transaction's currency; the service decides whether that much is left."""

    amount = forms.CharField(max_length=20, widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
    nonce = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ("amount", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transaction = get_object_or_404(Transaction, pk=unquote(self.object_id))
        left = Money(self.transaction.refundable_minor, self.transaction.currency)
        self.fields["amount"].label = f"Amount in {left.currency}"
        self.fields["amount"].help_text = f"{left} {left.currency} is left to refund."
        self.fields["amount"].initial = str(left)
        self.fields["nonce"].initial = uuid.uuid4

    def clean_amount(self) -> Money:
        text = self.cleaned_data["amount"]
        try:
            return Money.parse(text, self.transaction.currency)
        except InvalidAmount as exc:
            raise forms.ValidationError("Write an amount such as 10.50, without separators or currency.") from exc

    def request_refund(self, actor: Actor) -> Refund:
        """Ask for the refund. The same dialog sent again returns the refund it made. Raises what refund_request raises."""
        amount, reason = self.cleaned_data["amount"], self.cleaned_data["reason"]
        content = f"{self.transaction.pk}\x1f{amount}\x1f{reason}"
        key = IdempotencyKey(
            merchant_id=self.transaction.merchant_id,
            live=self.transaction.live,
            key=f"console:{self.cleaned_data['nonce']}",
            fingerprint=hashlib.sha256(content.encode()).digest(),
        )
        try:
            return refund_request(
                transaction_id=self.transaction.pk,
                amount=amount,
                reason=reason,
                actor=actor,
                now=timezone.now(),
                idempotency=key,
                reply=lambda refund: Reply(200, refund.pk.encode()),
            )
        except (InvalidState, IntegrityError) as exc:
            # Nothing is left to refund, or the key is used: perhaps because this very dialog was sent before.
            earlier = key.find(now=timezone.now())
            if earlier is not None:
                return Refund.objects.get(pk=earlier.body.decode())
            if isinstance(exc, IntegrityError) and constraint_of(exc) == CONSTRAINT:
                raise InvalidState("This dialog was sent before and refused. Open it again.") from exc
            raise


@admin.register(Refund)
class RefundAdmin(ReferenceSearch, ConsoleAdmin):
    found_by = ("id",)
    transaction_path = "transaction"
    list_display = (
        "id",
        related("transaction", "Transaction"),
        related("transaction__merchant", "Merchant"),
        state("state"),
        money("amount_minor", "Amount", sortable=True),
        "reason",
        "requested_by",
        when("created_at", "Requested"),
    )
    list_filter = (("state", ChoicesDropdownFilter), "transaction__live", ("created_at", DayFilter))
    list_select_related = ("transaction__merchant",)
    ordering = ("-id",)
    details = (
        (
            None,
            (
                reference("id", "Refund"),
                related("transaction", "Transaction"),
                related("payment", "Payment"),
                state("state"),
                money("amount_minor", "Amount"),
                "reason",
                "requested_by",
                "failure_code",
                "failure_reason",
            ),
        ),
        ("When", (when("created_at", "Requested"), when("updated_at", "Changed"), when("completed_at", "Completed"))),
    )
