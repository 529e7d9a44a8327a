"""What an operator fills in for a batch of refunds: a file, or a filter of transactions."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
)

from merchants.models import Merchant
from payments.admin.filters import METHODS
from payments.services.refund_batches import refundable, wanted_of
from payments.services.refund_files import MAX_BYTES, Wanted, read_refunds

MODES = [("", "Choose"), ("test", "Test"), ("live", "Live")]


class _NewBatchForm(forms.Form):
    """Whose refunds, in which mode, and why."""

    merchant = forms.ModelChoiceField(
        Merchant.objects.filter(is_active=True).order_by("code"), widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(choices=MODES, widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="The merchant and the payer may see it. A row of a file may have its own.",
    )

    @property
    def live(self) -> bool:
        return bool(self.cleaned_data["mode"] == "live")


class FromFileForm(_NewBatchForm):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.xlsx"}),
        help_text="CSV (UTF-8) or XLSX. The first row names the columns: transaction (id or the merchant's reference), and if wanted "
        "amount (empty: all that is left) and reason.",
    )
    field_order = ("merchant", "mode", "file", "reason")

    def clean_file(self) -> Any:
        if self.cleaned_data["file"].size > MAX_BYTES:
            raise ValidationError(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
        return self.cleaned_data["file"]

    @property
    def title(self) -> str:
        return str(self.cleaned_data["file"].name)

    def wanted(self) -> list[Wanted]:
        """Raises InvalidRequest, CardDataNotAllowed."""
        return read_refunds(self.title, self.cleaned_data["file"].read())


class FromFilterForm(_NewBatchForm):
    method = forms.ChoiceField(
        choices=[("", "All"), *((method, method) for method in METHODS)],
        required=False,
        label="Payment type",
        widget=UnfoldAdminSelectWidget,
    )
    first_day = forms.DateField(widget=UnfoldAdminSingleDateWidget, help_text="Created on this day or later.")
    last_day = forms.DateField(widget=UnfoldAdminSingleDateWidget, help_text="Created on this day or earlier.")
    field_order = ("merchant", "mode", "method", "first_day", "last_day", "reason")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and first > last:
            raise ValidationError("The first day is after the last one.")
        return cleaned

    @property
    def title(self) -> str:
        cleaned = self.cleaned_data
        return f"{cleaned['method'] or 'all payment types'}, {cleaned['first_day']} to {cleaned['last_day']}"

    def wanted(self) -> list[Wanted]:
        """Raises InvalidRequest (more than a batch may have)."""
        cleaned = self.cleaned_data
        filters: dict[str, Any] = {
            "created_at__gte": _midnight(cleaned["first_day"]),
            "created_at__lt": _midnight(cleaned["last_day"] + timedelta(days=1)),
        }
        if cleaned["method"]:
            filters["method"] = cleaned["method"]
        return wanted_of(refundable(cleaned["merchant"].pk, live=self.live, **filters))


def _midnight(day: Any) -> datetime:
    """The beginning of the day in the operator's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
